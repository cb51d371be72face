"""Whether a store is sound: what SQLite says of the file, and whether what lies in it fits together. Only reads."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from llmload.analysis.alternatives import without_others
from llmload.domain import IMPORTED, RunResult
from llmload.errors import LlmloadError, StoreError, UsageError
from llmload.plain_text import plain
from llmload.store import schema
from llmload.store.database import Store
from llmload.store.foreign_store import private_copy
from llmload.store.judgement import judged
from llmload.store.opening import BUSY_S
from llmload.store.process import Process, is_gone
from llmload.store.soundness import fault_of_ranges, fault_of_window

_MOST_TOLD = 20
_TRIES = 3


@dataclass(frozen=True, slots=True)
class TableSize:
    """Rows of a table and the bytes of its pages, those of its indexes too; None where SQLite cannot tell."""

    name: str
    rows: int
    size_bytes: int | None


@dataclass(slots=True)
class Checked:
    """What was found. A fault means that something stored cannot be relied on; a notice, that somebody should know."""

    path: Path
    size_bytes: int = 0
    free_bytes: int = 0
    migrations: tuple[str, ...] = ()
    runs: int = 0
    judged: int = 0  # runs whose kept result was held against their requests
    faults: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    tables: tuple[TableSize, ...] = ()


def check(path: Path, newest: int | None) -> Checked:
    """Look through the store at `path`; the `newest` so many runs are judged again, or all of them where it is None.

    Nothing is changed: no run is recovered, no migration applied. Raises UsageError where there is no file, StoreError
    where it is no store of this version or an earlier one.
    """
    if not path.is_file():
        raise UsageError(plain(str(path)), "there is no store here", "Name one with --store")
    for _ in range(_TRIES):
        before = _stamp(path)
        checked = Checked(path)
        with _reading(path) as connection:
            _look_through(connection, checked, newest)
        if not checked.faults or _stamp(path) == before:
            break  # else another process wrote while a file was read that nobody had opened before
    return checked


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write; without a log beside the file nobody uses it, and none is to be made."""
    is_used = any(Path(f"{path}{end}").exists() for end in ("-wal", "-journal"))
    uri = f"{path.absolute().as_uri()}?mode=ro{'' if is_used else '&immutable=1'}"
    with closing(sqlite3.connect(uri, timeout=BUSY_S, uri=True, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


def _look_through(connection: sqlite3.Connection, checked: Checked, newest: int | None) -> None:
    try:
        schema.refuse_foreign(connection, plain(str(checked.path)))
        _look_at_file(connection, checked)
        if checked.faults:
            return  # rows of a damaged file tell nothing
        if checked.migrations == schema.NAMES:
            _look_at_rows(connection, checked, newest)
            return
        checked.notices.append(
            f"an earlier llmload wrote it ({checked.migrations[-1]}); the next verb that opens it brings it up to date"
        )
        with private_copy(checked.path) as copy:
            _look_at_rows(copy, checked, newest)
    except StoreError:
        raise
    except LlmloadError as error:
        checked.faults.append(plain(error.problem))
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_NOTADB:
            problem, remedy = "this is not an SQLite file", "Name another file with --store"
            raise StoreError(plain(str(checked.path)), problem, remedy) from error
        checked.faults.append(f"SQLite cannot read it ({plain(str(error), 120)})")


# ---------------------------------------------------------------- the file


def _look_at_file(connection: sqlite3.Connection, checked: Checked) -> None:
    page, pages, free = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count", "freelist_count")
    )
    checked.size_bytes, checked.free_bytes = page * pages, page * free
    checked.migrations = schema.applied(connection)
    if not checked.migrations:
        raise StoreError(plain(str(checked.path)), "this file is empty", "Name another file with --store")
    said = [row[0] for row in connection.execute(f"PRAGMA integrity_check({_MOST_TOLD})")]
    if said != ["ok"]:
        checked.faults += [f"SQLite finds it damaged: {plain(str(each), 200)}" for each in said]
        return
    orphans: dict[tuple[str, str], int] = {}
    for table, _, parent, _ in connection.execute("PRAGMA foreign_key_check"):
        orphans[table, parent] = orphans.get((table, parent), 0) + 1
    checked.faults += [f"{count:,} rows of {table} have no {parent}" for (table, parent), count in orphans.items()]
    checked.tables = tuple(_sizes(connection))
    checked.runs = next((table.rows for table in checked.tables if table.name == "runs"), 0)


def _sizes(connection: sqlite3.Connection) -> Iterator[TableSize]:
    names = [
        row["name"]
        for row in connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
        )
    ]
    sizes: dict[str, int] = {}
    with suppress(sqlite3.OperationalError):  # where SQLite was built without dbstat
        sizes = dict(
            connection.execute(
                "SELECT tbl_name, sum(pgsize) FROM dbstat JOIN sqlite_schema USING (name) WHERE aggregate = TRUE"
                " GROUP BY tbl_name"
            ).fetchall()
        )
    for name in names:
        quoted = '"' + name.replace('"', '""') + '"'
        (rows,) = connection.execute(f"SELECT count(*) FROM {quoted}").fetchone()  # noqa: S608 - quoted
        yield TableSize(plain(name, 60), rows, sizes.get(name))


