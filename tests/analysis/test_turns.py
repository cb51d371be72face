"""Whose turn it is where two runs are measured side by side."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from llmload.analysis.turns import Turn, alone, in_pairs
from llmload.domain import Ending, Observation
from llmload.planned import Look
from llmload.scenario.asked import Scenario
from tests.analysis.builders import GOODPUT_95, good_and_bad, scenario, window

GOOD = good_and_bad(200, 0)


def pairs_of(pairs: int, steps: int = 1) -> Scenario:
    """A ladder that is climbed once in each pair."""
    asked = scenario(GOODPUT_95, concurrency=tuple(range(1, steps + 1)), max_requests=200)
    return replace(asked, decision=replace(asked.decision, repeats=pairs))


def took(asked: Scenario, most: int = 1000) -> tuple[list[Turn], list[list[Observation]]]:
    """Every turn, until there is none or `most` were taken."""
    next_turn, turns, observations = in_pairs(asked, asked), [], [[], []]
    while len(turns) < most and (turn := next_turn(observations)) is not None:
        turns.append(turn)
        observations[turn.side].append(replace(window(GOOD, step=turn.look.step), look=turn.look))
    return turns, observations


def test_pairs_are_taken_in_the_order_a_b_b_a() -> None:
    turns, _ = took(pairs_of(5))
    assert "".join("AB"[turn.side] for turn in turns) == "ABBAABBAAB"


def test_a_turn_is_a_whole_climb_of_the_ladder() -> None:
    turns, _ = took(pairs_of(2, steps=3))
    assert [(turn.side, turn.look.step.index) for turn in turns] == [
        (0, 0), (0, 1), (0, 2),
        (1, 0), (1, 1), (1, 2),
        (1, 0), (1, 1), (1, 2),
        (0, 0), (0, 1), (0, 2),
    ]  # fmt: skip


@given(pairs=st.integers(1, 6), steps=st.integers(1, 3), most=st.integers(0, 40))
def test_wherever_it_ends_no_side_is_more_than_one_climb_ahead(pairs: int, steps: int, most: int) -> None:
    _, (a, b) = took(pairs_of(pairs, steps), most)
    assert abs(len(a) - len(b)) <= steps


@given(pairs=st.integers(1, 5), steps=st.integers(1, 3))
def test_in_the_end_both_sides_have_looked_at_the_same(pairs: int, steps: int) -> None:
    _, (a, b) = took(pairs_of(pairs, steps))
    assert {observation.look for observation in a} == {observation.look for observation in b}
    assert len(a) == pairs * steps


def test_another_climb_is_another_place_and_another_step_is_not() -> None:
    turns, _ = took(pairs_of(2, steps=2))
    assert [turn.place for turn in turns] == [(0, 0)] * 2 + [(1, 0)] * 2 + [(1, 1)] * 2 + [(0, 1)] * 2


def test_one_run_by_itself_takes_every_turn() -> None:
    asked = pairs_of(1)
    first = alone(asked)([[]])
    assert first == Turn(0, Look(first.look.step, 0, 200))
    assert alone(asked)([[replace(window(GOOD), look=first.look)]]) is None


def test_a_guard_that_ends_one_side_ends_the_other_too() -> None:
    asked = pairs_of(3)
    _, (a, b) = took(asked, 2)
    assert in_pairs(asked, asked)([a, b]) is not None
    assert in_pairs(asked, asked)([a, [replace(b[0], ending=Ending.GUARD)]]) is None
