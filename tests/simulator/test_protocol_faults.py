"""Each fault in each protocol, as bytes: where they differ, and what all have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx
import orjson
import pytest

from llmload.frameworks.error_body import error_message
from llmload.scenario.asked import Faults, Simulator
from llmload.simulator.process import start
from tests.simulator.asking import CHAT, Received, receive

TOKENS = 10
TRITON = "/v2/models/simulated"


@dataclass(frozen=True)
class Spoken:
    """How one API is asked for TOKENS tokens, and what all text is that its events told."""

    path: str
    whole_path: str
    body: Mapping[str, object]
    text: Callable[[list[dict]], str]
    ends_with_done: bool


def ollama(text: Callable[[dict], str], path: str, **prompt: object) -> Spoken:
    body = {"model": "simulated", "options": {"num_predict": TOKENS}, **prompt}
    return Spoken(path, path, body, lambda lines: "".join(map(text, lines)), ends_with_done=False)


MESSAGES = [{"role": "user", "content": "hello there"}]
SPOKEN = {
    "openai chat": Spoken(
        CHAT,
        CHAT,
        {"messages": MESSAGES, "max_tokens": TOKENS, "ignore_eos": True},
        lambda events: "".join(event["choices"][0]["delta"]["content"] for event in events if "choices" in event),
        ends_with_done=True,
    ),
    "ollama chat": ollama(lambda line: line.get("message", {}).get("content", ""), "/api/chat", messages=MESSAGES),
    "ollama generate": ollama(lambda line: line.get("response", ""), "/api/generate", prompt="hello there"),
    "triton": Spoken(
        f"{TRITON}/generate_stream",
        f"{TRITON}/generate",
        {"text_input": "hello there", "max_tokens": TOKENS, "ignore_eos": True},
        lambda events: "".join(event.get("text_output", "") for event in events),
        ends_with_done=False,
    ),
    "sglang": Spoken(
        "/generate",
        "/generate",
        {"text": "hello there", "sampling_params": {"max_new_tokens": TOKENS, "ignore_eos": True}},
        lambda events: [event["text"] for event in events if "text" in event][-1],
        ends_with_done=True,
    ),
}
spoken_by_all = pytest.mark.parametrize("spoken", SPOKEN.values(), ids=SPOKEN.keys())
in_both_ways = pytest.mark.parametrize("is_streamed", [True, False], ids=["streamed", "in one piece"])


def met(spoken: Spoken, faults: Faults, is_streamed: bool, timeout_s: float = 10) -> tuple[Received, dict]:
    """What a client gets of a server that always fails so, and the server's own account of it."""
    settings = Simulator(decode_base_ms=2, decode_per_seq_ms=0, mean_answer_tokens=100_000, faults=faults)
    path = spoken.path if is_streamed else spoken.whole_path
    with start(settings, api_key=None) as server:
        got = receive(server.url, path, {**spoken.body, "stream": is_streamed}, timeout_s)
        (truth,) = server.truth()["requests"]
        assert server.errors() == ""
    return got, dict(truth)


@spoken_by_all
@in_both_ways
def test_no_fault_is_told_as_none(spoken, is_streamed):
    got, truth = met(spoken, Faults(), is_streamed)
    assert (got.status, got.broken_by) == (200, None)
    assert (truth["outcome"], truth["output_tokens"]) == ("ok", TOKENS)
    if is_streamed:
        assert len(spoken.text(got.documents).split()) == TOKENS
        assert (got.payloads[-1] == b"[DONE]") is spoken.ends_with_done


@spoken_by_all
@in_both_ways
def test_an_error_has_its_status_and_a_message(spoken, is_streamed):
    got, truth = met(spoken, Faults(error_rate=1, error_status=503), is_streamed)
    assert (got.status, error_message(got.body)) == (503, "a simulated fault")
    assert (truth["outcome"], truth["fault"], truth["status"]) == ("failed", "error", 503)


@spoken_by_all
@in_both_ways
def test_an_error_inside_an_answer_comes_with_status_200(spoken, is_streamed):
    got, truth = met(spoken, Faults(stream_error_rate=1), is_streamed)
    assert (got.status, got.broken_by) == (200, None)
    assert (truth["outcome"], truth["fault"], truth["status"]) == ("failed", "stream_error", 200)
    if is_streamed:
        payloads = got.payloads[:-1] if spoken.ends_with_done else got.payloads
        assert error_message(payloads[-1]) == "a simulated fault"
        assert len(spoken.text(got.documents).split()) == truth["output_tokens"] > 0
    else:
        assert error_message(got.body) == "a simulated fault"
        assert truth["output_tokens"] == 0


@spoken_by_all
@in_both_ways
def test_a_disconnect_comes_before_the_end_of_the_body(spoken, is_streamed):
    got, truth = met(spoken, Faults(disconnect_rate=1), is_streamed)
    assert isinstance(got.broken_by, httpx.RemoteProtocolError)
    assert (got.status, truth["outcome"]) == (200, "disconnected")
    assert got.body
    if is_streamed:
        assert len(spoken.text(got.documents).split()) == truth["output_tokens"] > 0


@spoken_by_all
@in_both_ways
def test_a_stall_begins_an_answer_and_never_ends_it(spoken, is_streamed):
    got, truth = met(spoken, Faults(stall_rate=1), is_streamed, timeout_s=0.4)
    assert isinstance(got.broken_by, httpx.ReadTimeout)
    assert (got.status, truth["outcome"]) == (200, "stalled")
    assert got.body


@spoken_by_all
def test_a_malformed_event_is_one_among_good_ones(spoken):
    got, truth = met(spoken, Faults(malformed_rate=1), is_streamed=True)
    broken = len(got.payloads) - len(got.documents) - (1 if spoken.ends_with_done else 0)
    assert (got.status, got.broken_by, broken) == (200, None, 1)
    assert len(spoken.text(got.documents).split()) == TOKENS
    assert (truth["outcome"], truth["output_tokens"]) == ("malformed", TOKENS)


@spoken_by_all
def test_a_malformed_answer_in_one_piece_is_complete_and_no_json(spoken):
    got, _ = met(spoken, Faults(malformed_rate=1), is_streamed=False)
    assert (got.status, got.broken_by) == (200, None)
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(got.body)


@spoken_by_all
def test_a_slow_first_byte_is_slow_and_nothing_else(spoken):
    got, truth = met(spoken, Faults(slow_first_byte_rate=1, slow_first_byte_s=0.2), is_streamed=True)
    assert truth["first_token_ns"] - truth["arrival_ns"] >= 0.2e9
    assert (truth["outcome"], got.broken_by) == ("ok", None)


@spoken_by_all
def test_a_key_is_asked_for_and_taken(spoken):
    with start(Simulator(decode_base_ms=2), api_key="sesame") as server:
        refused = receive(server.url, spoken.path, dict(spoken.body))
        given = httpx.post(
            server.url + spoken.path,
            json={**spoken.body, "stream": True},
            headers={"authorization": "Bearer sesame"},
            trust_env=False,
        )
        assert (refused.status, given.status_code) == (401, 200)
        for ready in ("/health", "/v2/health/ready"):
            assert httpx.get(server.url + ready, trust_env=False).status_code == 200
