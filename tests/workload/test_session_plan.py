"""Conversations as they are planned: their words, turns and think times, before a server has answered anything."""

from __future__ import annotations

from collections import Counter
from dataclasses import astuple, replace
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.domain import TokenFit, TokenSource
from llmload.planned import PlannedSession
from llmload.scenario.lengths import Fixed, Uniform
from llmload.scenario.traffic import Evenly, Exponential, Sessions, ThinkTime
from llmload.workload.plan import Plan
from llmload.workload.session_plan import SessionPlan

SLOTS = 8
OPENINGS = Plan(
    seed=42,
    step=1,
    look=0,
    input_tokens=Fixed(60),
    output_tokens=Uniform(20, 30),
    unique=True,
    fit=TokenFit(10, 1.25, 0.0, TokenSource.USAGE),
    run="a",
)
PLAN = SessionPlan(OPENINGS, Sessions(Fixed(4), Exponential(2.0), Fixed(40)), SLOTS)


def sessions(plan: SessionPlan = PLAN, count: int = 200) -> list[PlannedSession]:
    return [plan.session(index) for index in range(count)]


def begun(planned: list[PlannedSession]) -> list[str]:
    return [str(each.turns[0].messages[0]["content"]) for each in planned]


def later(planned: list[PlannedSession]) -> list[str]:
    return [str(turn.messages[0]["content"]) for each in planned for turn in each.turns[1:]]


def test_the_same_arguments_give_the_same_conversations() -> None:
    assert sessions(replace(PLAN)) == sessions()


def test_no_two_conversations_begin_alike() -> None:
    salts = {tuple(words.split()[:6]) for words in begun(sessions())}
    assert len(salts) == len(sessions())


def test_conversations_of_another_seed_begin_and_go_on_otherwise() -> None:
    other = sessions(replace(PLAN, openings=replace(OPENINGS, seed=43)))
    assert set(begun(sessions())).isdisjoint(begun(other))
    assert sum(one == two for one, two in zip(later(sessions()), later(other), strict=False)) <= 1


def test_another_run_begins_otherwise_and_is_as_long() -> None:
    other = sessions(replace(PLAN, openings=replace(OPENINGS, run="b")))
    assert set(begun(sessions())).isdisjoint(begun(other))
    assert later(other) == later(sessions())
    for one, two in zip(sessions(), other, strict=True):
        assert [turn[1:] for turn in map(astuple, one.turns)] == [turn[1:] for turn in map(astuple, two.turns)]


def test_the_first_message_is_as_long_as_prompts_are_and_later_ones_as_sessions_say() -> None:
    for each in sessions()[SLOTS:]:
        first, *others = [len(str(turn.messages[0]["content"]).split()) for turn in each.turns]
        assert (first, others) == (40, [32, 32, 32])  # (60 - 10) / 1.25, and 40 / 1.25
        assert [turn.input_tokens for turn in each.turns] == [60, None, None, None]
        assert all(20 <= turn.output_tokens <= 30 for turn in each.turns)


def test_every_conversation_has_its_turns_but_the_first_of_each_slot_only_a_share_of_them() -> None:
    plan = replace(PLAN, sessions=replace(PLAN.sessions, turns=Fixed(4)), slots=40)
    turns = [len(each.turns) for each in sessions(plan)]
    assert set(turns[40:]) == {4}
    assert all(9 <= count <= 11 for count in Counter(turns[:40]).values())
    assert set(turns[:40]) == {1, 2, 3, 4}


def test_slots_begin_evenly_within_one_think_time() -> None:
    delays = [PLAN.delay_s(slot) for slot in range(100)]
    assert all(0 <= delay < 2.0 for delay in delays)
    assert all(23 <= sum(low <= delay < low + 0.5 for delay in delays) <= 27 for low in (0.0, 0.5, 1.0, 1.5))


@pytest.mark.parametrize(
    ("time", "low", "high", "average"),
    [
        pytest.param(Evenly(1.5, 1.5), 1.5, 1.5, 1.5, id="always the same"),
        pytest.param(Evenly(1.0, 3.0), 1.0, 3.0, 2.0, id="spread evenly"),
        pytest.param(Exponential(2.0), 0.0, 90.0, 2.0, id="exponential"),
    ],
)
def test_users_think_before_every_turn_but_the_first(time: ThinkTime, low: float, high: float, average: float) -> None:
    planned = sessions(replace(PLAN, sessions=replace(PLAN.sessions, think_time=time)), 1000)
    thought = [turn.think_s for each in planned for turn in each.turns[1:]]
    assert {each.turns[0].think_s for each in planned} == {0.0}
    assert all(low <= each <= high for each in thought)
    assert mean(thought) == pytest.approx(average, rel=0.05)


@given(index=st.integers(0, 10**9), turns=st.integers(1, 30))
def test_a_conversation_is_known_by_its_number_alone(index: int, turns: int) -> None:
    plan = replace(PLAN, sessions=replace(PLAN.sessions, turns=Uniform(1, turns)))
    session = plan.session(index)
    assert 1 <= len(session.turns) <= turns
    assert session.part.session == index
    opening = plan.request(index)
    assert tuple(opening.conversation) == session.turns[0].messages
    assert opening.part == session.part._replace(turn=0)
