"""Reasoning and tool calls of the simulator, over real sockets, as the adapter reads them."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import pytest

from llmload.frameworks.adapter import Event
from llmload.frameworks.openai import read_answer, read_event
from llmload.scenario.asked import Simulator
from llmload.simulator.process import SimulatorProcess, start
from tests.simulator.asking import CHAT, ask, chat, stream

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
OTHER = {"type": "function", "function": {"name": "time"}}


@pytest.fixture(scope="module")
def thoughtful() -> Iterator[SimulatorProcess]:
    settings = Simulator(
        prefill_tokens_per_s=1e6, decode_base_ms=1.0, decode_per_seq_ms=0.0, max_model_len=2048, reasoning_tokens=3
    )
    with start(settings, api_key=None) as process:
        yield process
        assert process.errors() == ""


def events(url: str, **fields: object) -> list[Event]:
    """What the adapter makes of each event of a streamed answer."""
    return [read_event(payload) for payload in stream(url, chat(**fields)).events]


def test_reasoning_comes_first_and_is_counted(thoughtful: SimulatorProcess) -> None:
    got = events(thoughtful.url, max_tokens=5, ignore_eos=True)
    said = [("thought" if event.thought else "answer") for event in got if event.thought or event.answer]
    assert said == ["thought"] * 3 + ["answer"] * 2
    (usage,) = [event.usage for event in got if event.usage is not None]
    assert (usage.output_tokens, usage.reasoning_tokens) == (5, 3)


def test_an_answer_that_ends_while_it_reasons_has_no_answer_text(thoughtful: SimulatorProcess) -> None:
    got = events(thoughtful.url, max_tokens=2, ignore_eos=True)
    assert [event.answer for event in got if event.answer] == []
    assert [event.usage.reasoning_tokens for event in got if event.usage] == [2]


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        pytest.param("required", "weather", id="any tool"),
        pytest.param({"type": "function", "function": {"name": "time"}}, "time", id="by its name"),
    ],
)
def test_a_tool_that_must_be_called_is_called_in_fragments(quick: SimulatorProcess, choice: object, name: str) -> None:
    got = events(quick.url, tools=[TOOL, OTHER], tool_choice=choice, max_tokens=1000)
    calls = [event.call for event in got if event.call]
    arguments = "".join(calls).removeprefix(name)
    assert calls[0] == name or calls == [f"{name}{{}}"]
    assert isinstance(orjson.loads(arguments), dict)
    assert [event.finish_reason for event in got if event.finish_reason] == ["tool_calls"]
    assert not any(event.answer for event in got)


def test_a_call_at_its_limit_is_cut_off(quick: SimulatorProcess) -> None:
    got = events(quick.url, tools=[TOOL], tool_choice="required", max_tokens=6, ignore_eos=True)
    assert [bool(event.call) for event in got if event.call] == [True] * 6
    assert [event.finish_reason for event in got if event.finish_reason] == ["length"]


def test_whole_answers_have_the_same_contents(thoughtful: SimulatorProcess) -> None:
    body = chat(tools=[TOOL], tool_choice="required", max_tokens=1000)
    whole = read_answer(ask(thoughtful.url, CHAT, body).content)
    streamed = [read_event(payload) for payload in stream(thoughtful.url, body).events]
    assert whole.call == "".join(event.call for event in streamed)
    assert whole.thought == "".join(event.thought for event in streamed)
    assert whole.usage is not None
    assert whole.usage.reasoning_tokens == 3


@pytest.mark.parametrize("choice", [None, "auto", "none"])
def test_a_model_that_may_choose_answers_in_words(quick: SimulatorProcess, choice: str | None) -> None:
    got = events(quick.url, tools=[TOOL], tool_choice=choice)
    assert any(event.answer for event in got)
    assert not any(event.call for event in got)


def test_tools_are_part_of_the_prompt(quick: SimulatorProcess) -> None:
    without, offered = (events(quick.url, **more)[-2].usage for more in ({}, {"tools": [TOOL]}))
    assert without is not None
    assert offered is not None
    assert (offered.input_tokens or 0) > (without.input_tokens or 0) + 10


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param({"tool_choice": "required"}, "`tools` must be set", id="no tools"),
        pytest.param({"tools": [TOOL], "tool_choice": OTHER}, "does not match any", id="another tool"),
        pytest.param({"tools": {"a": 1}}, "tools must be a list", id="tools that are no list"),
    ],
)
def test_tools_that_do_not_fit_are_refused(quick: SimulatorProcess, fields: dict[str, object], told: str) -> None:
    answer = ask(quick.url, CHAT, chat(**fields))
    assert (answer.status_code, told in answer.text) == (400, True)
