"""Watching a run from outside: what its store holds, and waiting for it."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from tests.command import write_scenario


def rows(store: Path, query: str) -> list[tuple[object, ...]]:
    """What a store answers, from a connection of our own."""
    connection = sqlite3.connect(store)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def wait_for(condition: object, within_s: float = 30) -> None:
    """Poll a claim until it holds; the failure says that it never did."""
    assert callable(condition)
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "the awaited state never came"
        time.sleep(0.05)


def slow_ladder(directory: Path, **changes: object) -> Path:
    """Three steps of about two seconds each."""
    return write_scenario(
        directory,
        load="{concurrency: [2, 3, 4], requests: 80, warmup: {requests: 2}}",
        target__simulator__decode_base="6ms",
        gates="[goodput >= 80%]",
        **changes,
    )


def windows_of(store: Path) -> int:
    """How many windows are in the store."""
    try:
        return len(rows(store, "select 1 from windows"))
    except sqlite3.OperationalError:  # the store is being made this very moment
        return 0
