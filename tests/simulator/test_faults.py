"""Each fault as a client meets it, and as the truth tells it."""

from __future__ import annotations

import time

import httpx
import orjson
import pytest

from llmload.scenario.asked import Faults, Simulator
from llmload.simulator.process import start
from tests.simulator.asking import CHAT, DIRECT, ask, chat, look, read_raw, stream


def faulty(**shares: float) -> Simulator:
    return Simulator(decode_base_ms=2, decode_per_seq_ms=0, faults=Faults(**shares))


def test_an_error_is_answered_with_the_status_asked_for():
    with start(faulty(error_rate=1.0, error_status=503), api_key=None) as server:
        answer = ask(server.url, CHAT, chat())
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, 503)
        truth = server.truth()
    assert (truth["totals"]["failed"], truth["requests"][0]["fault"], truth["requests"][0]["status"]) == (
        1,
        "error",
        503,
    )


def test_a_share_of_requests_fails_and_the_rest_do_not():
    with start(faulty(error_rate=0.3), api_key=None) as server:
        with httpx.Client(timeout=10, **DIRECT) as client:
            codes = [client.post(server.url + CHAT, json=chat(max_tokens=1)).status_code for _ in range(60)]
        totals = server.truth()["totals"]
    assert codes.count(500) == totals["failed"]
    assert codes.count(200) == totals["ok"]
    assert 8 <= totals["failed"] <= 28


@pytest.mark.parametrize("is_streamed", [True, False], ids=["streamed", "in one piece"])
def test_a_disconnect_comes_in_the_middle_of_an_answer(is_streamed):
    with start(faulty(disconnect_rate=1.0), api_key=None) as server:
        got, error = read_raw(server.url, chat(stream=is_streamed, max_tokens=30), timeout_s=5)
        truth = server.truth()["requests"][0]
    assert isinstance(error, httpx.RemoteProtocolError)
    assert (truth["outcome"], truth["fault"]) == ("disconnected", "disconnect")
    assert b"[DONE]" not in got
    assert b'"id":"chatcmpl-' in got
    if is_streamed:
        assert got.count(b'"content":" ') == truth["output_tokens"] > 0


def test_a_disconnect_after_the_only_token_does_not_end_the_answer():
    with start(faulty(disconnect_rate=1.0), api_key=None) as server:
        with pytest.raises(httpx.RemoteProtocolError):
            stream(server.url, chat(max_tokens=1))
        assert server.truth()["totals"]["disconnected"] == 1


@pytest.mark.parametrize("is_streamed", [True, False], ids=["streamed", "in one piece"])
def test_a_stall_begins_an_answer_and_never_ends_it(is_streamed):
    with start(faulty(stall_rate=1.0), api_key=None) as server:
        got, error = read_raw(server.url, chat(stream=is_streamed, max_tokens=10), timeout_s=0.4)
        truth = server.truth()
    assert isinstance(error, httpx.ReadTimeout)
    assert truth["totals"]["stalled"] == 1
    assert got
    assert b"[DONE]" not in got
    assert truth["in_flight"] == 0


def test_a_malformed_event_is_one_among_good_ones():
    with start(faulty(malformed_rate=1.0), api_key=None) as server:
        text = ask(server.url, CHAT, chat(stream=True, max_tokens=10, ignore_eos=True)).text
        truth = server.truth()["requests"][0]
    payloads = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    broken = []
    for payload in payloads[:-1]:
        try:
            orjson.loads(payload)
        except orjson.JSONDecodeError:
            broken.append(payload)
    assert len(broken) == 1
    assert len(payloads) == 1 + 10 + 1 + 1
    assert (truth["outcome"], truth["output_tokens"]) == ("malformed", 10)


def test_a_malformed_answer_in_one_piece_is_complete_and_no_json():
    with start(faulty(malformed_rate=1.0), api_key=None) as server:
        answer = ask(server.url, CHAT, chat())
    assert answer.status_code == 200
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(answer.content)


def test_a_slow_first_byte_is_slow_and_nothing_else():
    with start(faulty(slow_first_byte_rate=1.0, slow_first_byte_s=0.3), api_key=None) as server:
        began = time.monotonic()
        got = stream(server.url, chat(ignore_eos=True))
        truth = server.truth()["requests"][0]
    assert got.events[-1] == b"[DONE]"
    assert got.at_ns[0] / 1e9 - began >= 0.3
    assert (truth["first_token_ns"] - truth["arrival_ns"]) / 1e9 >= 0.3
    assert (truth["outcome"], truth["fault"]) == ("ok", "slow_first_byte")


def test_a_client_may_leave_before_a_slow_first_byte():
    with start(faulty(slow_first_byte_rate=1.0, slow_first_byte_s=0.3), api_key=None) as server:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(server.url + CHAT, json=chat(), timeout=0.1, **DIRECT)
        time.sleep(0.4)
        truth = server.truth()
        assert server.errors() == ""
    assert (truth["totals"]["cancelled"], truth["in_flight"], truth["requests"][0]["first_token_ns"]) == (1, 0, None)


def test_a_restart_forgets_everything_but_the_truth():
    with start(faulty(restart_after=3), api_key=None) as server:
        words = " ".join(f"w{number}" for number in range(40))
        cached = [stream(server.url, chat(words)).usage["prompt_tokens_details"]["cached_tokens"] for _ in range(3)]
        with pytest.raises(httpx.TransportError):
            stream(server.url, chat(words))
        after = stream(server.url, chat(words))
        page = look(server.url, "/metrics").text
        truth = server.truth()
        assert server.errors() == ""
    assert cached == [0, 32, 32]
    assert after.usage["prompt_tokens_details"]["cached_tokens"] == 0
    assert 'finished_reason="stop"} 1.0' in page or 'finished_reason="length"} 1.0' in page
    assert (truth["restarts"], truth["totals"]["ok"]) == (1, 4)


def test_a_restart_cuts_off_whoever_is_being_answered():
    from concurrent.futures import ThreadPoolExecutor

    with start(faulty(restart_after=2), api_key=None) as server, ThreadPoolExecutor(2) as pool:
        under_way = [pool.submit(stream, server.url, chat(max_tokens=3_000, ignore_eos=True)) for _ in range(2)]
        time.sleep(0.3)
        with pytest.raises(httpx.TransportError):
            stream(server.url, chat())
        assert all(isinstance(one.exception(), httpx.TransportError) for one in under_way)
        truth = server.truth()
    assert truth["totals"]["restarted"] == 2
    assert truth["in_flight"] == 0
