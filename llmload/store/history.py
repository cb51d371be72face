"""The history of runs, a page at a time: filtered, newest first, every query by an index (migration 007).

Filters meet in the indexes alone, each of which holds `created` and `run_id` too; the rows themselves, whose documents
are wide, are read for the runs of one page only.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from llmload.domain import IMPORTED
from llmload.store.database import Store
from llmload.store.process import Process, is_gone
from llmload.store.runs import texts_of
from llmload.verdict import Status

PAGE = 50
"""Runs of one page."""

TREND = 30
"""Finished runs of a scenario that its trend is made of."""

_MOST_CHOICES = 200  # of one filter: those with the most runs
_MOST_RUNNING = 500  # that are looked up; any more are taken at their word
_MOST_TRENDS = 12
_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Filter:
    """Which runs are wanted; None and no labels = any. A run has to have every label that is named."""

    scenario: str | None = None
    model: str | None = None
    framework: str | None = None
    verdict: Status | None = None
    status: str | None = None
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run stands in the history: by its time, then by its id. It holds when the run itself is deleted."""

    created: str
    run_id: str


@dataclass(frozen=True, slots=True)
class Before:
    """The page of the runs that are older than a place."""

    place: Place


@dataclass(frozen=True, slots=True)
class After:
    """The page of the runs that are newer than a place, those nearest to it."""

    place: Place


Cursor = Before | After


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One run by its stored figures: those of its headline step. Shares 0..1, latencies in ms; None = not known (yet).

    `status` is one of `database.STATUSES`; a running run whose process is gone is told as aborted.
    """

    run_id: str
    scenario: str
    created: str
    finished: str | None
    status: str
    verdict: Status | None
    because: str
    labels: Mapping[str, str]
    framework: str | None
    framework_version: str | None
    model: str | None
    gpu: str | None
    gpu_count: str | None
    step: str | None
    goodput: float | None
    goodput_low: float | None
    goodput_high: float | None
    error_rate: float | None
    ttft_p50_ms: float | None
    ttft_p99_ms: float | None
    tpot_p99_ms: float | None
    output_tps: float | None

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(self.created, self.run_id)

    @property
    def is_complete(self) -> bool:
        """Whether it came to its end, so that its verdict is of all of it."""
        return self.status in ("finished", IMPORTED)


@dataclass(frozen=True, slots=True)
class Standing:
    """A run that goes on, and where it stood when its process last said so; None where it has not yet."""

    run_id: str
    scenario: str
    created: str
    step: str | None
    phase: str | None
    done: int | None
    planned: int | None
    in_flight: int | None
    goodput: float | None
    ttft_p50_ms: float | None
    elapsed_s: float | None


@dataclass(frozen=True, slots=True)
class Point:
    """One run of a trend."""

    run_id: str
    goodput: float | None
    ttft_p99_ms: float | None


@dataclass(frozen=True, slots=True)
class Choice:
    """A value that runs have, and how many of them."""

    value: str
    runs: int


@dataclass(frozen=True, slots=True)
class Choices:
    """What may be filtered by. Labels are told as `name=value`."""

    scenario: tuple[Choice, ...]
    model: tuple[Choice, ...]
    framework: tuple[Choice, ...]
    verdict: tuple[Choice, ...]
    status: tuple[Choice, ...]
    label: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class History:
    """One page. `count` is how many runs the filter lets through, `total` how many there are.

    `trends` are of the scenarios of the page, oldest run first. `running` is of the whole store.
    """

    runs: tuple[HistoryRow, ...]
    count: int
    total: int
    newer: After | None
    older: Before | None
    running: tuple[Standing, ...]
    trends: Mapping[str, tuple[Point, ...]]
    choices: Choices


def history(store: Store, wanted: Filter, cursor: Cursor | None = None) -> History:
    """The page of the runs that a filter lets through; the newest one without a cursor. All from one snapshot."""
    with store.reading() as connection:
        running, gone = _running(connection)
        query = _query(wanted, gone)
        rows = _rows(connection, _page(connection, query, cursor), gone)
        return History(
            runs=rows,
            count=_number(connection, f"SELECT count(*) {query.text}", query.values),
            total=_number(connection, "SELECT count(*) FROM runs"),
            newer=_newer(connection, query, rows),
            older=_older(connection, query, rows),
            running=running,
            trends=_trends(connection, [row.scenario for row in rows]),
            choices=_choices(connection, len(gone)),
        )


# ---------------------------------------------------------------- runs that go on


def _running(connection: sqlite3.Connection) -> tuple[tuple[Standing, ...], frozenset[int]]:
    """The runs that go on, newest first, and the keys of those that say so although their process is gone."""
    rows = connection.execute(
        "SELECT running.run, place, pid, process_started, seen_s, run_id, scenario, created, step, phase, done,"
        " planned, in_flight, progress.goodput, progress.ttft_p50_ms, elapsed_s"
        " FROM (SELECT run FROM runs WHERE status = 'running' ORDER BY run DESC LIMIT ?)"
        " AS running JOIN runs USING (run) LEFT JOIN progress USING (run) ORDER BY created DESC, run_id DESC",
        (_MOST_RUNNING,),
    ).fetchall()
    going_on: list[Standing] = []
    gone: set[int] = set()
    for run, place, pid, started, seen_s, *told in rows:
        if pid is None or is_gone(Process(place, pid, started), seen_s):
            gone.add(run)
        else:
            going_on.append(Standing(*told))
    return tuple(going_on), frozenset(gone)


# ---------------------------------------------------------------- which runs


@dataclass(frozen=True, slots=True)
class _Query:
    """`FROM runs ... WHERE ...` of nothing but indexes, and its values."""

    text: str
    values: tuple[str, ...]


_COLUMNS = ("scenario", "model", "framework", "verdict")
"""Those that have an index, the one with the most values first: it leads, and the others are looked up in theirs.

