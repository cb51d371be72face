"""Some runs of a store for others: chosen by scenario and age, and nothing of the rest goes with them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from llmload.errors import StoreError, UsageError
from llmload.store.database import open_existing
from llmload.store.judgement import decided
from llmload.store.selection import choose
from llmload.store.snapshot import open_snapshot, write_snapshot
from tests.recorded_runs import CLEAN, TROUBLE
from tests.site.stores import RECORDED

ONE, OTHER = CLEAN.header.run_id, TROUBLE.header.run_id


def test_a_snapshot_of_some_runs_tells_of_no_other(filled: Path, tmp_path: Path) -> None:
    made = write_snapshot(filled, tmp_path / "some.db", [ONE])
    with open_snapshot(made.path) as store:
        assert [run.run_id for run in store.list_runs()] == [ONE]
        assert decided(store, ONE) == CLEAN
        assert store.kept(OTHER) is None
        with pytest.raises(StoreError, match="cannot be written"):
            store.begin(replace(CLEAN.header, run_id="20301231-000000-00000000"))
    assert [path.name for path in tmp_path.iterdir()] == ["some.db"]


def test_runs_are_chosen_by_scenario_and_by_age(filled: Path) -> None:
    with open_existing(filled) as store:
        every = choose(store)
        newest = choose(store, newest=3)
        named = choose(store, [CLEAN.header.scenario], newest=2)
    assert len(every) >= len(RECORDED)
    assert all(run.status != "running" for run in every)
    assert newest == every[:3]
    assert named == tuple(run for run in every if run.scenario == CLEAN.header.scenario)[:2]


def test_a_scenario_that_nobody_ran_is_told_with_those_that_were(filled: Path) -> None:
    with open_existing(filled) as store, pytest.raises(UsageError, match=CLEAN.header.scenario):
        choose(store, ["no-such-scenario"])


def test_a_snapshot_of_some_runs_has_nothing_of_the_others(filled: Path, tmp_path: Path) -> None:
    made = write_snapshot(filled, tmp_path / "some.db", [ONE])
    assert made.runs == 1
    with closing(sqlite3.connect(made.path)) as connection:
        assert connection.execute("SELECT run_id FROM runs").fetchall() == [(ONE,)]
    content = made.path.read_bytes()
    assert ONE.encode() in content
    assert OTHER.encode() not in content
