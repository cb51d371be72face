"""Stores to be merged, and ways to look into them and to change them behind llmload's back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from llmload.store.database import open_store
from llmload.store.opening import connect
from tests.cli.stored_runs import put_run, scenario_of
from tests.store.observations import window

CHAT = scenario_of()


def fill(path: Path, *numbers: int) -> Path:
    """A store with these runs."""
    with open_store(path) as store:
        for number in numbers:
            put_run(store, number, CHAT, [window(0, requests=30 + number), window(1, requests=20)])
    return path


def run(path: Path, statement: str, *values: object) -> None:
    """Change a store behind llmload's back."""
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(statement, values)


def content(path: Path) -> list[str]:
    """Everything that a store holds."""
    with closing(sqlite3.connect(path)) as connection:
        return sorted(connection.iterdump())
