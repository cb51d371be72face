"""`--set spec.load.requests=400`: values from the command line, put over those of the document."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from llmload.scenario.nearest import nearest
from llmload.scenario.tree import Entries, Items, Node, Place, Scalar, Step, Trouble, format_path, read

FILE = "--set"
_SEGMENT = re.compile(r"([A-Za-z0-9_-]+)|\[(\d+)\]")
_TOPS = ("spec", "metadata", "extends")


class _Refused(Exception):  # noqa: N818 - control flow inside this file
    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble


def override(root: Node, sets: Sequence[str]) -> tuple[Node, list[Trouble]]:
    """The tree with every `path=value` put over it, in order; the n-th is line n of the file `--set`."""
    troubles: list[Trouble] = []
    for line, text in enumerate(sets, start=1):
        try:
            path, node = _parse(text, line, troubles)
            root = _put(root, path, node, ())
        except _Refused as refused:
            troubles.append(refused.trouble)
    return root, troubles


Path = tuple[tuple[Step, Place], ...]
"""The steps to a value, each with the place where it is named."""


def path_at(where: str, place: Place) -> Path | Trouble:
    """The steps of a path as people write it, such as `load.concurrency` or `gates[0].max`, which stands at `place`."""
    try:
        return _path(where, place)
    except _Refused as refused:
        return refused.trouble


def put_at(root: Node, path: Path, new: Node) -> Node | Trouble:
    """The tree with another value at `path`; maps on the way are made where there are none."""
    try:
        return _put(root, path, new, ())
    except _Refused as refused:
        return refused.trouble


def _parse(text: str, line: int, troubles: list[Trouble]) -> tuple[Path, Node]:
    where, equals, raw = text.partition("=")
    if not equals:
        raise _Refused(Trouble(Place(FILE, line, 1), text, "no value", "Write it like --set spec.load.requests=400"))
    path = _path(where, Place(FILE, line, 1))
    if path[0][0] not in _TOPS:
        hint = f"Write the whole path, like spec.{where.strip()}; it begins with spec or metadata"
        raise _Refused(Trouble(path[0][1], where, f"a path cannot begin with {path[0][0]!r}", hint))
    column = len(where) + 2
    node, found = read(raw, FILE, line, column)
    troubles.extend(replace(trouble, path=where) for trouble in found)
    if found:
        raise _Refused(found.pop())
    if node is None:
        return path, Scalar(None, Place(FILE, line, column))
    if isinstance(node, Scalar) and not isinstance(node.value, str | None):
        return path, replace(node, otherwise=(raw.strip(),))
    return path, node


def _path(where: str, place: Place) -> Path:
    steps: list[tuple[Step, Place]] = []
    at = 0
    while at < len(where):
        if steps and where[at] == ".":
            at += 1
        found = _SEGMENT.match(where, at)
        if not found:
            break
        steps.append((int(found[2]) if found[2] else found[1], place.shifted(at)))
        at = found.end()
    if at < len(where) or not steps:
        hint = "Write names and places in lists, like spec.gates[0].max"
        raise _Refused(Trouble(place.shifted(at), where, "this path cannot be read", hint))
    return tuple(steps)


def _put(root: Node | None, path: Path, new: Node, done: tuple[Step, ...]) -> Node:
    if not path:
        return new
    (step, place), rest = path[0], path[1:]
    match root:
        case Items(nodes) if isinstance(step, int):
            if step > len(nodes):
                hint = f"Write a place from 0 to {len(nodes)}; {len(nodes)} adds one at the end"
                raise _Refused(Trouble(place, format_path((*done, step)), "outside the list", hint))
            old = nodes[step] if step < len(nodes) else None
            changed = _put(old, rest, new, (*done, step))
            return Items((*nodes[:step], changed, *nodes[step + 1 :]), root.place)
        case Entries(pairs) if isinstance(step, str):
            changed = _put(root.get(step), rest, new, (*done, step))
            if root.key(step) is None:
                return Entries((*pairs, (Scalar(step, place), changed)), root.place)
            return Entries(tuple((k, changed if k.value == step else node) for k, node in pairs), root.place)
        case None | Scalar(None) if isinstance(step, str):
            return Entries(((Scalar(step, place), _put(None, rest, new, (*done, step))),), place)
        case _:
            kind = "a map" if isinstance(root, Entries) else "a list" if isinstance(root, Items) else "a single value"
            message = f"{format_path(done)} is {kind}, and {step!r} cannot stand in it"
            hint = nearest(str(step), (str(key.value) for key, _ in root.pairs)) if isinstance(root, Entries) else ""
            hint = hint or f"Set {format_path(done)} as a whole"
            raise _Refused(Trouble(place, format_path((*done, step)), message, hint))
