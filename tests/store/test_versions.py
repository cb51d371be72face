"""A store that an earlier version wrote is brought up to date, and nothing in it is lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from llmload.domain import Observation, Outcome
from llmload.store import schema
from llmload.store.database import open_store
from tests.recorded_runs import CLEAN
from tests.store.observations import window

VERSIONS = Path(__file__).parent / "versions"


def written() -> Observation:
    """What each of the recorded stores was given: three requests, the second one refused."""
    seen = window(requests=3)
    refused = replace(
        seen.records[1],
        outcome=Outcome.HTTP_ERROR,
        sent_ns=None,
        error_text="overloaded",
        error_type="HTTP_503",
        http_status=503,
        input_tokens=None,
        output_tokens=None,
    )
    return replace(seen, records=(seen.records[0], refused, seen.records[2]))


@pytest.mark.parametrize("dump", sorted(VERSIONS.glob("*.sql")), ids=lambda dump: dump.stem)
def test_a_store_of_an_earlier_version_is_read_as_it_was_written(dump: Path, tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(dump.read_text(encoding="utf-8"))
        cursor = connection.execute("SELECT * FROM request_list ORDER BY seq")
        shown = ", ".join(f'"{name}"' for name, *_ in cursor.description)
        before = cursor.fetchall()
        statuses = connection.execute("SELECT run_id, status FROM runs").fetchall()
    with open_store(path) as store:
        loaded = store.load(CLEAN.header.run_id)
        store.begin(replace(CLEAN.header, run_id="another"))
        store.remember("another", written())
        assert store.load("another").observations == (written(),)
    assert (loaded.header, loaded.facts, loaded.observations) == (CLEAN.header, CLEAN.target, (written(),))
    with closing(sqlite3.connect(path)) as connection:
        assert schema.applied(connection) == schema.NAMES
        query = f"SELECT {shown} FROM request_list WHERE run <> 'another' ORDER BY seq"
        assert connection.execute(query).fetchall() == before
        assert connection.execute("SELECT run_id, status FROM runs WHERE run_id <> 'another'").fetchall() == statuses
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
