"""What runs recommend, kept beside them and listed without opening one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from llmload.analysis.alternatives import MOST_ALTERNATIVES
from llmload.capacity import Alternative, Recommendation
from llmload.domain import RunResult
from llmload.store.database import Store, open_store
from llmload.store.recommendations import recommended_run, recommended_runs
from tests.recorded_runs import CLEAN


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "llmload.db") as opened:
        yield opened


def remember(store: Store, day: int, recommendation: Recommendation | None = CLEAN.recommendation) -> RunResult:
    header = replace(CLEAN.header, run_id=f"day-{day:02}", created=f"2026-03-{day:02}T08:00:00.000Z")
    result = replace(CLEAN, header=header, recommendation=recommendation)
    store.begin(header)
    assert result.target is not None
    store.describe(header.run_id, result.target)
    store.finish(header.run_id, result, "finished")
    return result


def test_what_was_kept_is_read_as_it_was(store: Store) -> None:
    remember(store, 1)
    assert CLEAN.recommendation is not None
    without = replace(CLEAN.recommendation, advice=None, headline="TTFT broke the SLO at every step")
    remember(store, 2, without)
    first, second = recommended_run(store, "day-01"), recommended_run(store, "day-02")
    assert first is not None
    assert second is not None
    assert first.recommendation == CLEAN.recommendation
    assert (first.scenario, first.model, first.framework) == ("quickstart", "qwen3-14b", "vllm")
    assert second.recommendation == without


def test_a_recommendation_with_as_many_alternatives_as_there_may_be_is_read_again(store: Store) -> None:
    assert CLEAN.recommendation is not None
    settings = {f"--an-option-with-a-long-name-{n}": "a value that is longer than most" for n in range(60)}
    one = Alternative("NVIDIA L40S", 9, 9, 1, settings, 70.0, None, "9", "day-00", "2026-02-01T08:00:00.000Z")
    crowded = replace(CLEAN.recommendation, alternatives=(one,) * MOST_ALTERNATIVES)
    remember(store, 1, crowded)
    found = recommended_run(store, "day-01")
    assert found is not None
    assert found.recommendation == crowded


def test_a_run_that_recommends_nothing_any_more_is_not_listed(store: Store) -> None:
    result = remember(store, 1)
    store.finish("day-01", replace(result, recommendation=None), "finished")
    assert recommended_run(store, "day-01") is None
    assert recommended_runs(store, 10).runs == ()


def test_pages_are_of_the_newest_first_and_meet_nothing_twice(store: Store) -> None:
    for day in (3, 1, 5, 2, 4):
        remember(store, day)
    remember(store, 6, None)
    first = recommended_runs(store, 2)
    second = recommended_runs(store, 2, first.following)
    last = recommended_runs(store, 2, second.following)
    seen = [each.run_id for page in (first, second, last) for each in page.runs]
    assert seen == ["day-05", "day-04", "day-03", "day-02", "day-01"]
    assert last.following is None


def test_a_page_of_what_cannot_be_read_hides_none_behind_it(store: Store) -> None:
    for day in (1, 2, 3):
        remember(store, day)
    _put(store.path, "{", "day-03")
    page = recommended_runs(store, 1)
    assert (page.runs, page.following) == ((), "day-03")
    assert [each.run_id for each in recommended_runs(store, 1, page.following).runs] == ["day-02"]


def test_the_list_walks_an_index_and_sorts_nothing(store: Store) -> None:
    plans: list[str] = []
    with store.reading() as connection:
        connection.set_trace_callback(plans.append)
    recommended_runs(store, 2)
    with store.reading() as connection:
        connection.set_trace_callback(None)
        (query,) = [each for each in plans if each.startswith("SELECT run_id")]
        plan = [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert "USING INDEX runs_created" in plan[0].replace("COVERING ", "")
    assert not any("TEMP B-TREE" in each for each in plan)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param("", id="nothing"),
        pytest.param("{", id="no JSON"),
        pytest.param("[" * 50_000, id="deeper than anyone reads"),
        pytest.param('{"headline": 1}', id="another shape"),
        pytest.param(" " * 200_000, id="far too long"),
    ],
)
def test_what_cannot_be_read_is_as_if_it_were_not_there(store: Store, document: str) -> None:
    remember(store, 1)
    remember(store, 2)
    _put(store.path, document, "day-02")
    assert recommended_run(store, "day-02") is None
    assert [each.run_id for each in recommended_runs(store, 10).runs] == ["day-01"]


def test_a_figure_beyond_all_counting_is_refused_before_anyone_computes_with_it(store: Store) -> None:
    remember(store, 1)
    with store.reading() as connection:
        (document,) = connection.execute("SELECT document FROM recommendations").fetchone()
    assert '"recommended_count":5' in document.replace(" ", "")
    huge = document.replace(" ", "").replace('"recommended_count":5', f'"recommended_count":{10**400}')
    _put(store.path, huge, "day-01")
    assert recommended_run(store, "day-01") is None


@pytest.mark.parametrize(
    ("said", "lie"),
    [
        ('"peak_concurrency":500', '"peak_concurrency":-500'),
        ('"gpus_per_replica":1', '"gpus_per_replica":0'),
        ('"max_concurrency_at_slo":120.0', '"max_concurrency_at_slo":0'),
        ('"goodput_target_percent":95', '"goodput_target_percent":9500'),
    ],
    ids=["a peak below nothing", "no GPU a replica", "a load of nothing", "a target beyond all"],
)
def test_what_cannot_be_is_not_shown(store: Store, said: str, lie: str) -> None:
    remember(store, 1)
    with store.reading() as connection:
        (document,) = connection.execute("SELECT document FROM recommendations").fetchone()
    assert said in document
    _put(store.path, document.replace(said, lie), "day-01")
    assert recommended_run(store, "day-01") is None
    assert recommended_runs(store, 10).runs == ()


def _put(path: Path, document: str, run_id: str) -> None:
    connection = sqlite3.connect(path)
    query = "UPDATE recommendations SET document = ? WHERE run = (SELECT run FROM runs WHERE run_id = ?)"
    with connection:
        connection.execute(query, (document, run_id))
    connection.close()
