"""The OpenAI protocol as a client sees it, over real sockets."""

from __future__ import annotations

import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import orjson
import pytest

from llmload.scenario.asked import Simulator
from llmload.simulator.process import start
from tests.simulator.asking import CHAT, COMPLETIONS, DIRECT, ask, chat, look, stream
from tests.simulator.conftest import QUICK


def raw(url: str, *pieces: bytes, until: bytes) -> bytes:
    """Send pieces on one connection and read until the end of the last answer."""
    host, port = url.removeprefix("http://").split(":")
    got = b""
    with socket.create_connection((host, int(port)), timeout=5) as client:
        for piece in pieces:
            client.sendall(piece)
            time.sleep(0.002)
        while until not in got and (part := client.recv(65_536)):
            got += part
    return got


def http_request(body: bytes, path: str = CHAT, extra: bytes = b"") -> bytes:
    return b"POST %b HTTP/1.1\r\nhost: x\r\n%bcontent-length: %d\r\n\r\n%b" % (path.encode(), extra, len(body), body)


# ---------------------------------------------------------------- answers


def test_a_streamed_chat_has_a_role_its_words_its_usage_and_done(quick):
    got = stream(quick.url, chat(max_tokens=5, ignore_eos=True))
    role, *words, usage = got.documents
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert [len(word["choices"][0]["delta"]["content"].split()) for word in words] == [1] * 5
    assert [word["choices"][0]["finish_reason"] for word in words] == [None] * 4 + ["length"]
    assert usage["choices"] == []
    assert usage["usage"] == {
        "prompt_tokens": 2 + 3 + 2,
        "completion_tokens": 5,
        "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
    assert got.events[-1] == b"[DONE]"
    assert len({document["id"] for document in got.documents}) == 1
    assert {document["object"] for document in got.documents} == {"chat.completion.chunk"}
    assert {document["model"] for document in got.documents} == {"simulated"}


def test_streamed_completions_have_words_usage_and_done(quick):
    got = stream(quick.url, {"prompt": "one two three", "max_tokens": 4, "ignore_eos": True}, COMPLETIONS)
    assert [len(document["choices"]) for document in got.documents] == [1, 1, 1, 1, 0]
    assert {document["object"] for document in got.documents} == {"text_completion"}
    assert len(got.text.split()) == 4
    assert (got.usage["prompt_tokens"], got.usage["completion_tokens"]) == (3, 4)


@pytest.mark.parametrize("tokens", [1, 2, 3], ids=["one token", "two tokens", "three tokens"])
def test_short_answers_are_whole(quick, tokens):
    got = stream(quick.url, chat(max_tokens=tokens, ignore_eos=True))
    assert (len(got.text.split()), got.finish_reasons, got.events[-1]) == (tokens, ["length"], b"[DONE]")


def test_usage_is_told_only_when_asked_for(quick):
    answer = ask(quick.url, CHAT, chat(stream=True)).text
    assert '"usage"' not in answer
    assert '"choices":[]' not in answer


def test_usage_may_come_with_every_event(quick):
    got = stream(quick.url, chat(ignore_eos=True, stream_options={"continuous_usage_stats": True}))
    told = [document["usage"]["completion_tokens"] for document in got.documents if "usage" in document]
    assert told == [1, 2, 3, 4, 5, 5]


def test_an_answer_in_one_piece_says_the_same_as_a_stream(quick):
    body = chat("tell me the same thing twice", max_tokens=30)
    whole, streamed = ask(quick.url, CHAT, body).json(), stream(quick.url, body)
    choice = whole["choices"][0]
    assert choice["message"]["content"] == streamed.text
    assert [choice["finish_reason"]] == streamed.finish_reasons
    assert whole["usage"]["completion_tokens"] == streamed.usage["completion_tokens"]
    assert (whole["object"], choice["message"]["role"]) == ("chat.completion", "assistant")


def test_completions_in_one_piece_have_a_text(quick):
    whole = ask(quick.url, COMPLETIONS, {"prompt": "one two", "max_tokens": 3, "ignore_eos": True}).json()
    assert (whole["object"], len(whole["choices"][0]["text"].split())) == ("text_completion", 3)


def test_the_model_stops_by_itself_unless_told_to_go_on(quick):
    prompts = [f"prompt number {number}" for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        free = list(pool.map(lambda words: stream(quick.url, chat(words, max_tokens=200)), prompts))
        held = list(pool.map(lambda words: stream(quick.url, chat(words, max_tokens=9, ignore_eos=True)), prompts))
    assert {reason for got in free for reason in got.finish_reasons} >= {"stop"}
    assert len({got.usage["completion_tokens"] for got in free}) > 6
    assert {got.usage["completion_tokens"] for got in held} == {9}


def test_min_tokens_keeps_the_model_talking(quick):
    got = stream(quick.url, chat(max_tokens=400, min_tokens=200))
    assert got.usage["completion_tokens"] >= 200


def test_a_chat_of_parts_and_roles_is_counted(quick):
    parts = [{"type": "text", "text": "one two"}, {"type": "text", "text": "three"}]
    messages = [{"role": "system", "content": "four"}, {"role": "user", "content": parts}]
    assert (
        ask(quick.url, CHAT, {"messages": messages, "max_tokens": 1}).json()["usage"]["prompt_tokens"] == 2 * 3 + 4 + 2
    )


def test_a_long_beginning_in_common_is_cached(quick):
    beginning = " ".join(f"word{number}" for number in range(200))
    first = stream(quick.url, chat(beginning + " one"))
    again = stream(quick.url, chat(beginning + " another"))
    cached = [got.usage["prompt_tokens_details"]["cached_tokens"] for got in (first, again)]
    assert cached == [0, 192]  # 200 words and the template's two, in whole blocks of 16


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("path", "body", "status", "kind", "words"),
    [
        pytest.param(CHAT, chat(model="gpt-9"), 404, "NotFoundError", "`gpt-9` does not exist", id="another model"),
        pytest.param(CHAT, b"{bad", 400, "Bad Request", "JSON decode error", id="no JSON"),
        pytest.param(CHAT, b"[1]", 400, "Bad Request", "not an object", id="no object"),
        pytest.param(CHAT, {"max_tokens": 3}, 400, "BadRequestError", "messages", id="no messages"),
        pytest.param(CHAT, chat(messages=[7]), 400, "BadRequestError", "role", id="a message that is a number"),
        pytest.param(
            CHAT, chat(max_tokens=5000), 400, "BadRequestError", "max_model_len=2048", id="limit over context"
        ),
        pytest.param(CHAT, chat(max_tokens=0), 400, "BadRequestError", "at least 1", id="no tokens wanted"),
        pytest.param(CHAT, chat(max_tokens="5"), 400, "BadRequestError", "whole number", id="a limit in words"),
        pytest.param(
            CHAT, chat("a " * 2040, max_tokens=50), 400, "BadRequestError", "2048 tokens", id="prompt too long"
        ),
        pytest.param(CHAT, chat(min_tokens=9), 400, "BadRequestError", "got 9", id="minimum over maximum"),
        pytest.param(CHAT, chat(n=2), 400, "BadRequestError", "n must be 1", id="two answers"),
        pytest.param(COMPLETIONS, {"prompt": ""}, 400, "BadRequestError", "empty", id="an empty prompt"),
        pytest.param(COMPLETIONS, {"prompt": [["a"]]}, 400, "BadRequestError", "prompt", id="a nested prompt"),
    ],
)
def test_refusals_have_vllms_shape(quick, path, body, status, kind, words):
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    answer = httpx.post(quick.url + path, content=content, timeout=10, **DIRECT)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["code"]) == (status, kind, status)
    assert set(error) == {"message", "type", "param", "code"}
    assert words in error["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/nowhere", 404, id="an unknown path"),
        pytest.param("GET", CHAT, 405, id="the wrong method"),
        pytest.param("GET", "/health?probe=1", 200, id="a query is no part of the path"),
    ],
)
def test_paths_are_exact(quick, method, path, status):
    assert httpx.request(method, quick.url + path, timeout=5, **DIRECT).status_code == status


