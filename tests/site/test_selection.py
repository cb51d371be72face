"""A store that shows some of its runs only: nothing else is to be found in it, and nothing can be written."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from llmload.errors import StoreError, UsageError
from llmload.store.database import open_existing
from llmload.store.judgement import decided
from llmload.store.selection import choose, open_selected
from llmload.store.snapshot import write_snapshot
from tests.recorded_runs import CLEAN, TROUBLE
from tests.site.stores import RECORDED

ONE, OTHER = CLEAN.header.run_id, TROUBLE.header.run_id


def test_only_what_was_selected_is_there(filled: Path) -> None:
    with open_selected(filled, [ONE]) as store:
        assert [run.run_id for run in store.list_runs()] == [ONE]
        assert decided(store, ONE) == CLEAN
        assert store.kept(OTHER) is None
        assert [run.run_id for run in store.finished_runs(CLEAN.header.scenario)] == [ONE]
        with pytest.raises(UsageError, match="no such run"):
            store.find(OTHER)


def test_no_table_tells_of_the_others(filled: Path) -> None:
    with open_selected(filled, [ONE]) as store, store.reading() as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_temp_master WHERE type = 'view'")]
        assert {"runs", "steps", "results", "verdicts", "recommendations", "run_labels"} <= set(names)
        for name in names:
            rows = connection.execute(f"SELECT DISTINCT run FROM {name}").fetchall()
            assert len(rows) <= 1


def test_nothing_can_be_written(filled: Path) -> None:
    with open_selected(filled, [ONE]) as store, pytest.raises(StoreError, match="cannot be written"):
        store.begin(replace(CLEAN.header, run_id="20301231-000000-00000000"))


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
