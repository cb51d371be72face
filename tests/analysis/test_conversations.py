"""What conversations come to on average, held against many that were drawn."""

from __future__ import annotations

from dataclasses import replace
from statistics import mean

import pytest

from llmload.analysis.attempts import attempts_of
from llmload.analysis.conversations import forecast_sessions, mean_context, turns_of_a_request
from llmload.analysis.shares import least_block
from llmload.domain import TokenFit, TokenSource
from llmload.planned import Part
from llmload.scenario.lengths import Fixed, Lengths, Normal, Uniform
from llmload.scenario.traffic import Evenly, Exponential, Sessions
from llmload.workload.plan import Plan
from llmload.workload.session_plan import SessionPlan
from tests.analysis.builders import STEP, request, window

OPENINGS = Plan(7, 0, 0, Fixed(100), Uniform(20, 40), True, TokenFit(0, 1.0, 0.0, TokenSource.USAGE))


@pytest.mark.parametrize("turns", [Fixed(4), Fixed(1), Uniform(1, 9), Normal(6, 1.5, 1, 12)], ids=str)
@pytest.mark.parametrize("own", [None, Fixed(50)], ids=["as the first", "of their own length"])
def test_the_mean_prompt_is_that_of_many_conversations(turns: Lengths, own: Lengths | None) -> None:
    sessions = Sessions(turns, Exponential(2.0), own)
    prompts, lengths = [], []
    for index in range(1000):
        said = 0
        planned = SessionPlan(OPENINGS, sessions, 0).session(index).turns
        for turn in planned:
            said += len(str(turn.messages[0]["content"]).split())
            prompts.append(said)
            said += turn.output_tokens
        lengths += [len(planned)] * len(planned)
    told = forecast_sessions(sessions, 100, 30)
    assert mean_context(sessions, told) == pytest.approx(mean(prompts), rel=0.04)
    assert turns_of_a_request(sessions) == pytest.approx(mean(lengths), abs=0.6)


def test_nobody_thinks_between_two_conversations() -> None:
    told = forecast_sessions(Sessions(Fixed(4), Evenly(1.0, 3.0), None), 100, 30)
    assert (told.think_s, told.think_s_per_request, told.last_input_tokens) == (2.0, 1.5, 490)


def test_a_block_holds_whole_conversations() -> None:
    said = [replace(request(number), part=Part(session=number // 4, turn=number % 4)) for number in range(40)]
    alone = [request(number) for number in range(40)]
    assert least_block(STEP, attempts_of([window(said)])) == 4 * least_block(STEP, attempts_of([window(alone)])) == 32
