"""Numbers that people can read, and that never contradict a verdict."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.promises import Bound, Gate
from llmload.reporters.figures import amount, bare_milliseconds, milliseconds, of_gate, percent


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "n/a"),
        (float("nan"), "n/a"),
        (0.0, "0 ms"),
        (0.0421, "0.042 ms"),
        (8.4249, "8.42 ms"),
        (84.249, "84.2 ms"),
        (912.4, "912 ms"),
        (1219.8, "1,220 ms"),
        (12345.6, "12.3 s"),
    ],
)
def test_a_latency_has_about_three_digits(value: float | None, shown: str) -> None:
    assert milliseconds(value) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (None, "n/a"),
        (0.0, "0%"),
        (1.0, "100%"),
        (0.29, "29%"),
        (0.9526, "95.26%"),
        (0.90688, "90.68%"),
        (0.999996, "99.99%"),
        (0.000012, "0.001%"),
    ],
)
def test_a_share_never_reads_as_none_or_all_unless_it_is(share: float | None, shown: str) -> None:
    assert percent(share) == shown


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        pytest.param(percent(0.05001, 0.05), "5.001%", id="share just over"),
        pytest.param(percent(0.94999, 0.95), "94.99%", id="share just under"),
        pytest.param(milliseconds(800.3, 800), "800.3 ms", id="latency just over"),
        pytest.param(milliseconds(800, 800), "800 ms", id="latency on the limit"),
        pytest.param(milliseconds(10_020, 10_000), "10.02 s", id="seconds"),
        pytest.param(amount(1800.2, 1800), "1,800.2", id="rate"),
    ],
)
def test_a_figure_beside_its_limit_does_not_read_as_the_limit(shown: str, expected: str) -> None:
    assert shown == expected


@given(st.floats(0, 1), st.floats(0, 1))
def test_two_shares_a_hundred_thousandth_apart_read_differently(share: float, limit: float) -> None:
    if abs(share - limit) > 1e-5:
        assert percent(share, limit) != percent(limit, share)


@pytest.mark.parametrize(
    ("gate", "value", "shown"),
    [
        (Gate("goodput", Bound(">=", 0.9)), 0.5, "50%"),
        (Gate("ttft", Bound("<=", 500.0), stat="p95"), 12.0, "12.0 ms"),
        (Gate("rps", Bound(">=", 5.0)), 4.256, "4.26/s"),
        (Gate("output_tps", Bound(">=", 5.0)), 1182.4, "1,182 tok/s"),
        (Gate("output_tps", Bound(">=", 5.0)), None, "n/a"),
    ],
)
def test_a_figure_of_a_gate_carries_its_unit(gate: Gate, value: float | None, shown: str) -> None:
    assert of_gate(gate, value) == shown


def test_a_bare_latency_stays_in_milliseconds() -> None:
    assert bare_milliseconds(45_678.0) == "45,678"
    assert bare_milliseconds(None) == "n/a"
