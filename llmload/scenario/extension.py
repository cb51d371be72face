"""`extends`: the documents that a scenario is laid over, each read and judged where it was written, as one tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from llmload.scenario.base_document import Base, read_base
from llmload.scenario.document.root import MAX_EXTENDED
from llmload.scenario.files import lead
from llmload.scenario.merging import merge
from llmload.scenario.nearest import nearest
from llmload.scenario.preset_folders import NAME, NAME_HINT, PREFIX, known_presets, preset_folders, presets_named
from llmload.scenario.tree import Entries, Items, Node, Place, Scalar, Trouble, find, format_path, scalars

EXTENDS = "extends"


@dataclass(frozen=True, slots=True)
class Extended:
    """A scenario over what it extends; `troubles` are those of the extended documents, and of `extends` itself.

    A malformed `extends` is for the schema to refuse.
    `is_whole` says whether all of them could be read, so that what is missing in `root` is nobody's.
    """

    root: Node
    bases: tuple[Base, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    is_whole: bool = True
    is_malformed: bool = False
    lines: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def folders(self) -> Mapping[str, Path]:
        """Where each extended document lies, by its name in errors."""
        return {base.file: base.path.parent for base in self.bases}

    def settle(self, merged: Node) -> Node:
        """The merged document, with `--set` over it, extends nothing any more; a malformed `extends` is left."""
        return merged if self.is_malformed or not isinstance(merged, Entries) else _without_extends(merged)

    def told(self, trouble: Trouble) -> Trouble:
        """The trouble with the place that extends its file."""
        return _with(trouble, self._asked(trouble))

    def combined(self, trouble: Trouble, root: Node) -> Trouble:
        """A trouble that no document has by itself, with the places that its section comes from too."""
        section = tuple(trouble.path.partition("[")[0].split(".")[:2])
        first: dict[str, Place] = {}
        for _, scalar in scalars(find(root, section) or Entries((), trouble.place)):
            first.setdefault(scalar.place.file, scalar.place)
        places = " and ".join(f"{place.file}:{place.line}" for place in first.values())
        mixed = [f"{'.'.join(section)} comes from {places}"] if len(first) > 1 else []
        return _with(trouble, [*mixed, *self._asked(trouble)])

    def _asked(self, trouble: Trouble) -> list[str]:
        places = [base.asked for base in self.bases if base.file == trouble.place.file]
        return [f"extended in {place.file}:{place.line}" for place in places]


def _with(trouble: Trouble, remarks: Sequence[str]) -> Trouble:
    return replace(trouble, hint=f"{trouble.hint} ({'; '.join(remarks)})") if remarks else trouble


def extend(root: Entries, asked: Node | None, directory: Path, env: Mapping[str, str]) -> Extended:
    """The scenario `root` over the documents that `asked`, its `extends`, names."""
    if asked is None or (isinstance(asked, Scalar) and asked.value is None):
        return Extended(root)
    is_list = isinstance(asked, Items) and all(_is_text(item) for item in asked.nodes)
    if not isinstance(asked, Items) or not is_list or len(asked.nodes) > MAX_EXTENDED:
        return Extended(root, is_malformed=True)
    found: list[Base] = []
    troubles: list[Trouble] = []
    merged: Node | None = None
    for index, item in enumerate(asked.nodes):
        base = _find(str(item.value), item.place, directory, env) if isinstance(item, Scalar) else None
        path = format_path((EXTENDS, index))
        if isinstance(base, Base) and any(base.path.resolve() == other.path.resolve() for other in found):
            troubles.append(Trouble(item.place, path, "the same document is extended twice", "Keep the later one"))
        elif isinstance(base, Base):
            found.append(base)
            troubles += base.troubles
            part = base.part
            merged = part if merged is None or part is None else merge(merged, part)
        elif base is not None:
            troubles.append(Trouble(item.place, path, *base))
    is_whole = len(found) == len(asked.nodes) and all(base.part is not None for base in found)
    over = root if merged is None else merge(merged, root)
    return Extended(over, tuple(found), tuple(troubles), is_whole, lines={base.file: base.lines for base in found})


def _is_text(node: Node) -> bool:
    return isinstance(node, Scalar) and isinstance(node.value, str) and bool(node.value)


def _without_extends(root: Entries) -> Entries:
    return Entries(tuple((key, node) for key, node in root.pairs if key.value != EXTENDS), root.place)


def _find(name: str, place: Place, directory: Path, env: Mapping[str, str]) -> Base | tuple[str, str]:
    """The document that an entry names; otherwise why there is none, and what to do."""
    if "${" in name:
        return "a variable cannot say what a scenario extends", "Write its name, or --set extends=[preset:NAME]"
    if name.startswith(PREFIX):
        return _find_preset(name.removeprefix(PREFIX), place, directory, env)
    path = Path(lead(name, directory))
    try:
        return read_base(name, path, place, env)
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        hint = f"Write {PREFIX}{name} for the preset" if NAME.fullmatch(name) else "Name a file beside the scenario"
        return f"{path} cannot be read: {reason}", hint


def _find_preset(name: str, place: Place, directory: Path, env: Mapping[str, str]) -> Base | tuple[str, str]:
    folders = preset_folders(env, directory)
    if NAME.fullmatch(name) is None:
        return f"{name!r} is not the name of a preset", NAME_HINT
    found = presets_named(name, folders)
    if not found:
        return f"there is no preset {name!r}", nearest(name, {preset.name for preset in known_presets(folders)})
    try:
        return read_base(f"{PREFIX}{name}", found[0].path, place, env)
    except OSError as error:
        return f"{found[0].path} cannot be read: {(error.strerror or 'unreadable').lower()}", "Check its rights"
