"""Open the SQLite file, and say in plain words what is wrong when it cannot be used."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from llmload.errors import StoreError
from llmload.store import schema

BUSY_S = 10.0
"""How long to wait for another process that is writing."""

TEXT = partial(str, encoding="utf-8", errors="replace")
"""`text_factory` of those who show what is stored: a store from elsewhere may hold texts that are no UTF-8, and one of
them must not keep a reader from all the others."""

_PRIMARY = 0xFF  # the low byte of an extended result code


def connect(path: Path) -> sqlite3.Connection:
    """A connection in WAL mode to an up-to-date store; made when the file is not there. Raises StoreError."""
    if not _is_folder(path.parent):
        problem = "its folder does not exist, or may not be entered"
        raise StoreError(str(path), problem, "Create the folder, or name another file with --store")
    with explained(path):
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA foreign_keys = ON")
            if schema.applied(connection) != schema.NAMES:
                _migrate(connection, str(path))
            _use_wal(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """As `connect`; where nothing can be written, as beside a snapshot on read-only media, one with `query_only` on.

    With a log beside it, such a file by itself would be half of the store: that is refused as ever.
    """
    try:
        return connect(path)
    except StoreError as error:
        code = getattr(error.__cause__, "sqlite_errorcode", 0) & _PRIMARY
        has_more = any(Path(f"{path}{end}").exists() for end in ("-wal", "-journal"))
        if code not in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN) or has_more or not path.is_file():
            raise
        with explained(path):
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True, isolation_level=None)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA query_only = ON")
            if schema.applied(connection) == schema.NAMES:
                return connection
            connection.close()
        raise  # it would have to be brought up to date


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except PermissionError:
        return False


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction that takes the write lock at once, so that it never has to give up half-way."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk rolls back by itself
            connection.execute("ROLLBACK")
        raise


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors about the file into StoreError; a wrong statement of ours stays what it is."""
    try:
        yield
    except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
        if isinstance(error, sqlite3.ProgrammingError | sqlite3.IntegrityError | sqlite3.DataError):
            raise
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY
        if code == sqlite3.SQLITE_ERROR:
            raise
        problem, remedy = _WORDS.get(code, (f"cannot be used ({error})", "Name another file with --store"))
        raise StoreError(str(path), problem, remedy) from error


_WORDS = {
    sqlite3.SQLITE_FULL: (
        "the disk is full",
        "Make room; windows committed before are safe and --resume goes on from them",
    ),
    sqlite3.SQLITE_READONLY: (
        "the store or its folder cannot be written",
        "Change its permissions, or name another file with --store",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "the file cannot be opened or made",
        "Check that it is a file and that the folder can be written, or name another with --store",
    ),
    sqlite3.SQLITE_PERM: ("no permission to use the file", "Change its permissions, or name another with --store"),
    sqlite3.SQLITE_NOTADB: ("this is not an SQLite file", "Name another file with --store"),
    sqlite3.SQLITE_CORRUPT: (
        "the file is damaged",
        "Recover what is left with `sqlite3 FILE .recover`, or name another file with --store",
    ),
    sqlite3.SQLITE_BUSY: (
        f"another process has been writing for {BUSY_S:g} s",
        "Wait for it to end, or name another file with --store",
    ),
    sqlite3.SQLITE_IOERR: (
        "the disk fails to read or write",
        "Check that it is not full and not a network share, or name another file with --store",
    ),
}


def _migrate(connection: sqlite3.Connection, where: str) -> None:
    """Look again under the write lock: of several processes that open a new file, one makes the tables."""
    schema.refuse_foreign(connection, where)
    with writing(connection):
        schema.refuse_foreign(connection, where)
        schema.migrate(connection)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL. SQLite does not wait by itself for this lock, so that we do."""
    give_up = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(0.02)
    connection.execute("PRAGMA synchronous = NORMAL")  # a killed process loses nothing; a power cut the last commit
