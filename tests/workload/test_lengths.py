"""Lengths follow what the scenario asks for."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.domain import TokenFit, TokenSource
from llmload.scenario.lengths import Fixed, Lengths, Lognormal, Normal, Uniform
from llmload.workload.lengths import draw, longest
from llmload.workload.plan import Plan

UNIT = st.floats(2**-64, 1)


def lengths_of(asked: Lengths, count: int = 20_000) -> list[int]:
    fit = TokenFit(0, 1, 0, TokenSource.USAGE)
    plan = Plan(seed=1, step=0, look=0, input_tokens=Fixed(1), output_tokens=asked, unique=True, fit=fit)
    return [plan.request(index).output_tokens for index in range(count)]


@pytest.mark.parametrize(
    ("asked", "mean", "stdev"),
    [
        pytest.param(Fixed(77), 77, 0, id="fixed"),
        pytest.param(Normal(500, 80, 1, 10_000), 500, 80, id="normal"),
        pytest.param(Uniform(100, 300), 200, 58.0, id="uniform"),
        pytest.param(Lognormal(300, 150, 1, 100_000), 300, 150, id="lognormal, of the lengths themselves"),
    ],
)
def test_mean_and_spread_are_as_asked(asked: Lengths, mean: float, stdev: float) -> None:
    drawn = lengths_of(asked)
    assert statistics.mean(drawn) == pytest.approx(mean, rel=0.02)
    assert statistics.pstdev(drawn) == pytest.approx(stdev, rel=0.05)


def test_a_uniform_length_reaches_both_of_its_ends() -> None:
    assert set(lengths_of(Uniform(3, 6), 200)) == {3, 4, 5, 6}


ASKED = st.one_of(
    st.builds(Fixed, st.integers(1, 10_000)),
    st.tuples(st.integers(1, 500), st.integers(0, 500)).map(lambda ends: Uniform(ends[0], ends[0] + ends[1])),
    st.builds(Normal, st.floats(1, 500), st.floats(0, 500), st.integers(1, 50), st.integers(50, 900)),
    st.builds(Lognormal, st.floats(1, 500), st.floats(0, 500), st.integers(1, 50), st.integers(50, 900)),
)


@given(ASKED, UNIT, UNIT)
def test_no_length_leaves_its_bounds(asked: Lengths, first: float, second: float) -> None:
    length = draw(asked, first, second)
    match asked:
        case Fixed(tokens):
            assert length == tokens
        case Uniform(low, high):
            assert low <= length <= high
        case Normal(_, _, minimum, maximum) | Lognormal(_, _, minimum, maximum):
            assert minimum <= length <= maximum
    assert length <= longest(asked)