def test_a_key_guards_the_api_and_nothing_else():
    with start(QUICK, api_key="s3cret") as guarded:
        right, wrong = {"Authorization": "Bearer s3cret"}, {"Authorization": "Bearer s3cres"}
        assert [ask(guarded.url, CHAT, chat(), headers).status_code for headers in (None, wrong, right)] == [
            401,
            401,
            200,
        ]
        assert stream(guarded.url, chat(), headers=right).events[-1] == b"[DONE]"
        assert look(guarded.url, "/v1/models").status_code == 401
        assert look(guarded.url, "/health").status_code == 200
        assert guarded.truth()["totals"]["refused"] == 2


def test_a_strict_server_refuses_the_fields_it_was_told_to():
    with start(Simulator(refuse_fields=("ignore_eos", "min_tokens")), api_key=None) as strict:
        refused = ask(strict.url, CHAT, chat(ignore_eos=True, top_k=3))
        assert refused.status_code == 422
        assert [problem["loc"] for problem in refused.json()["detail"]] == [["body", "ignore_eos"]]
        assert ask(strict.url, CHAT, chat(top_k=3)).status_code == 200


# ---------------------------------------------------------------- what else it serves


def test_it_says_what_it_serves(quick):
    model = look(quick.url, "/v1/models").json()["data"][0]
    assert (model["id"], model["max_model_len"]) == ("simulated", 2048)
    assert look(quick.url, "/health").content == b""
    assert look(quick.url, "/version").json()["version"].startswith("simulator-")


