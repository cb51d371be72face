"""Which earlier runs a run is compared with, and how well they go together."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.analysis.baselines import (
    Outlier,
    Spread,
    choose,
    differences,
    fingerprint_id,
    outliers,
    spread_of,
)
from llmload.baseline import Baseline, Difference, Estimate, Incomparable, NoBaseline, PastRun

LOAD = '{"OpenLoop":{"arrival":{"Poisson":{}},"rate_per_s":[4.0]}}'
OURS = {"gpu": "H100", "model": "tiny", "load": LOAD}
ABSENT = NoBaseline("nothing anywhere", "record one")


def past(run_id: str, created: str = "2026-11-21T00:00:00Z", **figures: float) -> PastRun:
    return PastRun(run_id, created, "", {"concurrency 1": {name: Estimate(value) for name, value in figures.items()}})


def baseline(source: str, day: int = 1, **changes: str) -> Baseline:
    runs = (past("old", "2026-01-01T00:00:00Z"), past("new", f"2026-11-{day:02}T00:00:00Z"))
    return Baseline(source, "chat", {**OURS, **changes}, runs)


def test_the_one_with_the_same_fingerprint_is_chosen_however_old_it_is() -> None:
    same = baseline("same", 1)
    assert choose([baseline("other", 20, gpu="A100"), same], OURS, ABSENT) is same


def test_of_two_with_the_same_fingerprint_the_newest_is_chosen() -> None:
    newer = baseline("newer", 20)
    assert choose([baseline("older", 3), newer, baseline("oldest", 2)], OURS, ABSENT) is newer


def test_without_any_it_is_said_what_was_searched() -> None:
    assert choose([], OURS, ABSENT) is ABSENT
    assert choose([Baseline("emptied", "chat", OURS, ())], OURS, ABSENT) is ABSENT


def test_of_others_the_nearest_says_what_differs_and_of_those_the_newest() -> None:
    far = baseline("far", 28, gpu="A100", model="large")
    near, newest = baseline("near", 2, gpu="A100"), baseline("newest", 9, gpu="B200")
    found = choose([far, near, newest], OURS, ABSENT)
    assert found == Incomparable("newest", (Difference("gpu", "B200", "H100"),))


@pytest.mark.parametrize(
    ("theirs", "ours", "told"),
    [
        pytest.param({"gpu": "A100"}, {"gpu": "H100"}, [("gpu", "A100", "H100")], id="a plain key"),
        pytest.param({}, {"driver": "550"}, [("driver", "", "550")], id="one that they did not tell"),
        pytest.param({"driver": "550"}, {}, [("driver", "550", "")], id="one that we do not tell"),
        pytest.param(
            {"load": LOAD},
            {"load": LOAD.replace("[4.0]", "[8.0]")},
            [("load.OpenLoop.rate_per_s", "[4.0]", "[8.0]")],
            id="one member of the load",
        ),
        pytest.param(
            {"framework_config": '{"a":1,"b":true,"c":"x"}'},
            {"framework_config": '{"a":1,"c":"y"}'},
            [("framework_config.b", "true", ""), ("framework_config.c", "x", "y")],
            id="two settings of many",
        ),
        pytest.param(
            {"load": LOAD},
            {"load": '{"ClosedLoop":{"concurrency":[1]}}'},
            [
                ("load.ClosedLoop", "", '{"concurrency":[1]}'),
                ("load.OpenLoop", '{"arrival":{"Poisson":{}},"rate_per_s":[4.0]}', ""),
            ],
            id="another kind of load",
        ),
        pytest.param({"x": "{not json"}, {"x": '{"a":1}'}, [("x", "{not json", '{"a":1}')], id="what only looks so"),
        pytest.param({"x": '{"a":1}'}, {"x": '{"a": 1}'}, [("x", '{"a":1}', '{"a": 1}')], id="another spelling"),
        pytest.param({"x": "a" * 500}, {"x": "b"}, [("x", "a" * 120 + "…", "b")], id="a long value"),
    ],
)
def test_a_difference_names_what_differs_and_no_more(
    theirs: Mapping[str, str], ours: Mapping[str, str], told: list[tuple[str, str, str]]
) -> None:
    assert [(each.key, each.theirs, each.ours) for each in differences(theirs, ours)] == told


def test_values_nested_without_end_are_told_and_not_followed() -> None:
    deep = '{"a":' * 900 + "1" + "}" * 900
    (found,) = differences({"x": deep}, {"x": deep.replace("1", "2")})
    assert found.key == "x.a.a.a"
    assert len(found.theirs) <= 121


@given(st.dictionaries(st.text(), st.text(min_size=1)), st.dictionaries(st.text(), st.text(min_size=1)))
def test_fingerprints_differ_exactly_where_they_are_not_the_same(left: dict[str, str], right: dict[str, str]) -> None:
    assert (differences(left, right) == ()) == (left == right)
    assert (fingerprint_id(left) == fingerprint_id(right)) == (left == right)


def test_the_id_of_a_fingerprint_does_not_depend_on_the_order_of_its_keys() -> None:
    turned = dict(reversed(OURS.items()))
    assert fingerprint_id(turned) == fingerprint_id(OURS) == fingerprint_id(json.loads(json.dumps(OURS)))
    assert len(fingerprint_id(OURS)) == 12
    assert int(fingerprint_id(OURS), 16)


def test_the_spread_is_that_of_the_runs_that_have_the_figure() -> None:
    runs = [past("a", x=90.0), past("b", x=110.0), past("c", y=1.0)]
    found = spread_of(runs, "concurrency 1", "x")
    assert found is not None
    assert (found.runs, found.mean) == (2, 100.0)
    assert found.cv == pytest.approx(math.sqrt(200) / 100)
    assert spread_of(runs, "concurrency 1", "y") == Spread(1, 1.0, None)
    assert spread_of(runs, "concurrency 1", "z") is None
    assert spread_of([*runs, past("d", x=math.inf)], "concurrency 1", "x") == Spread(3, math.inf, None)


@pytest.mark.parametrize(
    ("value", "is_out"),
    [
        pytest.param(103.0, False, id="among them"),
        pytest.param(118.0, False, id="within twenty percent, however alike the others are"),
        pytest.param(150.0, True, id="half as much again"),
        pytest.param(50.0, True, id="half of it"),
        pytest.param(math.inf, True, id="all failed"),
    ],
)
def test_a_run_that_lies_far_out_is_named_with_its_figure(value: float, is_out: bool) -> None:
    runs = [past(f"r{n}", rps=100.0 + 0.5 * n) for n in range(8)]
    found = outliers([*runs, past("odd", rps=value)])
    assert [(each.run_id, each.figure) for each in found] == ([("odd", "rps")] if is_out else [])


def test_a_run_is_named_once_with_its_worst_figure_and_tails_are_let_be() -> None:
    runs = [past(f"r{n}", **{"rps": 100.0 + n % 3, "p50(e2e)": 50.0 + n % 2, "p99(ttft)": 9.0 + n}) for n in range(8)]
    (found,) = outliers([*runs, past("odd", **{"rps": 130.0, "p50(e2e)": 500.0, "p99(ttft)": 9e9})])
    assert found == Outlier("odd", "concurrency 1", "p50(e2e)", pytest.approx(10.0, rel=0.02))


def test_of_healthy_runs_hardly_any_set_has_one_that_is_named() -> None:
    draw = random.Random(7)
    figures = ("rps", "mean(ttft)", "p95(ttft)", "p50(tpot)", "p95(e2e)")
    named = 0
    for _ in range(400):
        runs = [past(f"r{n}", **{name: math.exp(draw.gauss(4.0, 0.06)) for name in figures}) for n in range(8)]
        named += bool(outliers(runs))
    assert named <= 8  # 2 %, with five figures that know nothing of each other and differ by 6 %


def test_of_a_few_runs_none_lies_out() -> None:
    assert outliers([past("a", rps=1.0), past("b", rps=2.0), past("c", rps=900.0)]) == ()