# ---------------------------------------------------------------- what lies in it


_ENDED = """
SELECT run, run_id, status, exit_code, EXISTS (SELECT 1 FROM windows WHERE windows.run = runs.run) AS has_windows
FROM runs WHERE status <> 'running' ORDER BY created DESC, run_id DESC
"""
_RUNNING = """
SELECT run_id, place, pid, process_started, seen_s FROM runs LEFT JOIN progress USING (run) WHERE status = 'running'
"""


def _look_at_rows(connection: sqlite3.Connection, checked: Checked, newest: int | None) -> None:
    if fault := fault_of_ranges(connection):
        checked.faults.append(fault)
        return
    (strays,) = connection.execute(
        "SELECT (SELECT count(*) FROM requests)"
        " - (SELECT count(*) FROM windows JOIN requests ON id BETWEEN first_id AND last_id)"
    ).fetchone()
    if strays:
        checked.faults.append(f"{strays:,} requests belong to no window")
    _look_at_running(connection, checked)
    rows = connection.execute(f"{_ENDED} LIMIT ?", (-1 if newest is None else newest,))
    store = Store(checked.path, connection)
    for row in rows.fetchall():
        _judge(store, connection, row, checked)


def _look_at_running(connection: sqlite3.Connection, checked: Checked) -> None:
    for row in connection.execute(_RUNNING):
        process = None if row["pid"] is None else Process(row["place"], row["pid"], row["process_started"])
        if process is None or is_gone(process, row["seen_s"]):
            words = "its process died; the next verb that opens the store marks it as aborted"
        else:
            words = f"it goes on (process {process.pid})"
        checked.notices.append(f"run {plain(row['run_id'], 80)}: {words}")


def _judge(store: Store, connection: sqlite3.Connection, row: sqlite3.Row, checked: Checked) -> None:
    name = f"run {plain(row['run_id'], 80)}"
    for (window,) in connection.execute("SELECT window FROM windows WHERE run = ?", (row["run"],)).fetchall():
        if fault := fault_of_window(connection, window):
            checked.faults.append(f"{name}: {fault}")
            return
    if not row["has_windows"] and row["status"] != IMPORTED:
        if row["exit_code"] == 0:
            checked.notices.append(f"{name}: it has no requests: what it says it came to cannot be checked")
        return
    try:
        kept, now = store.kept(row["run_id"]), judged(store, row["run_id"])
    except Exception as error:  # whatever is wrong with its rows is what was asked for
        said = error.problem if isinstance(error, LlmloadError) else f"{type(error).__name__}: {error}"
        checked.faults.append(f"{name}: it cannot be read ({plain(said, 200)})")
        return
    checked.judged += 1
    if kept is None:
        if row["status"] == "finished":
            checked.notices.append(f"{name}: no readable result is kept, so that each page of it is judged anew")
    elif (kept.status, kept.exit_code) != (now.status, now.exit_code):
        checked.faults.append(f"{name}: it is kept as {kept.status.value}, and its requests come to {now.status.value}")
    elif _by_itself(kept) != _by_itself(now):
        checked.notices.append(f"{name}: its requests, judged now, give other figures than those kept")


def _by_itself(result: RunResult) -> RunResult:
    """Without what depends on other runs of the store, and on what was written later: neither is kept for good."""
    found = result.recommendation
    return replace(result, analyses=(), recommendation=None if found is None else without_others(found))