The sign in `+run` keeps SQLite from leading by keys, for which it would have to read whole rows.
"""


def _query(wanted: Filter, gone: Collection[int]) -> _Query:
    verdict = None if wanted.verdict is None else wanted.verdict.value
    asked = zip(_COLUMNS, (wanted.scenario, wanted.model, wanted.framework, verdict), strict=True)
    conditions, values = ["true"], list[str]()
    for place, (name, value) in enumerate((name, value) for name, value in asked if value is not None):
        keys = f"SELECT run FROM runs WHERE {name} = ?"  # noqa: S608 - one of four columns
        conditions.append(f"{name} = ?" if place == 0 else f"+run IN ({keys})")
        values.append(value)
    for label in wanted.labels:
        conditions.append("+run IN (SELECT run FROM run_labels WHERE name = ? AND value = ?)")
        values.extend(label)
    if wanted.status is not None:
        keys, of_status = _of_status(wanted.status, gone)
        conditions.append(f"+run IN ({keys})")
        values.extend(of_status)
    return _Query(f"FROM runs WHERE {' AND '.join(conditions)}", tuple(values))


def _of_status(status: str, gone: Collection[int]) -> tuple[str, tuple[str, ...]]:
    stored, those = "SELECT run FROM runs WHERE status = ?", "SELECT value FROM json_each(?)"
    match status:
        case "running":
            return f"{stored} EXCEPT {those}", (status, json.dumps(sorted(gone)))
        case "aborted":
            return f"{stored} UNION {those}", (status, json.dumps(sorted(gone)))
        case _:
            return stored, (status,)


def _page(connection: sqlite3.Connection, query: _Query, cursor: Cursor | None) -> list[int]:
    """Keys of the runs of one page, in no order of theirs."""
    match cursor:
        case None:
            place, bound, order = list[str](), "", "DESC"
        case Before(at):
            place, bound, order = [at.created, at.run_id], "AND (created, run_id) < (?, ?)", "DESC"
        case After(at):
            place, bound, order = [at.created, at.run_id], "AND (created, run_id) > (?, ?)", "ASC"
        case _:
            assert_never(cursor)
    found = connection.execute(
        f"SELECT run {query.text} {bound} ORDER BY created {order}, run_id {order} LIMIT ?",
        (*query.values, *place, PAGE),
    )
    return [run for (run,) in found]


def _newer(connection: sqlite3.Connection, query: _Query, rows: Sequence[HistoryRow]) -> After | None:
    return After(rows[0].place) if rows and _is_any(connection, query, ">", rows[0].place) else None


def _older(connection: sqlite3.Connection, query: _Query, rows: Sequence[HistoryRow]) -> Before | None:
    return Before(rows[-1].place) if rows and _is_any(connection, query, "<", rows[-1].place) else None


def _is_any(connection: sqlite3.Connection, query: _Query, side: str, place: Place) -> bool:
    exists = f"SELECT EXISTS (SELECT 1 {query.text} AND (created, run_id) {side} (?, ?))"
    return bool(_number(connection, exists, (*query.values, place.created, place.run_id)))


def _number(connection: sqlite3.Connection, query: str, values: Sequence[str] = ()) -> int:
    return int(connection.execute(query, values).fetchone()[0])


# ---------------------------------------------------------------- what is told of them


def _rows(connection: sqlite3.Connection, keys: Sequence[int], gone: Collection[int]) -> tuple[HistoryRow, ...]:
    """Newest first."""
    found = connection.execute(
        "SELECT run, status, verdict, labels, run_id, scenario, created, finished,"
        " substr(coalesce(because, ''), 1, ?), framework, framework_version, model, gpu, gpu_count,"
        " headline_step, goodput, goodput_low, goodput_high, error_rate, ttft_p50_ms, ttft_p99_ms, tpot_p99_ms,"
        " output_tps FROM runs WHERE run IN (SELECT value FROM json_each(?)) ORDER BY created DESC, run_id DESC",
        (_LONGEST_REASON, json.dumps(keys)),
    )
    return tuple(_row(row, gone) for row in found.fetchall())


def _row(row: sqlite3.Row, gone: Collection[int]) -> HistoryRow:
    run, status, verdict, labels, run_id, scenario, created, finished, because, *figures = row
    return HistoryRow(
        run_id,
        scenario,
        created,
        finished,
        "aborted" if run in gone else status,
        Status(verdict) if verdict in list(Status) else None,
        because,
        _labels(labels),
        *figures,
    )


def _labels(stored: str) -> dict[str, str]:
    """None where they cannot be read: one such run, which no llmload wrote, must not take the list from all others."""
    try:
        return {_whole(name): _whole(value) for name, value in texts_of(stored).items()}
    except ValueError:
        return {}


def _trends(connection: sqlite3.Connection, scenarios: Sequence[str]) -> dict[str, tuple[Point, ...]]:
    """Of the first scenarios of a page."""
    return {scenario: _trend(connection, scenario) for scenario in list(dict.fromkeys(scenarios))[:_MOST_TRENDS]}


def _trend(connection: sqlite3.Connection, scenario: str) -> tuple[Point, ...]:
    found = connection.execute(
        "SELECT run_id, goodput, ttft_p99_ms FROM runs"
        " WHERE scenario = ? AND status = 'finished' ORDER BY created DESC, run_id DESC LIMIT ?",
        (scenario, TREND),
    )
    return tuple(Point(*row) for row in reversed(found.fetchall()))


def _choices(connection: sqlite3.Connection, gone: int) -> Choices:
    by = {name: _values(connection, name) for name in _COLUMNS}
    statuses = {each.value: each.runs for each in _values(connection, "status")}
    if gone:
        statuses["running"] = statuses.get("running", 0) - gone
        statuses["aborted"] = statuses.get("aborted", 0) + gone
    labels = connection.execute(
        "SELECT name || '=' || value, count(*) FROM run_labels GROUP BY name, value ORDER BY 2 DESC LIMIT ?",
        (_MOST_CHOICES,),
    )
    return Choices(
        scenario=by["scenario"],
        model=by["model"],
        framework=by["framework"],
        verdict=by["verdict"],
        status=tuple(Choice(*each) for each in sorted(statuses.items()) if each[1]),
        label=tuple(Choice(*each) for each in sorted(tuple(row) for row in labels.fetchall())),
    )


def _whole(label: str) -> str:
    """JSON may tell half a surrogate pair, which is no text: with a mark in its place."""
    return label.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _values(connection: sqlite3.Connection, column: str) -> tuple[Choice, ...]:
    found = connection.execute(
        f"SELECT {column}, count(*) FROM runs WHERE {column} IS NOT NULL GROUP BY {column}"  # noqa: S608
        " ORDER BY 2 DESC LIMIT ?",
        (_MOST_CHOICES,),
    )
    return tuple(Choice(*row) for row in sorted(tuple(row) for row in found.fetchall()))
