"""Ollama's own protocol as a client sees it. No real Ollama could be captured: the shapes are those of its API page."""

from __future__ import annotations

import re
from datetime import datetime

import orjson
import pytest

from tests.simulator.asking import ask, look, receive

CHAT, GENERATE = "/api/chat", "/api/generate"
_COUNTS = [
    "total_duration",
    "load_duration",
    "prompt_eval_count",
    "prompt_eval_duration",
    "eval_count",
    "eval_duration",
]


def chat(words: str = "hello there you", **options: object) -> dict:
    messages = [{"role": "user", "content": words}]
    return {"model": "simulated", "messages": messages, "options": {"num_predict": 5, **options}}


def generate(words: str = "hello there you", **fields: object) -> dict:
    return {"model": "simulated", "prompt": words, "options": {"num_predict": 5}, **fields}


def test_a_chat_is_streamed_a_line_each_token_and_one_with_the_counts(quick):
    got = receive(quick.url, CHAT, chat(num_predict=5))
    *words, last = got.documents
    assert (got.status, got.content_type) == (200, "application/x-ndjson")
    assert {tuple(line) for line in words} == {("model", "created_at", "message", "done")}
    assert [line["message"]["role"] for line in words] == ["assistant"] * len(words)
    assert [len(line["message"]["content"].split()) for line in words] == [1] * len(words)
    assert [line["done"] for line in got.documents] == [False] * len(words) + [True]
    assert list(last) == ["model", "created_at", "message", "done", "done_reason", *_COUNTS]
    assert last["message"] == {"role": "assistant", "content": ""}
    assert {line["model"] for line in got.documents} == {"simulated"}
    truth = quick.truth()["requests"][-1]
    assert (last["prompt_eval_count"], last["eval_count"]) == (truth["prompt_tokens"], truth["output_tokens"])
    assert (truth["outcome"], truth["prompt_tokens"], truth["output_tokens"]) == ("ok", 3 + 3 + 2, len(words))


def test_generate_has_a_response_in_place_of_a_message(quick):
    *words, last = receive(quick.url, GENERATE, generate()).documents
    assert {tuple(line) for line in words} == {("model", "created_at", "response", "done")}
    assert list(last) == ["model", "created_at", "response", "done", "done_reason", *_COUNTS]
    assert (last["response"], last["eval_count"]) == ("", len(words))


def test_durations_are_the_engines_and_add_up(quick):
    last = receive(quick.url, CHAT, chat("count these durations", num_predict=30)).documents[-1]
    parts = [last[f"{part}_duration"] for part in ("load", "prompt_eval", "eval")]
    assert sum(parts) == last["total_duration"]
    assert last["eval_duration"] == (last["eval_count"] - 1) * 2_000_000  # the quick engine decodes in 2 ms
    assert 2_000_000 <= last["prompt_eval_duration"] < 3_000_000


def test_instants_are_rfc_3339_and_rise(quick):
    lines = receive(quick.url, CHAT, chat()).documents
    stamps = [line["created_at"] for line in lines]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", stamp) for stamp in stamps)
    assert stamps == sorted(stamps)
    assert datetime.fromisoformat(stamps[0]).tzinfo is not None


@pytest.mark.parametrize("path", [CHAT, GENERATE])
def test_an_answer_in_one_piece_says_the_same_as_a_stream(quick, path):
    body = chat() if path == CHAT else generate()
    lines = receive(quick.url, path, body).documents
    whole = ask(quick.url, path, {**body, "stream": False}).json()
    said = [line["message"]["content"] if path == CHAT else line["response"] for line in lines]
    assert (whole["message"]["content"] if path == CHAT else whole["response"]) == "".join(said)
    assert list(whole) == list(lines[-1])
    assert (whole["done"], whole["eval_count"]) == (True, lines[-1]["eval_count"])


