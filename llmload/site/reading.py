"""Connections that pages read a store by: one for each thread, opened again where another file took the place."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from llmload.errors import StoreError
from llmload.store import schema
from llmload.store.database import Store
from llmload.store.opening import TEXT, explained

LONGEST_VALUE_BYTES = 64 << 20
"""Of one value that a page of ours reads. Documents of results stay below 1 MB; a file from elsewhere may hold more."""


@dataclass(slots=True)
class _Opened:
    """A connection, the file that it has open (device and inode), and the version of the schema that was looked at."""

    connection: sqlite3.Connection
    file: tuple[int, int]
    version: int | None = None


class Reading:
    """Gives a store of the present file, or says in a StoreError why there is none. Nothing is ever written."""

    def __init__(self, path: Path, connect: Callable[[], sqlite3.Connection]) -> None:
        self._path, self._connect = path, connect
        self._of_thread = threading.local()

    def store(self) -> Store:
        """The store for the thread that asks; StoreError where its file is gone, damaged, older or newer."""
        with explained(self._path):
            opened = self._present()
            (version,) = opened.connection.execute("PRAGMA schema_version").fetchone()
            if version != opened.version:
                _refuse_other_versions(opened.connection, str(self._path))
                opened.version = version
        return Store(self._path, opened.connection)

    def _present(self) -> _Opened:
        try:
            status = self._path.stat()
        except OSError:
            raise StoreError(
                str(self._path), "the store is not there", "Put it back: pages come back with it"
            ) from None
        opened: _Opened | None = getattr(self._of_thread, "opened", None)
        if opened is not None and opened.file == (status.st_dev, status.st_ino):
            return opened
        if opened is not None:
            self._of_thread.opened = None
            opened.connection.close()
        connection = self._connect()
        connection.row_factory = sqlite3.Row
        connection.isolation_level = None
        connection.text_factory = TEXT
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE_BYTES)
        opened = self._of_thread.opened = _Opened(connection, (status.st_dev, status.st_ino))
        return opened


def _refuse_other_versions(connection: sqlite3.Connection, where: str) -> None:
    had = schema.applied(connection)
    if not had:
        raise StoreError(where, "this is no store of llmload", "Put the store back: pages come back with it")
    schema.refuse_foreign(connection, where)
    if had != schema.NAMES:
        raise StoreError(
            where,
            "this store was written by an older llmload, and pages only read",
            f"Run `llmload runs --store {Path(where).name}` once, which brings it up to date",
        )
