"""Takes runs out of the store for good, with all that belongs to them; never one that a process works on."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from llmload.errors import UsageError
from llmload.plain_text import plain
from llmload.store.baseline_file import FOLDER, files_in, read_file
from llmload.store.database import Store, open_existing
from llmload.store.opening import connect, explained, writing


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run that may be removed, and what goes with it."""

    run_id: str
    scenario: str
    created: str  # UTC, ISO 8601
    status: str
    verdict: str | None
    requests: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs to remove: those that meet every condition which is not None."""

    keep: int | None = None  # the newest so many of each scenario stay
    before: str | None = None  # begun before this instant, UTC, ISO 8601
    statuses: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """Runs to remove, oldest first, and the ids of those that meet the conditions too but stay."""

    remove: tuple[Candidate, ...]
    in_baselines: tuple[str, ...]
    going_on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Removed:
    """What was removed. `free_bytes` lie unused in the file: new runs use them, or `vacuum` gives them back."""

    run_ids: tuple[str, ...]
    free_bytes: int
    file_bytes: int


_CANDIDATES = (
    "SELECT run_id, scenario, created, status, verdict, (SELECT coalesce(sum((SELECT count(*) FROM requests"
    " WHERE id BETWEEN first_id AND last_id)), 0) FROM windows WHERE windows.run = runs.run) FROM runs"
)


def named(path: Path, prefixes: Sequence[str]) -> tuple[Candidate, ...]:
    """The runs of these ids, or beginnings of ids, each once; UsageError for one that is not there or goes on."""
    with open_existing(path) as store:
        run_ids = [_find(store, prefix) for prefix in prefixes]
    with _connected(path) as connection:
        found = [_candidate(connection, run_id) for run_id in dict.fromkeys(run_ids)]
    for each in found:
        if each.status == "running":
            raise UsageError(f"run {each.run_id}", "a process still works on it", "Stop it, or wait for its end")
    return tuple(found)


def _find(store: Store, prefix: str) -> str:
    if prefix in ("", "latest"):  # which may be another run by the time that it is removed
        raise UsageError(f"run {prefix!r}", "names no run for good", "Write the id; `llmload runs` lists them")
    return store.find(prefix)


def _candidate(connection: sqlite3.Connection, run_id: str) -> Candidate:
    return Candidate(*connection.execute(f"{_CANDIDATES} WHERE run_id = ?", (run_id,)).fetchone())


def chosen(path: Path, wanted: Wanted, in_baselines: Collection[str]) -> Choice:
    """The runs that meet the conditions. Those of a baseline file stay, and those that a process works on."""
    with open_existing(path):  # no run of a dead process is taken for one that goes on
        pass
    query = (
        "WITH ranked AS (SELECT run_id, created, status, row_number() OVER"
        " (PARTITION BY scenario ORDER BY created DESC, run_id DESC) AS place FROM runs)"
        " SELECT run_id, status FROM ranked WHERE place > ?1 AND (?2 IS NULL OR created < ?2) ORDER BY created, run_id"
    )
    with _connected(path) as connection:
        rows = connection.execute(query, (wanted.keep or 0, wanted.before)).fetchall()
        rows = [row for row in rows if wanted.statuses is None or row["status"] in wanted.statuses]
        going_on = tuple(row["run_id"] for row in rows if row["status"] == "running")
        ended = [row["run_id"] for row in rows if row["status"] != "running"]
        remove = tuple(_candidate(connection, run_id) for run_id in ended if run_id not in in_baselines)
    return Choice(remove, tuple(run_id for run_id in ended if run_id in in_baselines), going_on)


def runs_in_baselines(reports: Path) -> frozenset[str]:
    """Ids of runs that the baseline files under a folder of reports name; DataFileError where one cannot be read."""
    root = reports / FOLDER
    folders = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    files = [read_file(path) for folder in folders for path in files_in(folder)]
    return frozenset(run.past.run_id for file in files for run in file.runs)


def remove(path: Path, run_ids: Sequence[str]) -> Removed:
    """Remove runs, each in a transaction of its own, so that other processes go on; those resumed by now stay."""
    gone: list[str] = []
    with _connected(path) as connection:
        for run_id in run_ids:
            with writing(connection):
                done = connection.execute("DELETE FROM runs WHERE run_id = ? AND status <> 'running'", (run_id,))
            if done.rowcount:
                gone.append(run_id)
        free, size = _sizes(connection)
    return Removed(tuple(gone), free, size)


def vacuum(path: Path) -> Removed:
    """Write the file anew without what is unused in it. UsageError while a run goes on, which would have to wait."""
    with open_existing(path) as store:
        going_on = [run.run_id for run in store.list_runs() if run.status == "running"]
    if going_on:
        problem = f"run {going_on[0]} goes on, and could not write meanwhile"
        raise UsageError(plain(str(path)), problem, "Wait for its end, then `llmload store prune --vacuum`")
    with _connected(path) as connection:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        free, size = _sizes(connection)
    return Removed((), free, size)


def _sizes(connection: sqlite3.Connection) -> tuple[int, int]:
    """Bytes that lie unused, and bytes of the whole file."""
    page, free, pages = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "freelist_count", "page_count")
    )
    return page * free, page * pages


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(path)) as connection, explained(path):
        yield connection