def test_it_stops_at_the_limit_or_by_itself(quick):
    lasts = [receive(quick.url, CHAT, chat(f"prompt {n}", num_predict=120)).documents[-1] for n in range(8)]
    assert {last["done_reason"] for last in lasts} == {"stop", "length"}
    assert all((last["eval_count"] == 120) == (last["done_reason"] == "length") for last in lasts)


@pytest.mark.parametrize("limit", [-1, None])
def test_without_a_limit_the_context_is_one(quick, limit):
    options = {"num_ctx": 12} | ({} if limit is None else {"num_predict": limit})
    body = {**chat(), "options": options, "stream": False}
    lengths = [ask(quick.url, CHAT, body | chat(f"p {n}") | {"options": options}).json() for n in range(4)]
    assert {one["prompt_eval_count"] for one in lengths} == {7}
    assert max(one["eval_count"] for one in lengths) == 12 - 7


def test_a_prompt_beyond_the_context_is_cut_without_a_word(quick):
    words = " ".join(f"w{number}" for number in range(50))
    told = ask(quick.url, CHAT, {**chat(words, num_ctx=16), "stream": False}).json()
    assert (told["prompt_eval_count"], told["eval_count"], told["done_reason"]) == (15, 1, "length")


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        pytest.param({}, 3 + 3 + 2, id="in the template"),
        pytest.param({"raw": True}, 3, id="raw"),
        pytest.param({"system": "be brief"}, 3 + 3 + 2 + 3 + 2, id="with a system prompt"),
    ],
)
def test_a_prompt_is_counted_in_its_template(quick, fields, tokens):
    told = ask(quick.url, GENERATE, generate(stream=False, **fields)).json()
    assert told["prompt_eval_count"] == tokens


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        pytest.param(CHAT, b"{bad", 400, "unexpected", id="no JSON"),
        pytest.param(CHAT, b"[1]", 400, "not an object", id="no object"),
        pytest.param(CHAT, {"messages": []}, 400, "model is required", id="no model"),
        pytest.param(CHAT, {**chat(), "model": "nope"}, 404, "model 'nope' not found", id="another model"),
        pytest.param(CHAT, {**chat(), "messages": []}, 400, "message", id="no messages"),
        pytest.param(CHAT, {**chat(), "messages": [{"role": "user"}]}, 400, "content", id="no content"),
        pytest.param(GENERATE, generate(" "), 400, "prompt", id="no prompt"),
        pytest.param(CHAT, {**chat(), "options": 3}, 400, "options", id="options that are none"),
        pytest.param(CHAT, chat(num_predict="many"), 400, "num_predict", id="a limit in words"),
    ],
)
def test_what_cannot_be_done_is_refused(quick, path, body, status, words):
    got = receive(quick.url, path, body)
    assert got.status == status
    assert words in orjson.loads(got.body)["error"]
    truth = quick.truth()["requests"][-1]
    assert (truth["outcome"], truth["status"]) == ("refused", status)


@pytest.mark.parametrize("name", ["simulated", "simulated:latest"])
def test_a_model_without_a_tag_is_the_latest(quick, name):
    told = ask(quick.url, CHAT, {**chat(), "model": name, "stream": False}).json()
    assert told["model"] == name


def test_its_openai_api_knows_the_name_that_it_lists(quick):
    document = {"model": "simulated:latest", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 2}
    assert ask(quick.url, "/v1/chat/completions", document).status_code == 200


def test_it_tells_of_its_version_and_its_model(quick):
    assert look(quick.url, "/api/version").json()["version"].startswith("simulator-")
    (listed,) = look(quick.url, "/api/tags").json()["models"]
    (loaded,) = look(quick.url, "/api/ps").json()["models"]
    assert (listed["name"], loaded["context_length"]) == ("simulated:latest", 2048)
    assert loaded["size"] == loaded["size_vram"] > 0
    shown = ask(quick.url, "/api/show", {"model": "simulated"}).json()
    assert shown["model_info"]["llama.context_length"] == 2048
    assert ask(quick.url, "/api/show", {"model": "nope"}).status_code == 404
    assert ask(quick.url, "/api/show", {}).status_code == 400
