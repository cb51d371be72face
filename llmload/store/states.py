"""Where a run stands, without the requests behind it: of those that go on, that broke off, and those beside them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection
from dataclasses import dataclass, replace

from llmload.domain import IMPORTED, Phase, RunHeader, TargetFacts
from llmload.progress import Progress
from llmload.store import runs
from llmload.store.database import Store
from llmload.store.process import Process, is_gone
from llmload.store.watched import gpus_now_of
from llmload.verdict import Caveat

RUNNING, ABORTED = "running", "aborted"

ENDED_WELL = ("finished", IMPORTED)
"""What a run with a result has as its status."""

_JUST_NOW_S = 2.0
"""A process that has just given a sign of life need not be looked up."""


@dataclass(frozen=True, slots=True)
class RunState:
    """Where a run stands at the instant `at_s`, which like `seen_s` (last sign of life of its process) is Unix time.

    `status` is one of `database.STATUSES`; a run whose process died is aborted, though nothing wrote that down yet.
    """

    header: RunHeader
    facts: TargetFacts | None
    status: str
    finished: str | None
    verdict: str | None
    because: str | None
    requests: int  # stored, of any phase
    attempts: int  # in the figures of the steps so far
    measured: int  # steps that have figures
    at_s: float
    seen_s: float | None = None  # of a running run alone, like progress
    progress: Progress | None = None

    @property
    def run_id(self) -> str:
        """The name of the run."""
        return self.header.run_id

    @property
    def is_running(self) -> bool:
        """Whether its process still works on it."""
        return self.status == RUNNING

    @property
    def has_result(self) -> bool:
        """Whether it came to its end."""
        return self.status in ENDED_WELL


@dataclass(frozen=True, slots=True)
class GateWord:
    """A verdict in the words that were stored with it."""

    step: str
    gate: str
    status: str
    because: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Runs of the same scenario next to one, by when they were created. `comparable` is the last one before it with a
    result.
    """

    earlier: str | None
    later: str | None
    comparable: str | None


_STATE = (
    "SELECT runs.*, progress.place, pid, process_started, seen_s, progress.step, phase, done, progress.planned,"
    " in_flight, output_events_per_s, progress.ttft_p50_ms AS now_p50_ms, ttft_p95_ms AS now_p95_ms,"
    " progress.goodput AS now_goodput, elapsed_s, progress.gpus AS now_gpus,"
    " (SELECT total(last_id - first_id + 1) FROM windows WHERE windows.run = runs.run) AS requests,"
    " (SELECT count(*) FROM steps WHERE steps.run = runs.run AND attempts IS NOT NULL) AS measured,"
    " (SELECT total(attempts) FROM steps WHERE steps.run = runs.run) AS step_attempts"
    " FROM runs LEFT JOIN progress USING (run) WHERE run_id = ?"
)


def state_of(store: Store, run_id: str) -> RunState | None:
    """Where a run stands; `run_id` in full. None where it is not in the store.

    StoreError for a row that no llmload has written so.
    """
    with store.reading() as connection:
        row = connection.execute(_STATE, (run_id,)).fetchone()
    if row is None:
        return None
    try:
        return _state(row)
    except (ValueError, TypeError) as error:
        raise runs.unreadable(row, error) from error


def _state(row: sqlite3.Row) -> RunState:
    state = RunState(
        header=runs.header_of(row),
        facts=runs.facts_of(row),
        status=row["status"],
        finished=row["finished"],
        verdict=row["verdict"],
        because=row["because"],
        requests=int(row["requests"]),
        attempts=int(row["step_attempts"]),
        measured=row["measured"],
        at_s=time.time(),
    )
    if not state.is_running:
        return state
    if row["pid"] is None or _is_gone(row, state.at_s):
        return replace(state, status=ABORTED, seen_s=row["seen_s"])
    return replace(state, seen_s=row["seen_s"], progress=_progress(row))


