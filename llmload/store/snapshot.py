"""A copy of the store for others to read: one file, complete by itself, that nobody writes to any more."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from llmload.errors import StoreError, UsageError
from llmload.plain_text import plain
from llmload.store.database import Store, open_existing
from llmload.store.opening import TEXT, connect, explained
from llmload.store.replacing import alone_in, remove_partial

_BESIDE = ("-wal", "-journal", "-shm")
"""What SQLite lays beside a database that is in use; it would take such a file for a part of the snapshot."""


_SQLITE, _WAL = b"SQLite format 3\0", b"\x02\x02"
"""How a database begins, and what its bytes 18 and 19 are where it has a write-ahead log."""

_PRIMARY = 0xFF  # the low byte of an extended result code


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was written: the file, its size, how many runs it holds and the ids of those left out."""

    path: Path
    size_bytes: int
    runs: int
    going_on: tuple[str, ...]


def write_snapshot(store_path: Path, target: Path, only: Collection[str] | None = None) -> Snapshot:
    """Write all that has ended in the store to `target`, in one piece: who reads it sees the old file or the new one.

    The file is in rollback mode, so that it can be read as immutable and from read-only media. Runs that still go on
    are left out, and where `only` names some runs, so are all others. Other processes may go on writing to the store:
    the snapshot is of one instant. Raises UsageError where the target cannot be replaced, StoreError where the store
    cannot be read or the disk is full.
    """
    with open_existing(store_path):  # no dead run is taken for one that goes on
        pass
    _refuse(store_path, target)
    with _folder_alone(target):
        remove_partial(target.parent, [target.name])
        made = target.parent / f".{target.name}.{token_hex(4)}"
        try:
            os.close(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))  # less what the umask takes
            _copy(store_path, made)
            going_on, runs = _finish(made, only)
            size = made.stat().st_size
            made.replace(target)
        finally:
            for path in (made, *(made.with_name(made.name + end) for end in _BESIDE)):
                path.unlink(missing_ok=True)
    return Snapshot(target, size, runs, going_on)


@contextmanager
def open_snapshot(path: Path) -> Iterator[Store]:
    """A snapshot for reading; nothing is written, not even beside it. Raises StoreError."""
    with explained(path), closing(sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)) as connection:
        connection.isolation_level = None
        connection.row_factory = sqlite3.Row
        connection.text_factory = TEXT
        yield Store(path, connection)


def _refuse(store_path: Path, target: Path) -> None:
    name = plain(str(target))
    if target.exists() and (not target.is_file() or target.samefile(store_path)):
        problem = "is the store itself" if target.is_file() else "is not a file"
        raise UsageError(name, problem, "Name another file for the snapshot")
    for end in _BESIDE:
        if target.with_name(target.name + end).exists():
            problem = f"is a database in use, {plain(target.name)}{end} lies beside it"
            raise UsageError(name, problem, "Name another file for the snapshot")
    if target.exists() and (problem := _kept_by_somebody(target)):
        raise UsageError(name, problem, "Name another file for the snapshot, or remove this one first")


def _kept_by_somebody(target: Path) -> str:
    """Why a file must not be replaced; empty where it has nothing in it, or is what a snapshot was written into before.

    A file in WAL mode is a store: runs are measured into it, or it was merged from several.
    """
    try:
        with target.open("rb") as file:
            head = file.read(20)
        if head and not head.startswith(_SQLITE):
            return "is another file, not a snapshot"
        if head[18:] == _WAL:
            return "is a store, not a snapshot"
    except OSError as error:
        return f"cannot be read ({(error.strerror or 'unknown').lower()})"
    return ""


@contextmanager
def _folder_alone(target: Path) -> Iterator[None]:
    try:
        with alone_in(target.parent):
            yield
    except OSError as error:
        problem = f"cannot be written ({(error.strerror or 'unknown').lower()})"
        raise UsageError(plain(str(target)), problem, "Name a file in a folder that can be written") from error


def _copy(store_path: Path, made: Path) -> None:
    with closing(connect(store_path)) as connection, explained(store_path):
        try:
            connection.execute("VACUUM INTO ?", (str(made),))
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                raise
            problem, remedy = "there is no room for the snapshot", "Make room, or name a file on another disk"
            raise StoreError(plain(str(made.parent)), problem, remedy) from error


def _finish(made: Path, only: Collection[str] | None) -> tuple[tuple[str, ...], int]:
    """Take out what goes on, and leave a file that needs no other beside it; ids taken out, and runs that stayed."""
    with closing(sqlite3.connect(made, isolation_level=None)) as connection, explained(made):
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA foreign_keys = ON")
        rows = connection.execute("DELETE FROM runs WHERE status = 'running' RETURNING run_id").fetchall()
        connection.execute("DELETE FROM progress")
        if _leave_out(connection, only) or rows:
            connection.execute("VACUUM")  # what was taken out is not left behind in free pages
        (count,) = connection.execute("SELECT count(*) FROM runs").fetchone()
    return tuple(sorted(run_id for (run_id,) in rows)), count


def _leave_out(connection: sqlite3.Connection, only: Collection[str] | None) -> bool:
    """Whether there was a run that is not among `only`; None = all are."""
    if only is None:
        return False
    connection.execute("CREATE TEMP TABLE kept (run_id TEXT PRIMARY KEY)")
    connection.executemany("INSERT OR IGNORE INTO kept VALUES (?)", ((run_id,) for run_id in only))
    return connection.execute("DELETE FROM runs WHERE run_id NOT IN (SELECT run_id FROM temp.kept)").rowcount > 0