def test_tokenize_counts_as_usage_does(quick):
    told = ask(quick.url, "/tokenize", {"prompt": "Say something, please"}).json()
    assert (told["count"], told["max_model_len"], len(told["tokens"])) == (5, 2048, 5)
    messages = chat("one two three")["messages"]
    counted = ask(quick.url, "/tokenize", {"messages": messages, "return_token_strs": True}).json()
    used = ask(quick.url, CHAT, {"messages": messages, "max_tokens": 1}).json()["usage"]["prompt_tokens"]
    assert counted["count"] == used == len(counted["token_strs"])
    assert ask(quick.url, "/tokenize", {"model": "nope", "prompt": "x"}).status_code == 404


SAMPLE = re.compile(r'^(?P<name>[a-z0-9_:]+)(\{(?P<labels>([a-z_]+="[^"]*",?)*)\})? (?P<value>\S+)$')


def metrics(url: str) -> dict[str, float]:
    """Every sample of /metrics; a line that is not Prometheus' text format fails the test."""
    samples = {}
    for line in look(url, "/metrics").text.splitlines():
        if not line.startswith("#"):
            found = SAMPLE.match(line)
            assert found, line
            labels = re.sub(r'(engine|model_name)="[^"]*",?', "", found["labels"] or "").strip(",")
            samples[f"{found['name']}{{{labels}}}" if labels else found["name"]] = float(found["value"])
    return samples


