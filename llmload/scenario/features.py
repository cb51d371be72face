"""What this version cannot do yet: refused where the author wrote it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from llmload.errors import NotBuiltError
from llmload.scenario.source import Loaded
from llmload.scenario.tree import Node, Step, Trouble, find, format_path, plain
from llmload.scenario.validation import key_place


@dataclass(frozen=True, slots=True)
class Unbuilt:
    """A field whose feature is missing: refused where it is written with a value that `asks` for the feature."""

    path: tuple[Step, ...]
    feature: str
    instead: str
    asks: Callable[[object], bool]


_UNBUILT: tuple[Unbuilt, ...] = ()
"""Nothing of v1 is missing now."""


def refuse_unbuilt(loaded: Loaded) -> None:
    """NotBuiltError with every place where the author asks for what this version does not have."""
    root = loaded.root
    troubles = list(_fields(root))
    if troubles:
        raise NotBuiltError(loaded.source.problems(troubles))


def _fields(root: Node) -> Iterator[Trouble]:
    for unbuilt in _UNBUILT:
        node = find(root, unbuilt.path)
        if node is not None and unbuilt.asks(plain(node)):
            yield _refusal(root, unbuilt.path, unbuilt.feature, unbuilt.instead)


def _refusal(root: Node, path: tuple[Step, ...], feature: str, instead: str) -> Trouble:
    return Trouble(key_place(root, path), format_path(path), f"this version does not have {feature} yet", instead)
