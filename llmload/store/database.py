"""The store: every run, window and request in one SQLite file that several processes may use at once."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from llmload.baseline import Estimates
from llmload.domain import IMPORTED, Observation, RunHeader, RunResult, StepMetrics, StepResult, TargetFacts
from llmload.errors import StoreError, UsageError
from llmload.progress import Progress
from llmload.store import runs
from llmload.store.analyses import read_analyses
from llmload.store.comparison import (
    WHOLE,
    HistoryRun,
    estimates_of_run,
    finished_runs,
    past_run,
    reference_of_run,
    steps_of_runs,
)
from llmload.store.kept_results import kept_result
from llmload.store.opening import BUSY_S, TEXT, connect, connect_to_read, explained, writing
from llmload.store.process import Process, is_gone, this_process
from llmload.store.results import caveats_of_run, put_result, put_step, steps_of
from llmload.store.runs import RunSummary, StoredRun, new_run_id
from llmload.store.watched import gpus_now_text
from llmload.store.windows import WINDOW, WindowRows, observation_of, rows_of

__all__ = ["HistoryRun", "RunSummary", "Store", "StoredRun", "new_run_id", "open_existing", "open_store"]

STATUSES = ("running", "finished", "failed", "interrupted", "aborted", IMPORTED)

_OPEN_AGAIN = ("verdicts", "findings", "caveats", "results", "recommendations", "profiles", "analyses")
"""Tables of what a run came to, which nobody knows once it goes on."""

_PROGRESS_BUSY_MS = 100

_WINDOWS = "SELECT windows.*, axis, value FROM windows JOIN steps USING (run, step)"


@contextmanager
def open_store(path: Path) -> Iterator[Store]:
    """The store at `path`, made when it is not there; StoreError says what to do when it cannot be used."""
    connection = connect(path)
    try:
        yield Store(path, connection)
    finally:
        connection.close()


@contextmanager
def open_existing(path: Path) -> Iterator[Store]:
    """The same for reading what was stored: a file that is not there is a mistake, not a new store.

    Runs whose process died are recognised here too, so that no verb shows them as running; but for a file that cannot
    be written, such as a snapshot on read-only media, which is read as it is.
    """
    if not path.exists():
        raise UsageError(str(path), "there is no store here", "Run `llmload apply` first, or name one with --store")
    with closing(connect_to_read(path)) as connection:
        connection.text_factory = TEXT
        store = Store(path, connection)
        if not connection.execute("PRAGMA query_only").fetchone()[0]:
            store.recover()
        yield store


class Store:
    """One open store. Every method is one transaction, safe beside other processes, and may raise StoreError."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    # ------------------------------------------------------------ a run as it goes

    def begin(self, header: RunHeader) -> None:
        """Remember that this process has begun a run."""
        with self._writing() as connection:
            places = ", ".join("?" * 11)
            inserted = connection.execute(
                f"INSERT INTO runs ({runs.HEADER}, status) VALUES ({places})",  # noqa: S608 - our own column names
                (*runs.header_row(header), "running"),
            )
            assert inserted.lastrowid is not None  # noqa: S101 - an INSERT has one
            self._own(inserted.lastrowid)

    def resume(self, run_id: str) -> None:
        """Take over a run that ended early; StoreError when a living process still works on it."""
        with self._writing() as connection:
            run, status = self._run(run_id)
            if status in ("finished", IMPORTED):
                raise StoreError(run_id, f"this run is {status}", "Start a new run")
            owner = connection.execute("SELECT * FROM progress WHERE run = ?", (run,)).fetchone()
            if status == "running" and owner is not None and not _is_abandoned(owner):
                raise StoreError(run_id, f"process {owner['pid']} still works on this run", "Wait for it to end")
            connection.execute(
                "UPDATE runs SET status = 'running', finished = NULL, verdict = NULL, exit_code = NULL, because = NULL"
                " WHERE run = ?",
                (run,),
            )
            for table in _OPEN_AGAIN:
                connection.execute(f"DELETE FROM {table} WHERE run = ?", (run,))  # noqa: S608 - names of ours
            self._own(run)

    def describe(self, run_id: str, facts: TargetFacts) -> None:
        """Remember what the probe learnt of the server."""
        with self._writing() as connection:
            run, _ = self._run(run_id)
            columns = ", ".join(f"{name} = ?" for name in runs.FACTS.split(", "))
            connection.execute(
                f"UPDATE runs SET {columns} WHERE run = ?",  # noqa: S608 - our own column names
                (*runs.facts_row(facts), run),
            )
            connection.execute("UPDATE progress SET seen_s = ? WHERE run = ?", (time.time(), run))

    def remember(self, run_id: str, observation: Observation, metrics: StepMetrics | None = None) -> None:
        """Commit one window and the figures of its step so far. An interrupted window of the same look gives way;
        a whole one does not (StoreError): another process resumes the same run.
        """
        rows = rows_of(observation)
        with self._writing() as connection:
            run, _ = self._run(run_id)
            put_step(connection, run, observation.look.step, metrics)
            self._give_way(run, observation)
            _insert_window(connection, run, rows)
            connection.execute("UPDATE progress SET seen_s = ? WHERE run = ?", (time.time(), run))

    def progress(self, run_id: str, now: Progress) -> None:
        """Overwrite where the run stands. Gives up at once where another process is writing: the next one comes."""
        self._connection.execute(f"PRAGMA busy_timeout = {_PROGRESS_BUSY_MS}")
        try:
            self._put_progress(run_id, now)
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {round(BUSY_S * 1000)}")

    def _put_progress(self, run_id: str, now: Progress) -> None:
        with self._writing() as connection:
            run, _ = self._run(run_id)
            connection.execute(
                "UPDATE progress SET seen_s = ?, step = ?, phase = ?, done = ?, planned = ?, in_flight = ?,"
                " output_events_per_s = ?, ttft_p50_ms = ?, ttft_p95_ms = ?, goodput = ?, elapsed_s = ?, gpus = ?"
                " WHERE run = ?",
                (
                    time.time(),
                    now.step,
                    now.phase.value,
                    now.done,
                    now.planned,
                    now.in_flight,
                    now.output_events_per_s,
                    now.ttft_p50_ms,
                    now.ttft_p95_ms,
                    now.goodput,
                    now.elapsed_s,
                    gpus_now_text(now.gpus),
                    run,
                ),
            )

    def finish(self, run_id: str, result: RunResult, status: str) -> None:
        """Remember what the run came to, and that no process works on it any more; `status` is one of STATUSES."""
        with self._writing() as connection:
            run, _ = self._run(run_id)
            put_result(connection, run, result, status)
            connection.execute("DELETE FROM progress WHERE run = ?", (run,))

    def take_in(self, imported: RunResult) -> str | None:
        """Remember a run that another tool measured; the id under which the same file is here already, if it is."""
        header, facts = imported.header, imported.target
        assert facts is not None  # noqa: S101 - no import is without
        with self._writing() as connection:
            known = connection.execute(
                "SELECT run_id FROM runs WHERE status = ? AND document_hash = ?", (IMPORTED, header.document_hash)
            ).fetchone()
            if known is not None:
                return str(known["run_id"])
            columns = f"{runs.HEADER}, {runs.FACTS}, status"
            values = (*runs.header_row(header), *runs.facts_row(facts), IMPORTED)
            run = connection.execute(
                f"INSERT INTO runs ({columns}) VALUES ({', '.join('?' * len(values))})",  # noqa: S608 - our own names
                values,
            ).lastrowid
            assert run is not None  # noqa: S101 - an INSERT has one
            put_result(connection, run, imported, IMPORTED)
        return None

    def recover(self) -> tuple[str, ...]:
        """Mark as aborted the runs whose process died, and name them; other processes' runs are left alone."""
        query = "SELECT run, run_id, progress.* FROM runs LEFT JOIN progress USING (run) WHERE status = 'running'"
        with self.reading() as connection:
            if not [row for row in connection.execute(query) if _is_abandoned(row)]:
                return ()
        with self._writing() as connection:
            dead = [row for row in connection.execute(query).fetchall() if _is_abandoned(row)]
            for row in dead:
                connection.execute("UPDATE runs SET status = 'aborted' WHERE run = ?", (row["run"],))
                connection.execute("DELETE FROM progress WHERE run = ?", (row["run"],))
        return tuple(row["run_id"] for row in dead)

    # ------------------------------------------------------------ what is stored

    def find(self, prefix: str) -> str:
        """The run whose id begins with `prefix`, or the newest for "latest"; UsageError names the candidates."""
        with self.reading() as connection:
            if prefix == "latest":
                found = connection.execute("SELECT run_id FROM runs ORDER BY created DESC, run_id DESC LIMIT 1")
            else:
                found = connection.execute(
                    "SELECT run_id FROM runs WHERE substr(run_id, 1, length(?1)) = ?1"
                    " ORDER BY run_id = ?1 DESC, run_id",
                    (prefix,),
                )
            ids = [run_id for (run_id,) in found]
        if len(ids) == 1 or (ids and ids[0] == prefix):
            return str(ids[0])
        if not ids:
            raise UsageError(f"run {prefix!r}", f"no such run in {self.path}", "`llmload runs` lists them")
        some = ", ".join(ids[-5:])
        raise UsageError(f"run {prefix!r}", f"{len(ids)} runs begin so", f"Write more of the id; the newest: {some}")

    def load(self, run_id: str) -> StoredRun:
        """Everything needed to judge a run again; `run_id` in full. Windows come in the order of the ladder."""
        with self.reading() as connection:
            row = connection.execute("SELECT * FROM runs WHERE run_id = ?", (run_id,)).fetchone()
            if row is None:
                raise UsageError(f"run {run_id!r}", f"no such run in {self.path}", "`llmload runs` lists them")
            windows = connection.execute(f"{_WINDOWS} WHERE run = ? ORDER BY step, look", (row["run"],)).fetchall()
            return StoredRun(
                header=runs.header_of(row),
                facts=runs.facts_of(row),
                observations=tuple(observation_of(connection, window, self.path) for window in windows),
                status=row["status"],
                finished=row["finished"],
                caveats=caveats_of_run(connection, row["run"]),
                steps=steps_of(connection, row["run"]) if row["status"] == IMPORTED else (),
                reference=reference_of_run(connection, row["run"]),
            )

    def kept(self, run_id: str) -> RunResult | None:
        """The result of a run as it was judged when it ended; None where it goes on, or nothing readable was kept."""
        with self.reading() as connection:
            row = connection.execute("SELECT * FROM runs WHERE run_id = ?", (run_id,)).fetchone()
            kept = None if row is None else kept_result(connection, row["run"], runs.header_of(row))
            return None if kept is None else replace(kept, analyses=read_analyses(connection, run_id))

    def keep_analysis(self, run_id: str, created: str, document: str) -> None:
        """Remember what was written about a run, by its id in full; see store/analyses.py."""
        with self._writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO analyses (run, created, document) SELECT run, ?, ? FROM runs WHERE run_id = ?",
                (created, document, run_id),
            )

    def whole_windows(self, run_id: str) -> Iterator[tuple[Observation, ...]]:
        """The complete windows of a run as `load` has them, step by step, of which one at a time is in memory."""
        with self.reading() as connection:
            run, _ = self._run(run_id)
            steps = connection.execute("SELECT DISTINCT step FROM windows WHERE run = ? ORDER BY step", (run,))
            for (step,) in steps.fetchall():
                windows = connection.execute(f"{_WINDOWS} WHERE run = ? AND step = ? ORDER BY look", (run, step))
                seen = (observation_of(connection, window, self.path) for window in windows.fetchall())
                yield tuple(observation for observation in seen if observation.is_whole)

    def list_runs(self, *, scenario: str | None = None, limit: int | None = None) -> list[RunSummary]:
        """The history, newest first."""
        with self.reading() as connection:
            rows = connection.execute(
                f"SELECT {runs.SUMMARY} FROM runs WHERE ?1 IS NULL OR scenario = ?1"  # noqa: S608 - our own columns
                " ORDER BY created DESC, run_id DESC LIMIT ?2",
                (scenario, -1 if limit is None else limit),
            )
            return [RunSummary(*row) for row in rows]

    # ------------------------------------------------------------ what runs are compared by

    def estimates(self, run_id: str, repeat: int = WHOLE) -> Mapping[str, Estimates]:
        """What other runs are compared with, by step: of all climbs or one; nothing where the run did not end."""
        with self.reading() as connection:
            return estimates_of_run(connection, self._run(run_id)[0], repeat)

    def finished_runs(self, scenario: str, limit: int | None = None) -> tuple[HistoryRun, ...]:
        """The finished runs of the scenario, the newest `limit` or all, oldest first, without their estimates."""
        with self.reading() as connection:
            return finished_runs(connection, scenario, limit)

    def resolved(self, run_id: str) -> str:
        """The resolved document of a run, by its id in full."""
        with self.reading() as connection:
            found = connection.execute("SELECT resolved FROM runs WHERE run = ?", (self._run(run_id)[0],)).fetchone()
            return str(found[0])

    def past(self, run_id: str) -> HistoryRun:
        """One run of any status, without its estimates; `run_id` in full."""
        with self.reading() as connection:
            return past_run(connection, self._run(run_id)[0])

    def steps(self, run_id: str) -> tuple[StepResult, ...]:
        """The steps of a run by their stored figures alone; none where it is not in the store."""
        with self.reading() as connection:
            row = connection.execute("SELECT run FROM runs WHERE run_id = ?", (run_id,)).fetchone()
            return () if row is None else steps_of(connection, row["run"])

    def with_estimates(self, runs: Sequence[HistoryRun], figures: Collection[str] = ()) -> tuple[HistoryRun, ...]:
        """The same runs with their estimates; only these figures, such as `p95(ttft)`, where some are named."""
        with self.reading() as connection:
            steps = steps_of_runs(connection, [run.run_id for run in runs], figures)
        return tuple(replace(run, steps=steps.get(run.run_id, {})) for run in runs)

    def history(self, scenario: str, figures: Collection[str] = ()) -> tuple[HistoryRun, ...]:
        """Every finished run of the scenario, oldest first, with these figures of it (all, where none is named)."""
        return self.with_estimates(self.finished_runs(scenario), figures)

    # ------------------------------------------------------------ inside

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with explained(self.path), writing(self._connection):
            yield self._connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One snapshot for all that is read inside."""
        with explained(self.path):
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                self._connection.execute("ROLLBACK")

    def _run(self, run_id: str) -> tuple[int, str]:
        row = self._connection.execute("SELECT run, status FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        if row is None:
            raise StoreError(
                str(self.path), f"run {run_id} is no longer in the store", "Do not delete a run that goes on"
            )
        return row["run"], row["status"]

    def _own(self, run: int) -> None:
        process = this_process()
        self._connection.execute(
            "INSERT OR REPLACE INTO progress (run, place, pid, process_started, seen_s) VALUES (?, ?, ?, ?, ?)",
            (run, process.place, process.pid, process.started, time.time()),
        )

    def _give_way(self, run: int, observation: Observation) -> None:
        look = observation.look
        key = (run, look.step.index, look.number)
        row = self._connection.execute(
            "SELECT window, ending FROM windows WHERE run = ? AND step = ? AND look = ?", key
        ).fetchone()
        if row is None:
            return
        if row["ending"] != "interrupted":
            raise StoreError(
                str(self.path),
                f"window {look.number} of {look.step.label} is stored already",
                "Another process resumes the same run: let only one do it",
            )
        self._connection.execute("DELETE FROM windows WHERE window = ?", (row["window"],))


def _insert_window(connection: sqlite3.Connection, run: int, rows: WindowRows) -> None:
    (first_id,) = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM requests").fetchone()
    window = connection.execute(
        f"INSERT INTO windows (run, first_id, last_id, {', '.join(WINDOW)})"  # noqa: S608 - our own names
        f" VALUES (?, ?, ?{', ?' * len(WINDOW)})",
        (run, first_id, first_id + rows.last_seq, *rows.window),
    ).lastrowid
    connection.executemany(
        f"INSERT INTO request_kinds VALUES (?{', ?' * 15})",  # noqa: S608
        ((window, *row) for row in rows.kinds),
    )
    connection.executemany(
        f"INSERT INTO requests VALUES (? + ?{', ?' * 10})",  # noqa: S608
        ((first_id, *row) for row in rows.requests),
    )
    connection.executemany("INSERT INTO request_texts VALUES (?, ?, ?, ?)", ((window, *row) for row in rows.texts))
    connection.executemany("INSERT INTO request_sessions VALUES (?, ?, ?)", ((window, *row) for row in rows.sessions))
    connection.executemany(
        "INSERT INTO request_gaps (window, first_seq, details, gaps_us, contents) VALUES (?, ?, ?, ?, ?)",
        ((window, block.first_seq, block.details, block.gaps_us, block.contents) for block in rows.blocks),
    )
    for number, series in enumerate(rows.series):
        connection.execute("INSERT INTO sample_series VALUES (?, ?, ?, ?, ?)", (window, number, *series.described))
        connection.executemany(
            "INSERT INTO samples VALUES (?, ?, ?, ?, ?)", ((window, number, *row) for row in series.samples)
        )


def _is_abandoned(row: sqlite3.Row) -> bool:
    """Whether nobody works on a running run any more, by its row of `progress`."""
    return row["pid"] is None or is_gone(Process(row["place"], row["pid"], row["process_started"]), row["seen_s"])
