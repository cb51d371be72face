"""The history of runs in the store: which runs a filter lets through, page by page, and never by reading documents."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.domain import RunResult, StepResult
from llmload.store.database import Store, open_store
from llmload.store.history import PAGE, After, Before, Cursor, Filter, HistoryRow, Place, history
from llmload.store.opening import TEXT
from llmload.verdict import Status
from tests.recorded_runs import CLEAN, FROM_LOADTEST, TROUBLE
from tests.site.stores import FAILED, RECORDED, RUNNING, UNTOLD

WITHOUT_RESULT = {RUNNING, FAILED, UNTOLD}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """So many runs, several at the same instant, that they fill pages; each with wide documents."""
    path = tmp_path_factory.mktemp("many") / "llmload.db"
    with open_store(path) as store:
        for number in range(3 * PAGE + 7):
            labels = {"team": "abc"[number % 3], "n": str(number)}
            header = replace(
                CLEAN.header,
                run_id=f"run-{number * 7919 % 1000:03}",
                created=f"2026-01-01T00:{number // 4 // 60:02}:{number // 4 % 60:02}.000Z",
                scenario=f"scenario-{number % 2}",
                labels=labels,
            )
            store.begin(header)
            result = replace(CLEAN, header=header)
            store.finish(header.run_id, result, "interrupted" if number % 5 == 0 else "finished")
    return path


@contextmanager
def reading(path: Path) -> Iterator[Store]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)) as connection:
        connection.text_factory = TEXT
        yield Store(path, connection)


def pages(store: Store, wanted: Filter) -> list[tuple[HistoryRow, ...]]:
    """All pages of a filter, from the newest on, as a reader turns them."""
    found, cursor = [], None
    while True:
        page = history(store, wanted, cursor)
        found.append(page.runs)
        if page.older is None:
            return found
        cursor = page.older


@pytest.mark.parametrize(
    ("wanted", "which"),
    [
        pytest.param(Filter(), lambda run: True, id="any run"),
        pytest.param(Filter(scenario="quickstart"), lambda run: run.header.scenario == "quickstart", id="a scenario"),
        pytest.param(Filter(model="qwen3-14b"), lambda run: _model(run) == "qwen3-14b", id="a model"),
        pytest.param(Filter(framework="openai"), lambda run: _framework(run) == "openai", id="a framework"),
        pytest.param(Filter(verdict=Status.FAIL), lambda run: run.status is Status.FAIL, id="a verdict"),
        pytest.param(Filter(status="imported"), lambda run: run.is_imported, id="a status"),
        pytest.param(Filter(labels=(("tier", "pr"),)), lambda run: run.header.labels.get("tier") == "pr", id="a label"),
        pytest.param(
            Filter(scenario="regression", model="qwen3-14b", verdict=Status.FAIL, labels=(("team", "serving"),)),
            lambda run: run.header.scenario == "regression" and run.status is Status.FAIL,
            id="several at once",
        ),
        pytest.param(Filter(scenario="x'; DROP TABLE runs; --"), lambda run: False, id="a scenario that is SQL"),
        pytest.param(Filter(scenario="QUICKSTART"), lambda run: False, id="names are not folded"),
    ],
)
def test_a_filter_lets_through_what_it_names(filled: Path, wanted: Filter, which: object) -> None:
    assert callable(which)
    expected = {run.header.run_id for run in RECORDED if which(run)}
    with reading(filled) as store:
        found = history(store, wanted)
    ids = {run.run_id for run in found.runs} - WITHOUT_RESULT
    assert ids == expected
    assert found.count == len(found.runs)
    assert found.total == len(RECORDED) + len(WITHOUT_RESULT)


def _model(run: RunResult) -> str | None:
    return None if run.target is None else run.target.model


def _framework(run: RunResult) -> str | None:
    return None if run.target is None else run.target.framework


def test_the_figures_are_those_of_the_headline_step(filled: Path) -> None:
    with reading(filled) as store:
        (row,) = history(store, Filter(scenario=TROUBLE.header.scenario)).runs
    assert (row.status, row.verdict) == ("finished", Status.FAIL)
    step = next(each for each in TROUBLE.steps if each.step.label == row.step)
    metrics = step.metrics
    assert (row.goodput, row.error_rate, row.output_tps) == (metrics.goodput, metrics.error_rate, metrics.output_tps)
    assert row.ttft_p99_ms == metrics.latency["ttft"].p99_ms
    assert row.because == TROUBLE.because
    assert "\ud800" not in "".join((*row.labels, *row.labels.values()))


@pytest.mark.parametrize(
    ("steps", "headline"),
    [
        pytest.param(tuple(replace(step, verdicts=()) for step in CLEAN.steps), "concurrency 120", id="no gates"),
        pytest.param(CLEAN.steps, "concurrency 160", id="a gated step"),
    ],
)
def test_the_headline_of_a_search_without_gates_is_the_capacity_that_it_found(
    tmp_path: Path, steps: tuple[StepResult, ...], headline: str
) -> None:
    with open_store(tmp_path / "llmload.db") as store:
        store.begin(CLEAN.header)
        store.finish(CLEAN.header.run_id, replace(CLEAN, steps=steps), "finished")
    with reading(tmp_path / "llmload.db") as store:
        (row,) = history(store, Filter()).runs
    assert row.step == headline


def test_pages_turn_forth_and_back_and_leave_no_run_out(many: Path) -> None:
    with reading(many) as store:
        forth = pages(store, Filter())
        rows = [row for page in forth for row in page]
        assert [len(page) for page in forth] == [PAGE, PAGE, PAGE, 7]
        assert rows == sorted(rows, key=lambda row: (row.created, row.run_id), reverse=True)
        assert len({row.run_id for row in rows}) == 3 * PAGE + 7
        last = history(store, Filter(), Before(forth[2][-1].place))
        assert last.newer is not None
        assert history(store, Filter(), last.newer).runs == forth[2]
        assert history(store, Filter(), After(forth[1][0].place)).runs == forth[0]
        assert history(store, Filter(), After(forth[1][0].place)).newer is None


PLACES = st.builds(Place, st.sampled_from(["", "2026-01-01T00:00:20.000Z", "2026", "z", "\0"]), st.text(max_size=9))


@given(cursor=st.one_of(st.none(), PLACES.map(Before), PLACES.map(After)))
def test_any_place_is_a_place(many: Path, cursor: Cursor | None) -> None:
    with reading(many) as store:
        page = history(store, Filter(scenario="scenario-1"), cursor)
    places = [(row.created, row.run_id) for row in page.runs]
    assert places == sorted(places, reverse=True)
    match cursor:
        case Before(place):
            assert all(each < (place.created, place.run_id) for each in places)
        case After(place):
            assert all(each > (place.created, place.run_id) for each in places)


def test_a_run_whose_process_died_is_told_as_aborted_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "llmload.db"
    begin = (
        "import sys; from pathlib import Path; from llmload.store.database import open_store;"
        "from tests.recorded_runs import CLEAN\n"
        "with open_store(Path(sys.argv[1])) as store: store.begin(CLEAN.header)"
    )
    subprocess.run([sys.executable, "-c", begin, str(path)], check=True, timeout=60, cwd=Path(__file__).parents[2])
    with open_store(path) as store:
        store.begin(replace(CLEAN.header, run_id="going-on"))
    before = path.read_bytes()
    with reading(path) as store:
        found = history(store, Filter())
        statuses = {row.run_id: row.status for row in found.runs}
        assert statuses == {CLEAN.header.run_id: "aborted", "going-on": "running"}
        assert [each.run_id for each in found.running] == ["going-on"]
        assert [row.run_id for row in history(store, Filter(status="aborted")).runs] == [CLEAN.header.run_id]
        assert [row.run_id for row in history(store, Filter(status="running")).runs] == ["going-on"]
        assert {each.value: each.runs for each in found.choices.status} == {"aborted": 1, "running": 1}
    assert path.read_bytes() == before


def test_what_may_be_asked_for_is_what_there_is(filled: Path) -> None:
    with reading(filled) as store:
        choices = history(store, Filter()).choices
    assert {each.value: each.runs for each in choices.scenario}["quickstart"] == 16
    assert {each.value for each in choices.framework} == {"openai", "vllm"}
    assert "tier=pr" in {each.value for each in choices.label}


def test_a_trend_is_of_the_last_finished_runs_oldest_first(filled: Path) -> None:
    with reading(filled) as store:
        found = history(store, Filter())
    trend = found.trends["quickstart"]
    assert [point.run_id for point in trend[:2]] == ["20260201-080000-00000001", "20260202-080000-00000002"]
    assert trend[-1].run_id == CLEAN.header.run_id
    assert not {point.run_id for point in trend} & WITHOUT_RESULT
    assert found.trends[FROM_LOADTEST.header.scenario] == ()


def test_no_query_scans_a_table_or_sorts_many_rows(many: Path) -> None:
    """Only indexes are walked; the runs of a page are looked up by their keys."""
    wanted = Filter("scenario-0", "qwen3-14b", "vllm", Status.PASS, "aborted", (("team", "a"), ("n", "3")))
    told: list[str] = []
    with closing(sqlite3.connect(f"file:{many}?mode=ro", uri=True, isolation_level=None)) as connection:
        connection.set_trace_callback(told.append)
        store = Store(many, connection)
        for cursor in (None, Before(Place("2026-02", "")), After(Place("2025", ""))):
            for each in (wanted, Filter(), Filter(status="finished"), Filter(labels=(("team", "a"),))):
                history(store, each, cursor)
        connection.set_trace_callback(None)
        queries = {query for query in told if query.startswith("SELECT")}
        steps = {(query, step) for query in queries for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {query}")}
    assert len(queries) > 20
    walked = {step for _, step in steps if step.startswith("SCAN")}
    assert {step for step in walked if "COVERING INDEX" not in step} <= {
        "SCAN json_each VIRTUAL TABLE INDEX 1:",
        "SCAN run_labels",  # WITHOUT ROWID: the table is its index, and has no more than that
        "SCAN running",  # at most 500 keys
        "SCAN CONSTANT ROW",
    }
    whole = {query for query, step in steps if "USING INDEX" in step and "COVERING" not in step}
    assert all("LIMIT" in query for query in whole)