def _is_gone(row: sqlite3.Row, now_s: float) -> bool:
    if 0 <= now_s - row["seen_s"] < _JUST_NOW_S:
        return False
    return is_gone(Process(row["place"], row["pid"], row["process_started"]), row["seen_s"])


def _progress(row: sqlite3.Row) -> Progress | None:
    """None before the first window has begun."""
    if any(row[name] is None for name in ("step", "phase", "done", "planned", "in_flight", "elapsed_s")):
        return None
    return Progress(
        step=row["step"],
        phase=Phase(row["phase"]),
        done=row["done"],
        planned=row["planned"],
        in_flight=row["in_flight"],
        output_events_per_s=row["output_events_per_s"] or 0.0,
        ttft_p50_ms=row["now_p50_ms"],
        ttft_p95_ms=row["now_p95_ms"],
        goodput=row["now_goodput"],
        elapsed_s=row["elapsed_s"],
        gpus=gpus_now_of(row["now_gpus"]),
    )


def gate_words(store: Store, run_id: str) -> tuple[GateWord, ...]:
    """The verdicts of a run as they were stored when it ended, in their order."""
    with store.reading() as connection:
        rows = connection.execute(
            "SELECT step, gate, verdicts.status, verdicts.because, remedy FROM verdicts JOIN runs USING (run)"
            " WHERE run_id = ? ORDER BY place",
            (run_id,),
        )
        return tuple(GateWord(*row) for row in rows)


def caveats_by_place(store: Store, run_id: str) -> tuple[tuple[str | None, Caveat], ...]:
    """The caveats of a run as they were stored, with the label of the step; None = of the run as a whole."""
    with store.reading() as connection:
        rows = connection.execute(
            "SELECT step, rule, figure, caveats.remedy, is_fatal, kind FROM caveats JOIN runs USING (run)"
            " WHERE run_id = ? ORDER BY place",
            (run_id,),
        )
        return tuple((row[0], Caveat(row[1], row[2], row[3], bool(row[4]), row[5])) for row in rows)


def neighbours(store: Store, state: RunState) -> Neighbours:
    """The runs of its scenario before and after a run."""
    here = (state.header.scenario, state.header.created, state.run_id)
    before = "SELECT run_id FROM runs WHERE scenario = ? AND (created, run_id) < (?, ?)"
    after = "SELECT run_id FROM runs WHERE scenario = ? AND (created, run_id) > (?, ?)"
    newest, oldest = " ORDER BY created DESC, run_id DESC LIMIT 1", " ORDER BY created, run_id LIMIT 1"
    with store.reading() as connection:
        return Neighbours(
            _one(connection, before + newest, here),
            _one(connection, after + oldest, here),
            _one(connection, f"{before} AND status IN ('finished', 'imported'){newest}", here),
        )


def known_of(store: Store, run_ids: Collection[str]) -> frozenset[str]:
    """Those of these ids, in full, that the store has a run of."""
    with store.reading() as connection:
        query = "SELECT 1 FROM runs WHERE run_id = ?"
        return frozenset(run_id for run_id in run_ids if connection.execute(query, (run_id,)).fetchone() is not None)


def meant_by(store: Store, run_id: str) -> str | None:
    """The one run that an id which is not in the store may stand for: it begins so, or is what the id begins with."""
    if not run_id:
        return None
    with store.reading() as connection:
        found = connection.execute(
            "SELECT run_id FROM runs WHERE run_id > ?1 AND run_id < ?1 || char(0x10FFFF) ORDER BY run_id LIMIT 2",
            (run_id,),
        ).fetchall()
        shorter = _one(connection, "SELECT run_id FROM runs WHERE run_id < ? ORDER BY run_id DESC LIMIT 1", (run_id,))
    if len(found) == 1:
        return str(found[0][0])
    return shorter if not found and shorter and run_id.startswith(shorter) else None


def _one(connection: sqlite3.Connection, query: str, values: tuple[str, ...]) -> str | None:
    row = connection.execute(query, values).fetchone()
    return None if row is None else str(row[0])
