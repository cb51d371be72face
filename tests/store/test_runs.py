"""The life of a run in the store, and how it is found again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from llmload.domain import Ending
from llmload.errors import StoreError, UsageError
from llmload.store.database import Store, new_run_id, open_existing, open_store
from llmload.store.states import gate_words
from tests.recorded_runs import CLEAN, TROUBLE
from tests.store.observations import PROGRESS, window

RUN = CLEAN.header.run_id


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "runs.db") as opened:
        yield opened


def rows(store: Store, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(store.path)) as connection:
        return connection.execute(query).fetchall()


def test_ids_sort_by_time_and_differ_by_noise() -> None:
    moment = datetime(2026, 11, 21, 1, 43, 7, tzinfo=UTC)
    assert new_run_id(moment, b"\x3f\x9a\x2c") == "20261121-014307-3f9a2c"
    assert new_run_id(moment, b"\xff") < new_run_id(moment.replace(second=8), b"\x00")


def test_the_file_is_in_wal_mode_with_strict_tables(store: Store) -> None:
    assert rows(store, "PRAGMA journal_mode") == [("wal",)]
    loose = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%STRICT%' AND name NOT LIKE '%migr%'"
    assert rows(store, loose) == []


def test_progress_is_one_row_that_goes_when_the_run_ends(store: Store) -> None:
    store.begin(CLEAN.header)
    store.progress(RUN, PROGRESS)
    store.progress(RUN, replace(PROGRESS, done=80))
    assert rows(store, "SELECT step, phase, done, goodput FROM progress") == [("concurrency 8", "measured", 80, None)]
    store.finish(RUN, CLEAN, "finished")
    assert rows(store, "SELECT * FROM progress") == []


def test_a_finished_run_has_its_headline_in_the_history(store: Store) -> None:
    store.begin(CLEAN.header)
    assert CLEAN.target is not None
    store.describe(RUN, CLEAN.target)
    store.finish(RUN, CLEAN, "finished")
    (run,) = store.list_runs()
    assert (run.run_id, run.scenario, run.status, run.verdict) == (RUN, "quickstart", "finished", "pass")
    assert (run.framework, run.model, run.step, run.goodput) == ("vllm", "qwen3-14b", "concurrency 160", 0.72125)
    assert run.ttft_p99_ms == CLEAN.steps[5].metrics.latency["ttft"].p99_ms


def test_verdicts_findings_and_caveats_are_replaced_and_not_added(store: Store) -> None:
    store.begin(TROUBLE.header)
    for _ in range(2):
        store.finish(TROUBLE.header.run_id, TROUBLE, "finished")
    assert len(rows(store, "SELECT * FROM verdicts")) == len(TROUBLE.verdicts)
    assert len(rows(store, "SELECT * FROM findings")) == len(TROUBLE.findings)
    assert len(rows(store, "SELECT * FROM caveats")) == 7
    assert rows(store, 'SELECT "TTFT p50 (ms)" FROM step_list WHERE "step" = \'concurrency 50\'') == [(642.0,)]
    assert rows(store, "SELECT count(*) FROM gate_list WHERE verdict = 'fail'") == [(3,)]


def test_the_views_say_times_in_milliseconds_after_the_start(store: Store) -> None:
    store.begin(CLEAN.header)
    store.remember(RUN, window(requests=2))
    told = rows(
        store,
        'SELECT "step", seq, outcome, "due (ms)", "sent (ms)", "first (ms)", "last (ms)", "done (ms)",'
        ' "largest gap (ms)" FROM request_list',
    )
    assert told == [
        ("concurrency 1", 0, "ok", 0.0, 0.3, 200.0, 260.0, 261.0, 20.0),
        ("concurrency 1", 1, "ok", 10.0, 10.3, 210.0, 270.003, 271.003, 20.001),
    ]


def test_an_interrupted_window_gives_way_to_a_new_one(store: Store) -> None:
    store.begin(CLEAN.header)
    store.remember(RUN, window(ending=Ending.INTERRUPTED), CLEAN.steps[0].metrics)
    store.remember(RUN, window(requests=7))
    assert store.load(RUN).observations == (window(requests=7),)
    assert rows(store, "SELECT count(*) FROM requests") == [(7,)]
    assert rows(store, "SELECT attempts FROM steps") == [(100,)]  # figures stay until new ones come


def test_a_whole_window_is_never_replaced(store: Store) -> None:
    store.begin(CLEAN.header)
    store.remember(RUN, window())
    with pytest.raises(StoreError, match=r"window 0 of concurrency 1 is stored already"):
        store.remember(RUN, window(requests=7))
    assert store.load(RUN).observations == (window(),)


def test_a_run_that_ended_early_is_resumed_once(store: Store) -> None:
    store.begin(CLEAN.header)
    store.finish(RUN, CLEAN, "interrupted")
    assert store.kept(RUN) is not None
    assert gate_words(store, RUN)
    store.resume(RUN)
    assert store.kept(RUN) is None
    assert gate_words(store, RUN) == ()
    assert rows(store, "SELECT count(*) FROM caveats UNION SELECT count(*) FROM findings") == [(0,)]
    assert store.list_runs()[0].status == "running"
    assert store.load(RUN).finished is None
    with pytest.raises(StoreError, match=r"process \d+ still works on this run"):
        store.resume(RUN)


def test_a_finished_run_is_not_resumed(store: Store) -> None:
    store.begin(CLEAN.header)
    store.finish(RUN, CLEAN, "finished")
    with pytest.raises(StoreError, match="finished"):
        store.resume(RUN)


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        pytest.param("20261121-014307-aa", "20261121-014307-aa", id="an id that others begin with"),
        pytest.param("20261121-014307-aab", "20261121-014307-aabb", id="a unique beginning"),
        pytest.param("latest", "20261122-000000-cc", id="the newest"),
    ],
)
def test_a_run_is_found_by_its_beginning(store: Store, prefix: str, found: str) -> None:
    for run_id, created in (("20261121-014307-aabb", "1"), ("20261122-000000-cc", "3"), ("20261121-014307-aa", "2")):
        store.begin(replace(CLEAN.header, run_id=run_id, created=created))
    assert store.find(prefix) == found


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        pytest.param("2026", r"2 runs begin so.*20261121-01, 20261121-02", id="candidates are named"),
        pytest.param("%", "no such run in", id="a wildcard is no wildcard"),
        pytest.param("2027", "`llmload runs` lists them", id="none"),
    ],
)
def test_a_beginning_that_is_not_unique_is_refused(store: Store, prefix: str, said: str) -> None:
    for run_id in ("20261121-01", "20261121-02"):
        store.begin(replace(CLEAN.header, run_id=run_id))
    with pytest.raises(UsageError, match=said):
        store.find(prefix)


def test_latest_of_an_empty_store_is_a_mistake_of_the_user(store: Store) -> None:
    with pytest.raises(UsageError, match="no such run"):
        store.find("latest")


def test_the_history_is_newest_first_and_can_be_narrowed(store: Store) -> None:
    for day, name in enumerate(("chat", "batch", "chat")):
        store.begin(replace(CLEAN.header, run_id=f"r{day}", scenario=name, created=f"2026-11-2{day}T00:00:00.000Z"))
    assert [run.run_id for run in store.list_runs()] == ["r2", "r1", "r0"]
    assert [run.run_id for run in store.list_runs(scenario="chat", limit=1)] == ["r2"]


def test_reading_a_store_that_is_not_there_makes_none(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    with pytest.raises(UsageError, match="there is no store here"), open_existing(path):
        pass
    assert not path.exists()
