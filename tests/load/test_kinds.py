"""Reasoning, answer text and tool calls are told apart, however an answer is read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import orjson
import pytest

from llmload.frameworks.adapter import Dialect
from llmload.frameworks.ollama import DIALECTS as OLLAMA
from llmload.frameworks.openai import DIALECTS
from llmload.load import answer as answer_module
from llmload.load.answer import Answer

CHAT = DIALECTS["chat"]
REASONING, ANSWER, NAMED, ARGUMENTS = (
    {"reasoning_content": "hm"},
    {"content": " so"},
    {"tool_calls": [{"index": 0, "id": "call-1", "type": "function", "function": {"name": "add", "arguments": ""}}]},
    {"tool_calls": [{"index": 0, "function": {"arguments": '{"a":'}}]},
)


def event(delta: Mapping[str, object], finish: str | None = None) -> bytes:
    """One event of a chat, as servers write it."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + orjson.dumps({"id": "c", "model": "m", "choices": [choice]}) + b"\n\n"


def read(reads: Sequence[bytes], dialect: Dialect = CHAT, first_token_s: float | None = 5) -> Answer:
    """What an answer makes of these reads, of which the n-th comes n microseconds after the request."""

    async def answered() -> Answer:
        answer = Answer(dialect, first_token_s, 10)
        answer.start_clock()
        answer.start_body(200)
        for number, data in enumerate(reads, start=1):
            answer.stamp = answer.sent_ns + number * 1000
            answer.read(data)
        answer.finish()
        return answer

    return asyncio.run(answered())


def micros(answer: Answer, instant: int | None) -> int | None:
    """After the request was sent."""
    return None if instant is None else (instant - answer.sent_ns) // 1000


STOP = event({}, "stop")
RUNS = [
    pytest.param([ANSWER] * 5, (0, 5, 0), 1, None, id="answer text alone"),
    pytest.param([REASONING] * 4 + [ANSWER] * 3, (4, 3, 0), 5, None, id="reasoning first"),
    pytest.param([REASONING] * 3 + [NAMED] + [ARGUMENTS] * 2, (3, 0, 3), None, 4, id="reasoning, then a tool"),
    pytest.param([ANSWER] * 2 + [NAMED, ARGUMENTS], (0, 2, 2), 1, 3, id="text before a tool"),
    pytest.param([NAMED] + [ARGUMENTS] * 4, (0, 0, 5), None, 1, id="a tool alone"),
    pytest.param([REASONING, ANSWER] * 4, (4, 4, 0), 2, None, id="in turns, from one event to the next"),
    pytest.param([{**REASONING, **ANSWER}] * 2, (2, 2, 0), 1, None, id="both in one event"),
    pytest.param([], (0, 0, 0), None, None, id="nothing said"),
]


@pytest.mark.parametrize(("deltas", "counts", "answer_us", "call_us"), RUNS)
def test_events_are_counted_by_what_they_carry(
    deltas: Sequence[Mapping[str, object]], counts: tuple[int, int, int], answer_us: int | None, call_us: int | None
) -> None:
    answer = read([*map(event, deltas), STOP])
    assert answer.failure is None
    assert answer.kind_counts == counts
    assert len(answer.event_ns) == len(deltas)
    assert (micros(answer, answer.answer_ns), micros(answer, answer.call_ns)) == (answer_us, call_us)


@pytest.mark.parametrize(("deltas", "counts", "answer_us", "call_us"), RUNS)
def test_the_counts_are_the_same_where_all_comes_in_one_read(
    deltas: Sequence[Mapping[str, object]], counts: tuple[int, int, int], answer_us: int | None, call_us: int | None
) -> None:
    answer = read([b"".join([*map(event, deltas), STOP])])
    assert answer.kind_counts == counts
    assert micros(answer, answer.answer_ns) == (None if answer_us is None else 1)
    assert micros(answer, answer.call_ns) == (None if call_us is None else 1)


def test_an_event_that_is_known_by_its_frame_is_of_the_kind_of_that_frame() -> None:
    """Reasoning is learnt as a stencil; two answer events in one read are not, and must not lend it their kind."""
    both = event(ANSWER) + event(ANSWER)
    answer = read([*[event(REASONING)] * 5, both, *[event(REASONING)] * 5, STOP])
    assert answer.kind_counts == (10, 2, 0)


def test_a_whole_answer_has_the_kinds_of_its_message() -> None:
    message = {"role": "assistant", "content": None, "reasoning_content": "hm", **NAMED}
    body = orjson.dumps({"choices": [{"message": message, "finish_reason": "tool_calls"}]})
    answer = read([body], first_token_s=None)
    assert (answer.kind_counts, answer.answer_ns, answer.text) == ((1, 0, 1), None, "hmadd")


def test_ollama_tells_tool_calls_whole() -> None:
    called = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "add", "arguments": {"a": 1}}}]}
    lines = [{"message": {"content": "", "thinking": "hm"}}] * 2 + [{"message": called}]
    reads = [orjson.dumps(line) + b"\n" for line in [*lines, {"message": {"content": ""}, "done": True}]]
    answer = read(reads, OLLAMA["chat"])
    assert answer.failure is None
    assert (answer.kind_counts, micros(answer, answer.call_ns)) == ((2, 0, 1), 3)


@pytest.mark.parametrize(
    "delta",
    [pytest.param(delta, id=name) for name, delta in (("reasoning", REASONING), ("text", ANSWER), ("a tool", NAMED))],
)
def test_a_stream_without_an_end_is_hung_up_on(delta: Mapping[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_module, "MAX_BODY_BYTES", 60)
    flood = [event(delta) * 2] * 50  # two events a read, as a flood comes
    answer = read([*flood, STOP])
    assert answer.failure is not None
    assert answer.failure.error_type == "ANSWER_TOO_LARGE"
    assert 0 < len(answer.texts) <= 31
