"""Which migrations a file has had, which it may not have had, and those that it still needs."""

from __future__ import annotations

import sqlite3

from llmload.errors import StoreError
from llmload.store.migrations import MIGRATIONS

NAMES = tuple(name for name, _ in MIGRATIONS)
"""Every migration that this version knows, in order."""

_SET = "llmload"


def applied(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Migrations that the file has had; empty for a new file."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "_sqlite_migrations" not in tables:
        return ()
    rows = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ? ORDER BY id", (_SET,))
    return tuple(name for (name,) in rows)


def refuse_foreign(connection: sqlite3.Connection, where: str) -> None:
    """StoreError for a database that is not ours, or that a newer llmload has changed."""
    had = applied(connection)
    if not had and connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise StoreError(where, "this database belongs to another program", "Name another file with --store")
    if unknown := [name for name in had if name not in NAMES]:
        raise StoreError(
            where,
            f"this store was written by a newer llmload (it has {unknown[-1]!r})",
            "Upgrade llmload, or name another file with --store",
        )


def migrate(connection: sqlite3.Connection, last: str = NAMES[-1]) -> None:
    """Bring the file up to date, or to the migration `last`, inside the caller's transaction."""
    from sqlite_utils import Database, Migrations

    migrations = Migrations(_SET)
    for name, scripts in MIGRATIONS[: NAMES.index(last) + 1]:
        migrations(name=name)(_Scripts(name, scripts))
    migrations.apply(Database(connection, execute_plugins=False))


class _Scripts:
    """One migration: its statements in order. `executescript` would commit behind our back."""

    def __init__(self, name: str, scripts: tuple[str, ...]) -> None:
        self.__name__, self._scripts = name, scripts

    def __call__(self, database: object) -> None:
        connection = getattr(database, "conn", None)
        assert isinstance(connection, sqlite3.Connection)  # noqa: S101 - sqlite-utils has no types
        for script in self._scripts:
            for statement in _statements(script):
                connection.execute(statement)


def _statements(script: str) -> list[str]:
    """Cut a script where SQLite itself says that a statement is complete."""
    statements, rest = [], ""
    for line in script.splitlines(keepends=True):
        rest += line
        if sqlite3.complete_statement(rest):
            statements.append(rest)
            rest = ""
    return [*statements, rest] if rest.strip() else statements
