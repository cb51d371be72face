"""Where a document names files, and the same names from another folder: each is relative to the file that wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from os.path import relpath
from pathlib import Path

from llmload.scenario.tree import Node, Step, replace_at, scalars

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
    for path, scalar in scalars(root):
        folder = folders.get(scalar.place.file)
        if folder is None or not isinstance(scalar.value, str) or not names_file(path):
            continue
        if not Path(scalar.value).expanduser().is_absolute():
            root = replace_at(root, path, replace(scalar, value=relpath(folder / scalar.value, directory)))
    return root