def test_metrics_count_what_was_done():
    with start(QUICK, api_key=None) as server:
        for number in range(3):
            stream(server.url, chat(f"prompt {number}", max_tokens=4, ignore_eos=True))
        told = metrics(server.url)
    assert told["vllm:prompt_tokens_total"] == 3 * 7
    assert told["vllm:generation_tokens_total"] == 3 * 4
    assert told['vllm:request_success_total{finished_reason="length"}'] == 3
    assert (
        told["vllm:num_requests_running"] == told["vllm:num_requests_waiting"] == told["vllm:kv_cache_usage_perc"] == 0
    )
    assert told["vllm:prefix_cache_queries_total"] == 21
    assert told["vllm:prompt_tokens_cached_total"] == told["vllm:prefix_cache_hits_total"] == 0
    assert told["vllm:request_time_per_output_token_seconds_count"] == 3
    assert told["vllm:request_time_per_output_token_seconds_sum"] == pytest.approx(3 * 0.002)
    parts = (told[f"vllm:request_{part}_time_seconds_sum"] for part in ("queue", "prefill"))
    assert sum(parts) == pytest.approx(told["vllm:time_to_first_token_seconds_sum"])
    assert told["vllm:time_to_first_token_seconds_count"] == told["vllm:e2e_request_latency_seconds_count"] == 3
    assert told["vllm:inter_token_latency_seconds_count"] == 3 * 3
    assert told["vllm:inter_token_latency_seconds_sum"] == pytest.approx(9 * 0.002)
    assert told['vllm:time_to_first_token_seconds_bucket{le="+Inf"}'] == 3
    assert told['vllm:time_to_first_token_seconds_bucket{le="0.001"}'] == 0


def test_metrics_show_who_runs_and_who_waits():
    settings = Simulator(max_num_seqs=2, decode_base_ms=20, kv_cache_tokens=9000)
    with start(settings, api_key=None) as server, ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(stream, server.url, chat(max_tokens=20, ignore_eos=True)) for _ in range(5)]
        time.sleep(0.2)
        told = metrics(server.url)
        assert all(answer.result().events[-1] == b"[DONE]" for answer in answers)
    assert (told["vllm:num_requests_running"], told["vllm:num_requests_waiting"]) == (2, 3)
    assert told["vllm:kv_cache_usage_perc"] == pytest.approx(2 * 27 / 9000)


# ---------------------------------------------------------------- HTTP


def test_one_connection_serves_many_requests(quick):
    with httpx.Client(timeout=10, **DIRECT) as client:
        for _ in range(5):
            client.post(quick.url + CHAT, json=chat(stream=True))
            client.get(quick.url + "/health")
        assert len(client._transport._pool.connections) == 1


def test_a_request_may_come_in_any_pieces(quick):
    whole = http_request(orjson.dumps(chat(stream=True, ignore_eos=True)))
    got = raw(quick.url, *(whole[at : at + 7] for at in range(0, len(whole), 7)), until=b"0\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"data: [DONE]" in got


def test_pipelined_requests_are_answered_in_order(quick):
    first = http_request(orjson.dumps(chat(ignore_eos=True, max_tokens=3)))
    second = b"GET /version HTTP/1.1\r\nhost: x\r\n\r\n"
    got = raw(quick.url, first + second, until=b'{"version"')
    assert got.index(b"chat.completion") < got.index(b'{"version"')


def test_a_client_that_wants_to_close_is_closed(quick):
    body = orjson.dumps(chat(stream=True))
    got = raw(quick.url, http_request(body, extra=b"connection: close\r\n"), until=b"\0")
    assert b"connection: close\r\n" in got
    assert got.endswith(b"0\r\n\r\n")


def test_a_client_that_asks_first_may_go_on(quick):
    body = orjson.dumps(chat())
    got = raw(quick.url, http_request(body, extra=b"expect: 100-continue\r\n"), until=b'"usage"')
    assert got.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("bytes_sent", "status"),
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"400", id="TLS on a plain port"),
        pytest.param(b"GET /health HTTP/1.0\r\n\r\n", b"505", id="an old version"),
        pytest.param(b"GET / HTTP/1.1\r\nx: " + b"a" * 70_000 + b"\r\n\r\n", b"400", id="an endless head"),
    ],
)
def test_what_is_not_http_1_1_is_refused_and_closed(quick, bytes_sent, status):
    assert raw(quick.url, bytes_sent, until=b"\0").startswith(b"HTTP/1.1 " + status)
