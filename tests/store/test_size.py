"""What a request costs on disk, page overhead included."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from llmload.domain import Observation
from llmload.planned import Part
from llmload.store.database import open_store
from tests.recorded_runs import CLEAN
from tests.store.observations import window


def test_a_request_takes_few_bytes(tmp_path: Path) -> None:
    taken = bytes_per_request(tmp_path / "runs.db", window(requests=20_000))
    assert taken["requests"] < 36
    assert taken["request_gaps"] < 4  # four events each, evenly paced, and what was asked for
    assert taken["request_sessions"] + taken["request_kinds"] < 1  # the pages of tables that are as good as empty


def test_a_request_of_a_mixture_of_conversations_takes_few_bytes_more(tmp_path: Path) -> None:
    seen = window(requests=20_000)
    records = tuple(
        replace(one, part=Part(("chat", "rag")[one.seq % 2], one.seq // 8, one.seq % 8, one.seq % 5))
        for one in seen.records
    )
    taken = bytes_per_request(tmp_path / "runs.db", replace(seen, records=records))
    assert taken["requests"] < 38  # a kind beyond the second takes a byte
    assert taken["request_sessions"] < 14
    assert taken["request_kinds"] < 1


def bytes_per_request(path: Path, seen: Observation) -> dict[str, float]:
    """Of each table, by its name."""
    with open_store(path) as store:
        store.begin(CLEAN.header)
        store.remember(CLEAN.header.run_id, seen)
    with closing(sqlite3.connect(path)) as connection:
        try:
            pages = connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name").fetchall()
        except sqlite3.OperationalError:
            pytest.fail("this SQLite has no dbstat table to measure with")
    return {name: size / len(seen.records) for name, size in pages}
