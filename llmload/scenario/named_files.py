"""Where a document names files, and the same names from another folder: each is relative to the file that wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from os.path import relpath
from pathlib import Path

from llmload.scenario.tree import Node, Scalar, Step, replace_at, scalars

_NAMES = (
    ("api_key", "file"),
    ("lengths", "from"),
    ("prompts", "file", "path"),
    ("recommend", "price_file"),
    ("server_logs", "file"),
    ("tls", "ca_file"),
    ("tokenizer", "file"),
    ("trace", "file"),
)
"""The last steps of every path below `spec` whose value is the name of a file."""


def names_file(path: tuple[Step, ...]) -> bool:
    """Whether the text at `path` is the name of a file."""
    keys = tuple(step for step in path if isinstance(step, str))
    return keys[:1] == ("spec",) and any(keys[-len(name) :] == name for name in _NAMES)


def named_from(root: Node, folders: Mapping[str, Path], directory: Path) -> Node:
    """The tree with the file names of every document in `folders` (by its name in errors) as seen from `directory`."""
    for path, scalar in _named(root):
        if folder := folders.get(scalar.place.file):
            root = replace_at(root, path, replace(scalar, value=relpath(folder / str(scalar.value), directory)))
    return root


def moved(root: Node, directory: Path, seen_from: Path | None) -> Node:
    """The tree with its file names, which are relative to `directory`, as seen from elsewhere; None: in full."""
    for path, scalar in _named(root):
        if not str(scalar.value).startswith("${"):  # whoever sets the variable says the whole name
            name = directory / str(scalar.value)
            seen = str(name.resolve()) if seen_from is None else relpath(name, seen_from)
            root = replace_at(root, path, replace(scalar, value=seen))
    return root


def _named(root: Node) -> Iterator[tuple[tuple[Step, ...], Scalar]]:
    """Every name of a file that is not in full."""
    for path, scalar in scalars(root):
        is_name = isinstance(scalar.value, str) and names_file(path)
        if is_name and not Path(str(scalar.value)).expanduser().is_absolute():
            yield path, scalar
