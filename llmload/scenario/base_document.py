"""A preset, or another file that a scenario extends: a part of a scenario, judged by itself as far as a part can be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from llmload.errors import Problem
from llmload.scenario.document.root import BaseDocument
from llmload.scenario.interpolation import interpolate
from llmload.scenario.masking import quotable_lines
from llmload.scenario.merging import settle_choices
from llmload.scenario.preset_folders import PREFIX
from llmload.scenario.rules import gate_troubles
from llmload.scenario.source import Source
from llmload.scenario.text_file import text_of
from llmload.scenario.tree import Entries, Node, Place, Scalar, Trouble, find, read
from llmload.scenario.validation import key_place, validate_part
from llmload.scenario.versions import CONVERTERS, CURRENT, to_current


@dataclass(frozen=True, slots=True)
class Base:
    """A document that is extended: as it is named, where that is `asked`, and what it says.

    `part` is its `spec` in a document without metadata, which are not inherited; None where it cannot be read.
    """

    name: str
    path: Path
    asked: Place
    text: str
    lines: tuple[str, ...]
    root: Entries | None
    part: Entries | None
    troubles: tuple[Trouble, ...]

    @property
    def file(self) -> str:
        """What it is called in errors."""
        return str(self.path)

    @property
    def sha256(self) -> str:
        """Of its text."""
        return sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def description(self) -> str:
        """What it says of itself, "" where it says nothing."""
        node = None if self.root is None else find(self.root, ("metadata", "description"))
        return str(node.value) if isinstance(node, Scalar) and isinstance(node.value, str) else ""

    @property
    def problems(self) -> list[Problem]:
        """What is wrong with it, with its lines."""
        return Source({self.file: self.lines}).problems(self.troubles)


def read_base(name: str, path: Path, asked: Place, env: Mapping[str, str]) -> Base:
    """The document in a file; OSError where it cannot be opened, and its troubles where it is not what it must be."""
    text = text_of(path)
    if isinstance(text, Trouble):
        return Base(name, path, asked, "", (), None, None, (text,))
    return base_of(name, path, asked, text, env)


def preset_in(path: Path, text: str, env: Mapping[str, str]) -> Base | None:
    """The preset that a file says it is; None where it is something else, or cannot be read."""
    if "Preset" not in text:
        return None
    root, troubles = read(text, str(path))
    kind = None if root is None or troubles else find(root, ("kind",))
    is_preset = isinstance(kind, Scalar) and kind.value == "Preset"
    return base_of(f"{PREFIX}{path.stem}", path, Place(str(path), 1, 1), text, env) if is_preset else None


def base_of(name: str, path: Path, asked: Place, text: str, env: Mapping[str, str]) -> Base:
    """As `read_base`, of the text of the file."""
    file = str(path)
    root, troubles = read(text, file)
    lines = quotable_lines(text, root)
    if root is None and not troubles:
        troubles = [
            Trouble(Place(file, 1, 1), "document", "the document is empty", f"Begin with apiVersion: {CURRENT}")
        ]
    if root is None or troubles:
        return Base(name, path, asked, text, lines, None, None, tuple(troubles))
    version = find(root, ("apiVersion",))
    is_old = isinstance(version, Scalar) and version.value in CONVERTERS
    troubles = [_old_version(root)] if is_old else to_current(root)[2]
    if troubles or not isinstance(root, Entries):
        return Base(name, path, asked, text, lines, None, None, tuple(troubles))
    alone, troubles = _without_extends(root)
    settled, excluded = settle_choices(alone)
    troubles += [*excluded, *_judge(settled, env)]
    if name.startswith(PREFIX):
        troubles += _misnamed(root, path)
    spec = find(settled, ("spec",))
    key = root.key("spec")
    part = Entries(((key, spec),), root.place) if key and isinstance(spec, Entries) else Entries((), root.place)
    return Base(name, path, asked, text, lines, root, part, tuple(troubles))


def _old_version(root: Node) -> Trouble:
    message = f"what is extended must be {CURRENT}, not {' or '.join(CONVERTERS)}"
    return Trouble(key_place(root, ("apiVersion",)), "apiVersion", message, "Bring it up to date with llmload convert")


def _without_extends(root: Entries) -> tuple[Entries, list[Trouble]]:
    key = root.key("extends")
    if key is None:
        return root, []
    message = "what is extended cannot extend anything itself"
    trouble = Trouble(key.place, "extends", message, "Write all of them into the scenario, the later ones win")
    return Entries(tuple((name, node) for name, node in root.pairs if name is not key), root.place), [trouble]


def _judge(root: Node, env: Mapping[str, str]) -> Iterator[Trouble]:
    """What is wrong with its values. Variables that are not set may stand where the scenario writes something else."""
    filled, found = interpolate(root, env)
    unset = {trouble.path for trouble in found}
    for trouble in (*validate_part(BaseDocument, filled), *gate_troubles(filled)):
        if trouble.path not in unset:
            yield trouble


def _misnamed(root: Node, path: Path) -> Iterator[Trouble]:
    node = find(root, ("metadata", "name"))
    if isinstance(node, Scalar) and isinstance(node.value, str) and node.value != path.stem:
        message = f"the preset {path.stem} calls itself {node.value!r}"
        yield Trouble(node.place, "metadata.name", message, f"Write name: {path.stem}, or rename the file")
