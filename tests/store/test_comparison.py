"""What runs are compared by comes back from the store as it was judged, infinite figures included."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmload.baseline import (
    SIDE_LABEL,
    Baseline,
    Design,
    Difference,
    Estimate,
    Estimates,
    Incomparable,
    NoBaseline,
    PastRun,
    Reference,
)
from llmload.domain import RunResult
from llmload.store.database import Store, open_store
from tests.recorded_runs import CLEAN, TROUBLE

FIGURES: Estimates = {
    "p95(ttft)": Estimate(120.5, 0.031),
    "mean(e2e)": Estimate(900.0),
    "p99(ttft)": Estimate(math.inf),
}
FINGERPRINT = {"framework": "vllm", "model": "tiny"}

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_estimates = st.dictionaries(
    _texts,
    st.builds(Estimate, st.floats(allow_nan=False, min_value=0), st.none() | st.floats(0, 10)),
    max_size=4,
)
_runs = st.builds(PastRun, _texts, _texts, _texts, st.dictionaries(_texts, _estimates, max_size=3))
_references = st.one_of(
    st.builds(NoBaseline, _texts, _texts),
    st.builds(Incomparable, _texts, st.lists(st.builds(Difference, _texts, _texts, _texts), max_size=3).map(tuple)),
    st.builds(
        Baseline,
        _texts,
        _texts,
        st.dictionaries(_texts, _texts, max_size=3),
        st.lists(_runs, max_size=3).map(tuple),
        st.sampled_from(Design),
    ),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with open_store(tmp_path_factory.mktemp("store") / "runs.db") as opened:
        yield opened


def remember(store: Store, result: RunResult, status: str = "finished") -> None:
    store.begin(result.header)
    store.finish(result.header.run_id, result, status)


def run_of(run_id: str, scenario: str = "chat", **changes: object) -> RunResult:
    """The clean run under another name, with estimates at its first step."""
    header = replace(CLEAN.header, run_id=run_id, scenario=scenario, created=f"2026-11-21T00:00:00.{run_id}")
    steps = (replace(CLEAN.steps[0], estimates=FIGURES), *CLEAN.steps[1:])
    return replace(CLEAN, header=header, steps=steps, fingerprint=FINGERPRINT, **changes)  # type: ignore[arg-type]  # each test names fields of a run


@settings(max_examples=60, deadline=None)
@given(_references)
def test_what_a_run_was_judged_against_comes_back(store: Store, reference: Reference) -> None:
    run = run_of(f"reference-{len(store.list_runs())}", reference=reference)
    remember(store, run)
    assert store.load(run.header.run_id).reference == reference


def test_a_run_without_relative_gates_was_judged_against_nothing(store: Store) -> None:
    remember(store, run_of("absolute"))
    assert store.load("absolute").reference is None


@pytest.mark.parametrize("document", ["{}", "[]", "{", '{"kind": "Baseline", "runs": [[1]]}', '{"differing": [[1]]}'])
def test_a_reference_that_cannot_be_read_is_no_baseline(store: Store, document: str) -> None:
    run_id = f"damaged {document}"
    remember(store, run_of(run_id, reference=NoBaseline("none", "record one")))
    with sqlite3.connect(store.path) as connection:
        query = "UPDATE baselines SET document = ? WHERE run = (SELECT run FROM runs WHERE run_id = ?)"
        connection.execute(query, (document, run_id))
    connection.close()
    found = store.load(run_id).reference
    assert isinstance(found, NoBaseline)
    assert "can no longer be read" in found.because


def test_estimates_come_back_by_step_and_climb(store: Store) -> None:
    climbs = ({"p95(ttft)": Estimate(118.0, 0.04)}, {"p95(ttft)": Estimate(math.inf)})
    run = run_of("climbs")
    run = replace(run, steps=(replace(run.steps[0], repeats=climbs), *run.steps[1:]))
    remember(store, run)
    label = CLEAN.steps[0].step.label
    assert store.estimates("climbs") == {label: FIGURES}
    assert [store.estimates("climbs", repeat) for repeat in (0, 1)] == [{label: climb} for climb in climbs]


def test_a_second_judgement_replaces_the_first(store: Store) -> None:
    remember(store, run_of("twice", reference=NoBaseline("none", "record one")))
    first = run_of("twice")
    fewer = replace(first, steps=(replace(first.steps[0], estimates={"goodput": Estimate(1.0)}), *first.steps[1:]))
    store.finish("twice", fewer, "finished")
    assert store.estimates("twice") == {CLEAN.steps[0].step.label: {"goodput": Estimate(1.0)}}
    assert store.load("twice").reference is None


def test_a_figure_that_is_no_number_is_left_out(store: Store) -> None:
    run = run_of("nan")
    odd = replace(run.steps[0], estimates={"goodput": Estimate(math.nan), "rps": Estimate(3.0)})
    remember(store, replace(run, steps=(odd,)))
    assert store.estimates("nan") == {odd.step.label: {"rps": Estimate(3.0)}}


def test_the_history_tells_finished_runs_of_the_scenario_oldest_first(tmp_path: Path) -> None:
    with open_store(tmp_path / "runs.db") as store:
        environment = {"git_commit": "c0ffee", "git_branch": "main"}
        old = run_of("001")
        remember(store, replace(old, header=replace(old.header, environment=environment)))
        remember(store, run_of("004", "batch"))
        remember(store, run_of("003"))
        remember(store, run_of("002"), "interrupted")
        remember(store, replace(TROUBLE, header=replace(TROUBLE.header, scenario="other")))
        first, second = store.history("chat")
    assert (first.run_id, first.commit, first.branch, first.exit_code) == ("001", "c0ffee", "main", 0)
    assert (second.run_id, second.commit, second.branch) == ("003", "", "")
    assert first.fingerprint == FINGERPRINT
    assert first.steps == {CLEAN.steps[0].step.label: FIGURES}
    assert first.past == PastRun("001", old.header.created, "c0ffee", first.steps)


def test_the_sides_of_an_a_b_are_no_history(tmp_path: Path) -> None:
    with open_store(tmp_path / "runs.db") as store:
        for run_id, labels in (("001", {"team": "a"}), ("002", {SIDE_LABEL: "A"}), ("003", {SIDE_LABEL: "B"})):
            run = run_of(run_id)
            remember(store, replace(run, header=replace(run.header, labels=labels)))
        assert [run.run_id for run in store.finished_runs("chat")] == ["001"]


def test_the_history_can_be_asked_for_some_figures_and_for_none(store: Store) -> None:
    remember(store, run_of("some", "figures"))
    (whole,), (some,), (none,) = (
        store.history("figures"),
        store.history("figures", ["p95(ttft)"]),
        store.finished_runs("figures"),
    )
    label = CLEAN.steps[0].step.label
    assert whole.steps == {label: FIGURES}
    assert some.steps == {label: {"p95(ttft)": FIGURES["p95(ttft)"]}}
    assert none.steps == {}


def test_the_history_of_thousands_of_runs_takes_less_than_a_second_for_one_figure(tmp_path: Path) -> None:
    """Two thousand of the ten thousand that the design speaks of, in a fifth of the time, on a busy machine."""
    with open_store(tmp_path / "runs.db") as store:
        remember(store, run_of("000000"))
        with store._writing() as connection:
            columns = ", ".join(
                name
                for _, name, *_ in connection.execute("PRAGMA table_info(runs)")
                if name not in ("run", "run_id", "created")
            )
            connection.execute(
                "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
                f" INSERT INTO runs (run, run_id, created, {columns})"
                f" SELECT i, printf('%06d', i), printf('%06d', i), {columns} FROM n, runs WHERE run = 1"
            )
            for table in ("steps", "estimates"):
                rest = ", ".join(
                    name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})") if name != "run"
                )
                connection.execute(
                    f"INSERT INTO {table} (run, {rest}) SELECT copy, {rest} FROM {table},"
                    f" (SELECT run AS copy FROM runs WHERE run > 1) WHERE {table}.run = 1"
                )
        began = time.perf_counter()
        found = store.history("chat", ["p95(ttft)"])
        took = time.perf_counter() - began
    assert len(found) == 2000
    assert all(run.steps for run in found)
    assert took < 1.0
