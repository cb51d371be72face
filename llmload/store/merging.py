"""Puts the runs of another store into ours: by their ids, each once, all of a file or nothing of it.

What was recorded is taken as it is, and so is what was written about it. What a page shows fast, the kept result and
what it recommends, is not: it is a claim that nobody checked, so that each run is judged from its requests before it
comes in.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from llmload.domain import IMPORTED
from llmload.errors import DataFileError, LlmloadError, StoreError
from llmload.plain_text import plain
from llmload.store.analyses import analyses_differ, count_new_analyses, fault_of_analyses, take_analyses
from llmload.store.database import Store, open_store
from llmload.store.foreign_run import refuse_unusable
from llmload.store.foreign_store import private_copy, refused, told_of
from llmload.store.judgement import judged
from llmload.store.kept_results import put_kept
from llmload.store.opening import explained, writing
from llmload.store.profiles import borrow_profiles, put_profile
from llmload.store.recommendations import put_recommendation
from llmload.store.soundness import fault_of_ranges, fault_of_window

_OF_RUN = {  # tables by run, and what makes a row of them one of its run
    "steps": ("step",),
    "verdicts": ("place",),
    "findings": ("place",),
    "caveats": ("place",),
    "estimates": ("step", "repeat", "name"),
    "baselines": (),
    "windows": ("step", "look"),
}
_OF_WINDOW = {
    "request_kinds": ("kind",),
    "request_texts": ("seq",),
    "request_sessions": ("seq",),
    "request_gaps": ("first_seq",),
    "sample_series": ("series",),
    "samples": ("series", "at_us", "nth"),
}
_JUDGED = ("results", "recommendations", "profiles")
"""What follows from the requests: it is not taken, but made anew, and it is no difference between two runs."""

_KEYS = {"run", "window", "first_id", "last_id", "id"}
"""Columns that mean something in one file only."""

_NUMBERS_ONLY = ("requests", "request_sessions", "samples")

_TABLES = ("runs", "requests", "analyses", *_OF_RUN, *_OF_WINDOW, *_JUDGED)

_TRIES = 5
_MOST_CONFLICTS = 20


@dataclass(frozen=True, slots=True)
class Merged:
    """What came of one source: ids of runs that were added, that were here already, and that have not ended there."""

    source: Path
    added: tuple[str, ...]
    requests: int  # of the runs that were added
    known: tuple[str, ...]
    going_on: tuple[str, ...]
    notices: tuple[str, ...]  # what a reader of the added runs should know


def merge(path: Path, source: Path) -> Merged:
    """Put every ended run of `source` into the store at `path`, which is made where it is not there.

    Raises DataFileError where the source cannot be trusted or has a run that differs from ours of the same id: then
    nothing of it is merged. StoreError where our store cannot be written; nothing is changed then either.
    """
    with _opened(path, source) as copy:
        with open_store(path):  # made, and brought up to date
            pass
        _attach(copy.connection, path)
        for _ in range(_TRIES):
            plan = copy.plan(path)
            copy.judge(plan.new)
            if copy.take_in(plan, path):
                return copy.told(plan)
    raise StoreError(str(path), "its runs change again and again while others are merged", "Merge again later")


def preview(path: Path, source: Path) -> Merged:
    """What `merge` would do; nothing is changed and no store is made."""
    with _opened(path, source) as copy:
        if path.exists():
            with open_store(path):
                pass
            _attach(copy.connection, path)
            plan = copy.plan(path)
        else:
            plan = _Plan(tuple(copy.ended), (), frozenset())
        copy.judge(plan.new)
        return copy.told(plan)


@dataclass(frozen=True, slots=True)
class _Plan:
    new: tuple[str, ...]
    known: tuple[str, ...]
    seen: frozenset[str]  # ids of the source that ours had when it was looked at
    written: int = 0  # analyses of runs that are here already


@contextmanager
def _opened(path: Path, source: Path) -> Iterator[_Copy]:
    if path.exists() and source.exists() and source.samefile(path):
        raise DataFileError(plain(str(source)), "is the store itself", "Name the stores of others")
    with private_copy(source) as connection:
        with told_of(source):
            copy = _Copy(source, connection)
        yield copy


def _attach(connection: sqlite3.Connection, path: Path) -> None:
    with explained(path):
        connection.execute("ATTACH ? AS ours", (str(path),))
        connection.execute("PRAGMA ours.synchronous = NORMAL")


@dataclass(slots=True)
class _Copy:
    """The private copy of a source, looked through once; `connection` has it as main, and the store as ours."""

    source: Path
    connection: sqlite3.Connection
    ended: dict[str, int] = field(init=False)  # id -> its key in the copy
    going_on: tuple[str, ...] = field(init=False)
    columns: dict[str, tuple[str, ...]] = field(init=False)
    judged: set[str] = field(default_factory=set)
    notices: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.columns = {name: _columns(self.connection, name) for name in _TABLES}
        for table in _JUDGED:
            self.connection.execute(f"DELETE FROM main.{table}")  # noqa: S608 - two names of ours
        self._read_texts()
        rows = self.connection.execute(f"SELECT run, {', '.join(self.columns['runs'])} FROM main.runs ORDER BY run_id")  # noqa: S608
        self.ended, going_on = {}, []
        for row in rows.fetchall():
            refuse_unusable(self.source, row)
            if row["status"] == "running":
                going_on.append(row["run_id"])
            else:
                self.ended[row["run_id"]] = row["run"]
                if fault := fault_of_analyses(self.connection, row["run"]):
                    raise refused(self.source, f"run {row['run_id']} is damaged: {fault}")
        self.going_on = tuple(going_on)
        if fault := fault_of_ranges(self.connection):
            raise refused(self.source, f"is damaged ({fault})")

    def _read_texts(self) -> None:
        """Decode every text once: one that is not UTF-8 could never be read again."""
        for table, columns in self.columns.items():
            if table not in _NUMBERS_ONLY:
                for _ in self.connection.execute(f"SELECT {', '.join(columns)} FROM main.{table}"):  # noqa: S608
                    pass

    def told(self, plan: _Plan) -> Merged:
        keys = ", ".join(str(self.ended[run_id]) for run_id in plan.new)
        query = (
            "SELECT count(*) FROM main.windows JOIN main.requests ON id BETWEEN first_id AND last_id"  # noqa: S608
            f" WHERE run IN ({keys})"
        )
        (requests,) = self.connection.execute(query).fetchone()
        notices = list(self.notices)
        if plan.written:
            notices.append(
                f"{plan.written:,} new {'analysis' if plan.written == 1 else 'analyses'} of runs that were here already"
            )
        return Merged(self.source, plan.new, requests, plan.known, self.going_on, tuple(notices))

    # ------------------------------------------------------------ which

    def plan(self, path: Path) -> _Plan:
        """Which runs are new and which are here; DataFileError names those that differ."""
        with told_of(self.source), explained(path):
            here = self._here()
            known = [run_id for run_id in self.ended if run_id in here]
            conflicts = [(run_id, said) for run_id in known if (said := self._differences(run_id, here[run_id]))]
        if conflicts:
            words = [f"run {run_id} is in {plain(str(path))} with other content: {said}" for run_id, said in conflicts]
            more = words[1:_MOST_CONFLICTS]
            remedy = "Nothing of this file was merged; `llmload store delete RUN` removes the run that is not wanted"
            raise DataFileError(plain(str(self.source)), words[0], remedy, more)
        new = tuple(run_id for run_id in self.ended if run_id not in here)
        with told_of(self.source), explained(path):
            borrow_profiles(self.connection)
            return _Plan(new, tuple(known), frozenset(here), count_new_analyses(self.connection))

    def _here(self) -> dict[str, int]:
        return dict(
            self.connection.execute("SELECT run_id, ours.runs.run FROM ours.runs JOIN main.runs USING (run_id)")
        )

    def _differences(self, run_id: str, mine: int) -> str:
        """What of two runs of the same id is not the same, in words; "" where they are one run."""
        theirs = self.ended[run_id]
        pairs = ", ".join(f"theirs.{name} IS NOT mine.{name}" for name in self.columns["runs"])
        row = self.connection.execute(
            f"SELECT {pairs} FROM main.runs AS theirs, ours.runs AS mine"  # noqa: S608 - columns of our own schema
            " WHERE theirs.run = ? AND mine.run = ?",
            (theirs, mine),
        ).fetchone()
        found = [name for name, differs in zip(self.columns["runs"], row, strict=True) if differs]
        found += [name for name, key in _OF_RUN.items() if self._differ(name, "run", key, theirs, mine)]
        if analyses_differ(self.connection, theirs, mine):
            found.append("analyses")
        if "windows" not in found:
            found += self._different_requests(theirs, mine)
        return ", ".join(found)

    def _differ(self, table: str, owner: str, key: Sequence[str], theirs: int, mine: int) -> bool:
        on = " AND ".join([f"mine.{owner} = :mine", *(f"mine.{name} = theirs.{name}" for name in key)])
        same = " AND ".join(f"theirs.{name} IS mine.{name}" for name in self.columns[table])
        query = (
            f"SELECT (SELECT count(*) FROM main.{table} WHERE {owner} = :theirs)"  # noqa: S608 - our own names
            f" <> (SELECT count(*) FROM ours.{table} WHERE {owner} = :mine)"
            f" OR EXISTS (SELECT 1 FROM main.{table} AS theirs LEFT JOIN ours.{table} AS mine ON {on}"
            f" WHERE theirs.{owner} = :theirs AND NOT ({same}))"
        )
        (differs,) = self.connection.execute(query, {"theirs": theirs, "mine": mine}).fetchone()
        return bool(differs)

    def _different_requests(self, theirs: int, mine: int) -> list[str]:
        windows = self.connection.execute(
            "SELECT theirs.window, mine.window, theirs.first_id, theirs.last_id, mine.first_id, mine.last_id"
            " FROM main.windows AS theirs JOIN ours.windows AS mine USING (step, look)"
            " WHERE theirs.run = ? AND mine.run = ?",
            (theirs, mine),
        ).fetchall()
        same = " AND ".join(f"theirs.{name} IS mine.{name}" for name in self.columns["requests"])
        query = (
            "SELECT (SELECT count(*) FROM main.requests WHERE id BETWEEN ?1 AND ?2)"  # noqa: S608 - our own names
            " <> (SELECT count(*) FROM ours.requests WHERE id BETWEEN ?3 AND ?4)"
            " OR EXISTS (SELECT 1 FROM main.requests AS theirs LEFT JOIN ours.requests AS mine"
            f" ON mine.id = theirs.id - ?1 + ?3 WHERE theirs.id BETWEEN ?1 AND ?2 AND NOT ({same}))"
        )
        found: dict[str, None] = {}
        for window, own, *ranges in windows:
            if self.connection.execute(query, ranges).fetchone()[0]:
                found["requests"] = None
            for table, key in _OF_WINDOW.items():
                if self._differ(table, "window", key, window, own):
                    found[table] = None
        return list(found)

    # ------------------------------------------------------------ judged

    def judge(self, new: Sequence[str]) -> None:
        """Judge runs from their requests, in the copy, so that our store is not locked meanwhile."""
        store = Store(self.source, self.connection)
        for run_id in new:
            if run_id not in self.judged:
                try:
                    self._judge(store, run_id)
                except DataFileError:
                    raise
                except Exception as error:  # whatever a foreign row may lead to, it is no defect of ours
                    said = error.problem if isinstance(error, LlmloadError) else f"{type(error).__name__}: {error}"
                    raise refused(self.source, f"run {run_id} cannot be read ({plain(said, 200)})") from error
                self.judged.add(run_id)

    def _judge(self, store: Store, run_id: str) -> None:
        run = self.ended[run_id]
        windows = self.connection.execute("SELECT window FROM main.windows WHERE run = ?", (run,)).fetchall()
        for row in windows:
            if fault := fault_of_window(self.connection, row["window"]):
                raise refused(self.source, f"run {run_id} is damaged: {fault}")
        past = store.past(run_id)
        store.estimates(run_id)
        store.steps(run_id)
        if not windows and past.status != IMPORTED:
            store.load(run_id)
            if past.exit_code == 0:
                self.notices.append(f"run {run_id} has no requests: what it says it came to cannot be checked")
            return
        result = judged(store, run_id)
        put_kept(self.connection, run, result)
        put_recommendation(self.connection, run, result.recommendation)
        put_profile(self.connection, run, result.profile)
        (said,) = self.connection.execute("SELECT verdict FROM main.runs WHERE run = ?", (run,)).fetchone()
        if said is not None and said != result.status.value:
            words = f"run {run_id} is recorded as {plain(said, 20)}; its requests, judged now, come to"
            self.notices.append(f"{words} {result.status.value}")

    # ------------------------------------------------------------ in

    def take_in(self, plan: _Plan, path: Path) -> bool:
        """Copy the new runs in one transaction; False where other runs were here by then, and nothing was changed."""
        with explained(path):
            try:
                with writing(self.connection):
                    if frozenset(self._here()) != plan.seen:
                        return False
                    self._copy(plan.new)
            except (sqlite3.IntegrityError, sqlite3.DataError) as error:
                problem = f"has rows that no llmload writes ({plain(str(error), 120)})"
                raise refused(self.source, problem) from error
        return True

    def _copy(self, new: Sequence[str]) -> None:
        connection = self.connection
        connection.execute("CREATE TEMP TABLE taken (mine INTEGER PRIMARY KEY, theirs INTEGER NOT NULL UNIQUE)")
        (run,) = connection.execute("SELECT coalesce(max(run), 0) FROM ours.runs").fetchone()
        pairs = [(run + place, self.ended[run_id]) for place, run_id in enumerate(new, start=1)]
        connection.executemany("INSERT INTO temp.taken VALUES (?, ?)", pairs)
        self._insert("runs", "run", "taken")
        for table in _OF_RUN:
            if table != "windows":
                self._insert(table, "run", "taken")
        for table in _JUDGED:
            self._insert(table, "run", "taken")
        self._copy_windows()
        take_analyses(connection)
        connection.execute("DROP TABLE temp.taken")

    def _copy_windows(self) -> None:
        connection = self.connection
        connection.execute(
            "CREATE TEMP TABLE seen (mine INTEGER PRIMARY KEY, theirs INTEGER NOT NULL, first_id INTEGER NOT NULL,"
            " last_id INTEGER NOT NULL, shift INTEGER NOT NULL)"
        )
        (window,) = connection.execute("SELECT coalesce(max(window), 0) FROM ours.windows").fetchone()
        (last,) = connection.execute(
            "SELECT max((SELECT coalesce(max(id), 0) FROM ours.requests),"
            " (SELECT coalesce(max(last_id), 0) FROM ours.windows))"
        ).fetchone()
        theirs = connection.execute(
            "SELECT window, first_id, last_id FROM main.windows JOIN temp.taken ON theirs = run"
            " ORDER BY first_id, window"
        )
        rows = []
        for place, (key, first_id, last_id) in enumerate(theirs, start=1):
            rows.append((window + place, key, first_id, last_id, last + 1 - first_id))
            last += max(0, last_id - first_id + 1)
        connection.executemany("INSERT INTO temp.seen VALUES (?, ?, ?, ?, ?)", rows)
        columns = ", ".join(self.columns["windows"])
        connection.execute(
            f"INSERT INTO ours.windows (window, run, first_id, last_id, {columns})"  # noqa: S608 - our own names
            f" SELECT seen.mine, taken.mine, seen.first_id + shift, seen.last_id + shift, {columns}"
            " FROM temp.seen CROSS JOIN main.windows ON window = seen.theirs"
            " CROSS JOIN temp.taken ON taken.theirs = run"
        )
        for table in _OF_WINDOW:
            self._insert(table, "window", "seen")
        columns = ", ".join(self.columns["requests"])
        connection.execute(
            f"INSERT INTO ours.requests (id, {columns}) SELECT id + shift, {columns}"  # noqa: S608 - our own names
            " FROM temp.seen CROSS JOIN main.requests ON id BETWEEN first_id AND last_id"
        )
        connection.execute("DROP TABLE temp.seen")

    def _insert(self, table: str, owner: str, keys: str) -> None:
        columns = ", ".join(self.columns[table])
        self.connection.execute(
            f"INSERT INTO ours.{table} ({owner}, {columns}) SELECT mine, {columns}"  # noqa: S608 - our own names
            f" FROM temp.{keys} CROSS JOIN main.{table} ON {owner} = theirs"  # in the order of our keys
        )


def _columns(connection: sqlite3.Connection, table: str) -> tuple[str, ...]:
    """Stored columns that mean the same in every store."""
    rows = connection.execute("SELECT name FROM pragma_table_xinfo(?, 'main') WHERE hidden = 0 ORDER BY cid", (table,))
    return tuple(row["name"] for row in rows if row["name"] not in _KEYS)
