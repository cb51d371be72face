"""What a request costs on disk, page overhead included."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from llmload.store.database import open_store
from tests.recorded_runs import CLEAN
from tests.store.observations import window


def test_a_request_takes_few_bytes(tmp_path: Path) -> None:
    path, requests = tmp_path / "runs.db", 20_000
    with open_store(path) as store:
        store.begin(CLEAN.header)
        store.remember(CLEAN.header.run_id, window(requests=requests))
    with closing(sqlite3.connect(path)) as connection:
        try:
            pages = dict(connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name").fetchall())
        except sqlite3.OperationalError:
            pytest.fail("this SQLite has no dbstat table to measure with")
    assert pages["requests"] / requests < 36
    assert pages["request_gaps"] / requests < 4  # four events each, evenly paced, and what was asked for
