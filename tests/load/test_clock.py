"""The offset of another clock: never further from the truth than its own bound."""

from __future__ import annotations

from itertools import pairwise
from time import monotonic_ns

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.load.clock import SAME, Clock, Round, estimate

OFFSETS = st.integers(-(10**15), 10**15)
WAYS = st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), min_size=1, max_size=40)


def rounds_of(offset_ns: int, ways: list[tuple[int, int]]) -> list[Round]:
    """Rounds over a network whose ways there and back take what `ways` says."""
    asked, rounds = 10**12, []
    for there, back in ways:
        rounds.append(Round(asked, asked + there + offset_ns, asked + there + back))
        asked += there + back + 1000
    return rounds


@given(offset=OFFSETS, ways=WAYS)
def test_the_true_offset_is_within_the_bound_however_uneven_the_ways(offset: int, ways: list[tuple[int, int]]) -> None:
    assert estimate(rounds_of(offset, ways)).admits(offset)


@given(offset=OFFSETS, ways=WAYS)
def test_the_bound_is_no_wider_than_half_the_fastest_round(offset: int, ways: list[tuple[int, int]]) -> None:
    rounds = rounds_of(offset, ways)
    assert (
        estimate(rounds).error_ns <= min(there + back for there, back in ways) / 2 + 1000
    )  # offsets are whole microseconds


@given(offset=OFFSETS, ways=WAYS)
def test_another_round_never_makes_it_worse(offset: int, ways: list[tuple[int, int]]) -> None:
    rounds = rounds_of(offset, ways)
    errors = [estimate(rounds[:count]).error_ns for count in range(1, len(rounds) + 1)]
    assert all(later <= earlier + 1000 for earlier, later in pairwise(errors))


@given(offset=OFFSETS, ways=WAYS)
def test_an_offset_is_in_whole_microseconds_as_all_instants_are(offset: int, ways: list[tuple[int, int]]) -> None:
    assert estimate(rounds_of(offset, ways)).offset_ns % 1000 == 0


def test_even_ways_give_the_offset_itself() -> None:
    clock = estimate(rounds_of(5_000_000, [(3000, 3000), (2000, 2000)]))
    assert (clock.offset_ns, clock.error_ns) == (5_000_000, 2000)


def test_rounds_that_contradict_each_other_widen_the_error_to_all_of_them() -> None:
    clock = estimate([*rounds_of(0, [(100, 100)]), *rounds_of(10_000, [(100, 100)])])
    assert clock.admits(0)
    assert clock.admits(10_000)


def test_what_drifts_between_two_estimates_is_part_of_the_error() -> None:
    joined = Clock(10_000, 10).joined(Clock(16_000, 10))
    assert (joined.low_ns, joined.high_ns) == (9_990, 16_010)


def test_this_process_against_itself_is_the_same_clock() -> None:
    rounds = [Round(monotonic_ns(), monotonic_ns(), monotonic_ns()) for _ in range(20)]
    assert estimate(rounds).admits(SAME.offset_ns)


def test_no_rounds_say_nothing() -> None:
    with pytest.raises(ValueError, match="no clock without a round"):
        estimate([])
