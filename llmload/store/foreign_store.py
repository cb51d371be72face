"""A store that somebody else hands over: looked at in a private copy, which is made sure of before anything is read.

The store itself is never written, and no statement runs in it but those of SQLite's backup. Triggers, views, indexes
and tables that are not ours are thrown out of the copy; what remains has the columns that llmload made. No function
of ours and no extension is known to the connection, so that an expression in a foreign schema can only compute.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from llmload.errors import DataFileError, StoreError
from llmload.plain_text import plain
from llmload.store import schema
from llmload.store.opening import BUSY_S, writing

LARGEST_VALUE = 100_000_000
"""Bytes of one text or blob; the largest that llmload writes has a few millions."""

_REMEDY = "Name a store that `llmload` wrote; `llmload store check --store FILE` says what is wrong with one"
_TRIES = 5

_SHAPE = 'SELECT name, type, "notnull", pk, hidden FROM pragma_table_xinfo(?) ORDER BY cid'
_OURS = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"


@contextmanager
def private_copy(path: Path) -> Iterator[sqlite3.Connection]:
    """An up-to-date copy of a store that lives as long as the connection. DataFileError where it is none."""
    with closing(sqlite3.connect("", timeout=BUSY_S, isolation_level=None)) as copy:  # SQLite's own temporary file
        copy.row_factory = sqlite3.Row
        with told_of(path):
            _fill(path, copy)
            copy.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_VALUE)
            _make_sure(copy, path)
        yield copy


@contextmanager
def told_of(path: Path) -> Iterator[None]:
    """Turn whatever SQLite says of a foreign file into DataFileError: none of it is a defect of ours."""
    try:
        yield
    except sqlite3.Error as error:
        match getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF:
            case sqlite3.SQLITE_NOTADB:
                problem = "is not an SQLite file"
            case sqlite3.SQLITE_CORRUPT:
                problem = "is damaged"
            case sqlite3.SQLITE_TOOBIG:
                problem = f"holds a value of more than {LARGEST_VALUE:,} bytes"
            case sqlite3.SQLITE_FULL:
                problem = "finds no room for a copy of it in the folder of temporary files"
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                problem = "is locked by another process"
            case _:
                problem = f"cannot be read ({plain(str(error), 120)})"
        raise refused(path, problem) from error
    except OSError as error:
        raise refused(path, f"cannot be read ({(error.strerror or 'unknown').lower()})") from error


def refused(path: Path, problem: str) -> DataFileError:
    """What is said of a store that cannot be taken."""
    return DataFileError(plain(str(path)), problem, _REMEDY)


# ---------------------------------------------------------------- the copy


def _fill(path: Path, copy: sqlite3.Connection) -> None:
    if not path.exists():
        raise refused(path, "is not there")
    if not path.is_file():  # a pipe might never end
        raise refused(path, "is not a file")
    for _ in range(_TRIES):
        before = path.stat()
        has_log, has_index, has_journal = (Path(f"{path}{end}").exists() for end in ("-wal", "-shm", "-journal"))
        if has_journal or (has_log and not has_index):  # left by a process that was killed: to be made good in a copy
            _fill_from_files(path, copy)
        elif has_log:
            _fill_from(f"{path.absolute().as_uri()}?mode=ro", copy)
        else:  # nobody uses it; opened in the usual way, files would be left beside it
            _fill_from(f"{path.absolute().as_uri()}?mode=ro&immutable=1", copy)
        after = path.stat()
        if has_log or (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size):
            return
    raise refused(path, "is written again and again while it is read")


def _fill_from(uri: str, copy: sqlite3.Connection) -> None:
    with closing(sqlite3.connect(uri, timeout=BUSY_S, uri=True)) as source:
        source.backup(copy)


def _fill_from_files(path: Path, copy: sqlite3.Connection) -> None:
    with TemporaryDirectory(prefix="llmload-") as folder:
        for end in ("", "-wal", "-journal"):
            if Path(f"{path}{end}").is_file():
                shutil.copyfile(f"{path}{end}", Path(folder) / f"store{end}")
        _fill_from((Path(folder) / "store").as_uri(), copy)


# ---------------------------------------------------------------- what it is


def _make_sure(copy: sqlite3.Connection, path: Path) -> None:
    had = _migrations_of(copy, path)
    _throw_out(copy, path, had)
    (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise refused(path, f"is damaged ({plain(str(found), 120)})")
    if had != schema.NAMES:
        with writing(copy):
            schema.migrate(copy)
    copy.execute("PRAGMA foreign_keys = ON")
    if copy.execute("PRAGMA foreign_key_check").fetchone() is not None:
        raise refused(path, "is damaged (it has rows of runs that it does not have)")


def _migrations_of(copy: sqlite3.Connection, path: Path) -> tuple[str, ...]:
    try:
        schema.refuse_foreign(copy, plain(str(path)))
    except StoreError as error:
        raise DataFileError(error.where, plain(error.problem), error.remedy) from error
    had = schema.applied(copy)
    if not had:
        raise refused(path, "is empty")
    if had != schema.NAMES[: len(had)]:
        raise refused(path, "is not as llmload makes stores: some of its migrations are missing")
    return had


def _throw_out(copy: sqlite3.Connection, path: Path, had: tuple[str, ...]) -> None:
    """Leave only what the migrations of the store make, and make sure that it is so."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as model:
        schema.migrate(model, had[-1])
        made = model.execute(_OURS).fetchall()
        expected = {(kind, name): sql for kind, name, table, sql in made if table != "_sqlite_migrations"}
        shapes = {name: model.execute(_SHAPE, (name,)).fetchall() for kind, name in expected if kind == "table"}
    for kind, name, _, _ in copy.execute(_OURS).fetchall():
        if (kind, name) not in expected and kind != "table":
            copy.execute(f"DROP {kind} {_quoted(name)}")
    there = {(kind, name): sql for kind, name, _, sql in copy.execute(_OURS)}
    for (kind, name), sql in expected.items():
        if (kind, name) not in there or (kind in ("trigger", "view") and there[kind, name] != sql):
            raise refused(path, f"is not as llmload makes stores: the {kind} {name} is missing or another")
        if kind == "table" and [tuple(row) for row in copy.execute(_SHAPE, (name,))] != shapes[name]:
            raise refused(path, f"is not as llmload makes stores: the table {name} has other columns")
    loose = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict = 0"
    if wrong := {row["name"] for row in copy.execute(loose)} & set(shapes):
        raise refused(path, f"is not as llmload makes stores: the table {min(wrong)} takes values of any type")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
