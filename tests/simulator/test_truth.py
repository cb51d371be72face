"""What the simulator says of itself, held against its settings and against what a client saw."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llmload.scenario.asked import Simulator
from llmload.simulator.process import SimulatorProcess, start
from llmload.simulator.truth import MAX_REQUESTS, MAX_STEPS, Ledger, RequestTruth
from tests.simulator.asking import chat, stream

STEADY = Simulator(prefill_tokens_per_s=2_000, decode_base_ms=20, decode_per_seq_ms=0, prefix_cache=False)


def many(server: SimulatorProcess, count: int, **fields: object) -> None:
    """So many streams at once."""
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(lambda number: stream(server.url, chat(f"{number} hello", **fields)), range(count)))


def test_a_client_sees_what_the_truth_says():
    with start(STEADY, api_key=None) as server:
        body = chat(" ".join(["word"] * 195), max_tokens=20, ignore_eos=True)
        got = stream(server.url, body, headers={"X-Request-Id": "mine"})
        truth = server.truth()["requests"][0]
    assert (truth["request_id"], truth["outcome"], truth["prompt_tokens"], truth["output_tokens"]) == (
        "mine",
        "ok",
        200,
        20,
    )
    assert got.sent_ns < truth["arrival_ns"] < truth["first_token_ns"] < got.at_ns[0]
    assert truth["last_token_ns"] < got.at_ns[-1]
    assert (truth["first_token_ns"] - truth["arrival_ns"]) / 1e6 == pytest.approx(20 + 100, rel=0.5)
    per_token_ms = (truth["last_token_ns"] - truth["first_token_ns"]) / 19 / 1e6
    assert per_token_ms == pytest.approx(20, rel=0.3)


def test_a_fuller_batch_is_slower_for_everybody():
    with start(Simulator(decode_base_ms=5, decode_per_seq_ms=5), api_key=None) as server:
        many(server, 1, max_tokens=20, ignore_eos=True)
        many(server, 6, max_tokens=20, ignore_eos=True)
        alone, *crowd = (
            (one["last_token_ns"] - one["first_token_ns"]) / 19 / 1e6 for one in server.truth()["requests"]
        )
    assert alone == pytest.approx(10, rel=0.4)
    assert min(crowd) > 2 * alone


def test_with_one_seat_everybody_waits_for_those_before():
    with start(Simulator(decode_base_ms=10, max_num_seqs=1), api_key=None) as server:
        many(server, 4, max_tokens=10, ignore_eos=True)
        waits = sorted(one["queue_ns"] / 1e6 for one in server.truth()["requests"])
    assert waits[0] < 50
    assert waits[1:] == pytest.approx([100, 200, 300], rel=0.4)


def test_a_full_kv_cache_makes_requests_wait():
    with start(Simulator(decode_base_ms=10, kv_cache_tokens=60), api_key=None) as server:
        many(server, 2, max_tokens=30, ignore_eos=True)
        waits = sorted(one["queue_ns"] / 1e6 for one in server.truth()["requests"])
    assert waits[0] < 100 < waits[1]


def test_two_replicas_share_the_load():
    with start(Simulator(decode_base_ms=10, max_num_seqs=2, replicas=2), api_key=None) as server:
        many(server, 4, max_tokens=20, ignore_eos=True)
        requests = server.truth()["requests"]
    assert sorted(one["replica"] for one in requests) == [0, 0, 1, 1]


def test_a_client_that_leaves_is_noted_and_frees_its_seat():
    with start(Simulator(decode_base_ms=10, max_num_seqs=1), api_key=None) as server:
        import socket

        import orjson

        body = orjson.dumps(chat(stream=True, max_tokens=500, ignore_eos=True))
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as client:
            client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
            client.recv(1000)
        stream(server.url, chat(max_tokens=3, ignore_eos=True))
        truth = server.truth()
    assert [one["outcome"] for one in truth["requests"]] == ["cancelled", "ok"]
    assert truth["requests"][0]["output_tokens"] < 100
    assert (truth["in_flight"], truth["totals"]["cancelled"]) == (0, 1)


def test_the_server_states_its_lateness_and_can_forget():
    with start(STEADY, api_key=None) as server:
        many(server, 4, max_tokens=10, ignore_eos=True)
        told = server.truth()["lateness"]
        server.reset_truth()
        after = server.truth()
    assert told["steps"] >= 10
    for spread in (told["fired_ms"], told["written_ms"]):
        assert 0 <= spread["p50"] <= spread["p99"] <= spread["max"]
    assert told["fired_ms"]["max"] <= told["written_ms"]["max"]
    assert told["fired_ms"]["p50"] < 20
    assert (after["requests"], after["lateness"]["steps"], sum(after["totals"].values())) == ([], 0, 0)


def test_an_idle_server_uses_no_cpu():
    with start(STEADY, api_key=None) as server:
        stream(server.url, chat())

        def ticks() -> int:
            return sum(
                int(figure) for figure in Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
            )

        before = ticks()
        time.sleep(0.5)
        assert ticks() - before <= 1


def test_memory_is_bounded_and_totals_are_not():
    ledger = Ledger()
    one = RequestTruth(
        request_id=None,
        body_hash="",
        outcome="ok",
        fault=None,
        status=200,
        replica=0,
        arrival_ns=0,
        queue_ns=0,
        first_token_ns=1,
        last_token_ns=2,
        prompt_tokens=1,
        cached_tokens=0,
        output_tokens=1,
    )
    for _ in range(MAX_REQUESTS + 7):
        ledger.add(one)
    for late_ns in range(MAX_STEPS + 9):
        ledger.add_step(late_ns, late_ns)
    told = ledger.tell()
    assert (len(told["requests"]), told["forgotten"], told["totals"]["ok"]) == (MAX_REQUESTS, 7, MAX_REQUESTS + 7)
    assert told["lateness"]["steps"] == MAX_STEPS + 9
    assert told["lateness"]["fired_ms"]["max"] == (MAX_STEPS + 8) / 1e6
