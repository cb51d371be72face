"""What is told of a recommendation beside its headline: open intervals, loads, other servers, hints, the search."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from llmload.capacity import Advice, Hint, Interval, Recommendation
from llmload.reporters.capacity_chart import capacity_curve
from llmload.reporters.capacity_sections import advised, other_settings, recommendation, searched
from llmload.reporters.texts import Language, texts_in
from tests.recorded_runs import CLEAN, TROUBLE

ENGLISH = texts_in(Language.EN)


def _recommended() -> tuple[Recommendation, Advice]:
    assert CLEAN.recommendation is not None
    assert CLEAN.recommendation.advice is not None
    return CLEAN.recommendation, CLEAN.recommendation.advice


FOUND, ADVICE = _recommended()


def _open_above() -> Recommendation:
    intervals = {**ADVICE.intervals, "estimated_max_concurrency": Interval(608, None)}
    return replace(FOUND, advice=replace(ADVICE, intervals=intervals))


def test_an_interval_that_nothing_bounds_says_or_more() -> None:
    rows = {row[0]: row[1:] for row in advised(_open_above(), ENGLISH).estimates.rows}
    assert rows["Concurrency within the SLO"] == ("600", "608 or more")
    assert rows["Replicas"] == ("5", "")


def test_the_curve_has_no_band_where_nothing_bounds_it() -> None:
    def marks(found: Recommendation) -> list[str]:
        chart = capacity_curve(found, ENGLISH)
        assert chart is not None
        return [layer["mark"]["type"] for layer in json.loads(json.dumps(chart.spec))["layer"]]

    assert marks(FOUND).count("area") == 1
    assert marks(_open_above()) == [mark for mark in marks(FOUND) if mark != "area"]


@pytest.mark.parametrize(
    ("each", "counts"),
    [
        pytest.param(2, [2, 4, 6, 8, 10], id="replicas of two GPUs"),
        pytest.param(3, [3, 6, 9, 12], id="replicas of three, by pipelines"),
        pytest.param(None, [1, 2, 3, 4, 5, 6, 7, 8], id="an earlier version told tensor parallelism alone"),
    ],
)
def test_the_curve_grows_by_whole_replicas(each: int | None, counts: list[int]) -> None:
    advice = replace(ADVICE, recommended_count=6, gpus_per_replica=each)
    chart = capacity_curve(replace(FOUND, advice=advice), ENGLISH)
    assert chart is not None
    layers = json.loads(json.dumps(chart.spec))["layer"]
    assert [row["gpus"] for row in layers[0]["data"]["values"]] == counts


def test_each_load_says_whether_it_holds_the_lightest_first() -> None:
    told = recommendation(CLEAN, ENGLISH)
    assert told is not None
    assert [row[:2] for row in told.loads.rows][-2:] == [("120", "holds"), ("160", "broken")]
    assert told.loads.rows[-1][3:6] == ("72.12%", "69.41% to 74.73%", "4,236")


def test_other_servers_are_told_as_given_with_what_differs_and_unknown_costs() -> None:
    told = recommendation(CLEAN, ENGLISH)
    assert told is not None
    cheap, unknown = told.alternatives.rows
    assert cheap[:3] == ("NVIDIA L40S", "9", "9 × 1")
    assert cheap[5:8] == ("7,227", "0.169", "none")
    assert unknown[4:8] == ("n/a", "unknown", "unknown", "tensor_parallel_size 2")


def test_of_many_settings_the_first_are_named_and_the_others_counted() -> None:
    settings = {f"s{place}": "x" * 500 for place in range(9)}
    told = other_settings(settings, {}, ENGLISH)
    assert told.endswith(" and 5 more")
    assert len(told) < 400


def test_hints_stand_under_what_they_are_of() -> None:
    hints = (Hint("cost", "B"), Hint("news", "C"), Hint("demand", "A"), Hint("cost", "D"))
    told = advised(replace(FOUND, hints=hints), ENGLISH).hints
    assert told == [("The demand", ["A"]), ("Cost", ["B", "D"]), ("Also", ["C"])]


def test_without_advice_it_says_what_to_do() -> None:
    told = recommendation(TROUBLE, ENGLISH)
    assert told is not None
    assert (told.estimates.rows, told.formula) == ((), "")
    assert told.to_do.startswith("Loosen the SLO")
    assert advised(FOUND, ENGLISH).to_do == ""


@pytest.mark.parametrize(
    ("resolved", "told"),
    [
        pytest.param('{"spec": {"load": {"concurrency": [1, 8, 32, 64, 160]}}}', "concurrency 120", id="one of them"),
        pytest.param('{"spec": {"load": {"concurrency": [1, 8, 32, 64, 120, 160]}}}', "", id="none of them"),
        pytest.param("{}", "", id="the ladder is not known"),
        pytest.param("[[[", "", id="the document is damaged"),
    ],
)
def test_loads_that_only_the_search_chose_are_named(resolved: str, told: str) -> None:
    steps = tuple(replace(step, verdicts=()) if step.step.value == 120 else step for step in CLEAN.steps)
    run = replace(CLEAN, steps=steps, header=replace(CLEAN.header, resolved=resolved))
    words = searched(run, ENGLISH)
    assert words == (ENGLISH["advice.searched"].format(steps=told) if told else "")
