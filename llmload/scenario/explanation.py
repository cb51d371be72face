"""Where each value of a resolved document comes from: a file and line, a preset, `--set`, a data file, the default."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from pydantic import JsonValue

from llmload.scenario.asked import Scenario
from llmload.scenario.canonical import ORIGIN, Origin, canonical
from llmload.scenario.overrides import FILE as SETS
from llmload.scenario.preset_folders import PREFIX
from llmload.scenario.source import Loaded
from llmload.scenario.tree import Entries, Node, Scalar, Step, find, format_path, scalars


class Kind(StrEnum):
    """Who says a value."""

    SCENARIO = "scenario"
    PRESET = "preset"
    FILE = "file"
    SET = "set"
    DATA = "data"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value is written; `name` is what `extends` calls the document, the file itself, or `--set`.

    `line` counts from 1; of `--set` it says the how many-eth it is.
    """

    kind: Kind
    name: str
    file: str
    line: int
    is_variable: bool

    def __str__(self) -> str:
        if self.kind is Kind.SET:
            where = f"{SETS} (number {self.line})"
        elif self.kind is Kind.PRESET:
            where = f"{self.name} ({self.file}:{self.line})"
        else:
            where = f"{self.file}:{self.line}"
        return f"{where}, a variable" if self.is_variable else where


@dataclass(frozen=True, slots=True)
class Explained:
    """One value of the resolved document; a list is one value, which may come from several places.

    `kind` is that of the first place, and DATA or DEFAULT where there is none.
    """

    path: str
    value: JsonValue
    kind: Kind
    places: tuple[Place, ...] = ()

    @property
    def source(self) -> str:
        """Where it comes from, in words."""
        if self.places:
            return " and ".join(map(str, self.places))
        return "default" if self.kind is Kind.DEFAULT else "the data file that the scenario names"


def explain(loaded: Loaded, scenario: Scenario) -> tuple[Explained, ...]:
    """Every value of the scenario's resolved document, in its order; `loaded` is what it was made of."""
    resolved = json.loads(scenario.document.resolved)
    before = json.loads(canonical(loaded.document, (), Origin(loaded.name, "", ())))
    return tuple(_explained(loaded, before, path, value) for path, value in _values(resolved, ()) if path[0] != ORIGIN)


def _values(value: JsonValue, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], JsonValue]]:
    if isinstance(value, dict) and (value or not path):
        for key, inner in value.items():
            yield from _values(inner, (*path, key))
    else:
        yield path, value


def _explained(loaded: Loaded, before: JsonValue, path: tuple[str, ...], value: JsonValue) -> Explained:
    shown = format_path(path)
    node = _written(loaded.root, path)
    places = () if node is None else tuple(dict.fromkeys(_places(loaded, node)))
    if places:
        return Explained(shown, value, places[0].kind, places)
    kind = Kind.DEFAULT if _at(before, path) == value else Kind.DATA
    return Explained(shown, value, kind)


def _at(document: JsonValue, path: tuple[str, ...]) -> JsonValue:
    for step in path:
        if not isinstance(document, dict) or step not in document:
            return None
        document = document[step]
    return document


def _written(root: Node, path: tuple[Step, ...]) -> Node | None:
    """What is written of this value: its own node, or the single value above it that means it."""
    for length in range(len(path), 0, -1):
        node = find(root, path[:length])
        if node is not None:
            is_exact = length == len(path)
            is_said = not (isinstance(node, Scalar) and node.value is None)
            return node if is_said and (is_exact or not isinstance(node, Entries)) else None
    return None


def _places(loaded: Loaded, node: Node) -> Iterator[Place]:
    """The first place in each file that has a share in the value."""
    told: set[str] = set()
    written: list[Node] = [each for _, each in scalars(node)]
    for each in written or [node]:
        if each.place.file not in told:
            told.add(each.place.file)
            is_variable = isinstance(each, Scalar) and each.is_from_env
            yield _place(loaded, each.place.file, each.place.line, is_variable=is_variable)


def _place(loaded: Loaded, file: str, line: int, *, is_variable: bool) -> Place:
    if file == SETS:
        return Place(Kind.SET, SETS, file, line, is_variable)
    base = next((base for base in loaded.bases if base.file == file), None)
    if base is None:
        return Place(Kind.SCENARIO, file, file, line, is_variable)
    kind = Kind.PRESET if base.name.startswith(PREFIX) else Kind.FILE
    return Place(kind, base.name, file, line, is_variable)
