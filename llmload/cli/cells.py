"""Which runs a command line asks for: files, and of those with a matrix their cells; `--only` and `--shard`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from llmload.cli.outcome_record import Keep
from llmload.errors import LlmloadError, UsageError
from llmload.outcome import Entry
from llmload.plain_text import plain
from llmload.scenario.asked import Scenario
from llmload.scenario.loader import load, load_document, read_cells
from llmload.scenario.source import Loaded
from llmload.shards import shard_named

_MOST_TOLD = 8
"""Ids that a message lists."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One run: the file as it was named, its cell ("" where there is no matrix), and what loads its scenario.

    A file that cannot be read (`is_broken`) is a unit too, whose loader tells why.
    """

    source: str
    cell: str
    load: Callable[[], Scenario]
    is_broken: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of the units are wanted: ids of cells, which may hold * and ?, and a share such as `2/4`."""

    only: Sequence[str] = ()
    shard: str | None = None


def units_of(files: Sequence[Path], choice: Choice, *, sets: Sequence[str], env: Mapping[str, str]) -> tuple[Unit, ...]:
    """Every run in the order of the files, as the choice has it; UsageError where nothing is left of them."""
    shard = None if choice.shard is None else shard_named("--shard", choice.shard)
    units = [unit for path in files for unit in _of_file(path, sets, env)]
    chosen = matching(units, choice.only)
    if shard is None:
        return tuple(chosen)
    dealt = shard.of(chosen)
    if not dealt:
        told = "there is 1 run" if len(chosen) == 1 else f"there are {len(chosen)} runs"
        raise UsageError(f"--shard {shard}", f"has no run: {told} to share", f"Use at most {len(chosen)} shards")
    return tuple(dealt)


def matching(units: Sequence[Unit], only: Sequence[str]) -> Sequence[Unit]:
    """The cells that `--only` names, and files that cannot be read; UsageError for a name of no cell."""
    if not only:
        return units
    if not any(unit.is_broken for unit in units):
        _check(only, [unit.cell for unit in units if unit.cell])
    return [unit for unit in units if unit.is_broken or _is_named(unit.cell, only)]


def selected(cells: Sequence[Loaded], only: Sequence[str]) -> Sequence[Loaded]:
    """Of the documents of one file those that `--only` names, all where it names none; UsageError as above."""
    if not only:
        return cells
    _check(only, [_id(loaded) for loaded in cells if loaded.cell is not None])
    return [loaded for loaded in cells if _is_named(_id(loaded), only)]


def _check(only: Sequence[str], known: Sequence[str]) -> None:
    for pattern in only:
        if not any(fnmatchcase(cell, pattern) for cell in known):
            listed = ", ".join(known[:_MOST_TOLD]) + (", ..." if len(known) > _MOST_TOLD else "")
            remedy = f"The cells are {listed}; * stands for any characters" if known else "Leave it out"
            problem = "names no cell" if known else "names a cell, and no file that is given has a matrix"
            raise UsageError(f"--only {pattern}", problem, remedy)


def _is_named(cell: str, only: Sequence[str]) -> bool:
    return bool(cell) and any(fnmatchcase(cell, pattern) for pattern in only)


def named(units: Sequence[Unit], keep: Keep) -> Keep:
    """A keeper of the entries of these units, one after another, which says of each what it is about."""
    left = iter(units)

    def keep_next(entry: Entry) -> None:
        unit = next(left)
        told = f"Cell {unit.cell}: {entry.message}" if unit.cell and entry.message else entry.message
        keep(replace(entry, source=unit.source, message=told))

    return keep_next


def announced(units: Sequence[Unit]) -> list[Callable[[], Scenario]]:
    """The loaders; each of a cell first says on stderr which one it is, where there are several."""
    return [
        partial(_announce, f"llmload: cell {place} of {len(units)}, {unit.source} [{unit.cell}]", unit.load)
        if unit.cell and len(units) > 1
        else unit.load
        for place, unit in enumerate(units, start=1)
    ]


def _announce(text: str, load: Callable[[], Scenario]) -> Scenario:
    print(plain(text), file=sys.stderr, flush=True)
    return load()


def _of_file(path: Path, sets: Sequence[str], env: Mapping[str, str]) -> list[Unit]:
    try:
        cells = read_cells(path, sets=sets, env=env)
    except LlmloadError:
        return [Unit(str(path), "", partial(load, path, sets=sets, env=env), is_broken=True)]
    return [Unit(str(path), _id(loaded), partial(load_document, loaded, path.parent)) for loaded in cells]


def _id(loaded: Loaded) -> str:
    return "" if loaded.cell is None else loaded.cell.id
