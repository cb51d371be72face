"""Triton's generate extension as a client sees it, held against what a real server sent (tests/captures/triton)."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import pytest

from llmload.scenario.asked import Simulator
from llmload.simulator.process import SimulatorProcess, start
from tests.simulator.asking import ask, look, receive
from tests.simulator.shapes import captured, captured_events, captured_json, is_part_of, shape_of

MODEL = "/v2/models/vllm_like"
STREAM, GENERATE = f"{MODEL}/generate_stream", f"{MODEL}/generate"


@pytest.fixture(scope="module")
def server() -> Iterator[SimulatorProcess]:
    settings = Simulator(model="vllm_like", decode_base_ms=2.0, decode_per_seq_ms=0.0, max_model_len=2048)
    with start(settings, api_key=None) as process:
        yield process
        assert process.errors() == ""


def body(words: str = "hello there you", **fields: object) -> dict:
    return {"text_input": words, "stream": True, "max_tokens": 6, "ignore_eos": True, **fields}


def test_a_stream_has_an_event_for_each_token_and_nothing_else(server):
    got = receive(server.url, STREAM, body())
    status, kind, _ = captured("triton/generate_stream.sse")
    expected = captured_events("triton/generate_stream.sse")
    assert (got.status, got.content_type) == (status, kind)
    assert [shape_of(event) for event in got.documents] == [shape_of(orjson.loads(event)) for event in expected]
    assert [list(event) for event in got.documents] == [list(orjson.loads(event)) for event in expected]
    assert [len(event["text_output"].split()) for event in got.documents] == [1] * 6
    truth = server.truth()["requests"][-1]
    assert (truth["outcome"], truth["prompt_tokens"], truth["output_tokens"]) == ("ok", 3, 6)


def test_without_stream_everything_comes_in_one_event(server):
    streamed = receive(server.url, STREAM, body())
    got = receive(server.url, STREAM, body(stream=False))
    (expected,) = captured_events("triton/generate_stream-not-streaming.sse")
    (event,) = got.documents
    assert got.content_type == captured("triton/generate_stream-not-streaming.sse")[1]
    assert shape_of(event) == shape_of(orjson.loads(expected))
    assert event["text_output"] == "".join(one["text_output"] for one in streamed.documents)


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        pytest.param({"max_tokens": 3}, 3, id="at the top"),
        pytest.param({"parameters": {"max_tokens": 4}}, 4, id="in parameters"),
        pytest.param({"sampling_parameters": '{"max_tokens":5}'}, 5, id="in a string"),
        pytest.param({}, 16, id="nowhere"),
    ],
)
def test_what_is_asked_for_may_stand_in_three_places(server, fields, tokens):
    answer = ask(server.url, GENERATE, {"text_input": "hello", "ignore_eos": True, **fields})
    assert len(answer.json()["text_output"].split()) == tokens
    assert shape_of(answer.json()) == shape_of(captured_json("triton/generate.txt"))


def test_the_model_stops_by_itself_unless_sampling_parameters_say_otherwise(server):
    def lengths(sampling: dict) -> set[int]:
        asked = {"max_tokens": 400, "sampling_parameters": orjson.dumps(sampling).decode()}
        answers = [ask(server.url, GENERATE, {"text_input": f"prompt {number}", **asked}) for number in range(4)]
        return {len(answer.json()["text_output"].split()) for answer in answers}

    assert len(lengths({})) > 1
    assert lengths({"ignore_eos": True}) == {400}
    assert min(lengths({"min_tokens": 300})) >= 300


@pytest.mark.parametrize(
    ("path", "asked", "capture"),
    [
        pytest.param(GENERATE, body(), "triton/error-generate-on-stream.txt", id="a stream of /generate"),
        pytest.param(STREAM, {"prompt": "x"}, "triton/error-missing-input.txt", id="no input"),
        pytest.param("/v2/models/nope/generate_stream", body(), "triton/error-unknown-model.txt", id="another model"),
    ],
)
def test_a_refusal_is_the_real_ones(server, path, asked, capture):
    got = receive(server.url, path, asked)
    status, kind, expected = captured(capture)
    assert (got.status, got.content_type) == (status, kind)
    assert orjson.loads(got.body) == orjson.loads(expected)
    truth = server.truth()["requests"][-1]
    assert (truth["outcome"], truth["status"]) == ("refused", status)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        pytest.param(b"{bad", "failed to parse", id="no JSON"),
        pytest.param(b"[1]", "not an object", id="no object"),
        pytest.param(body(sampling_parameters={"max_tokens": 1}), "sampling_parameters", id="an object in a string"),
        pytest.param(body(sampling_parameters="{bad"), "failed to parse", id="no JSON in a string"),
        pytest.param(body(parameters=[1]), "parameters", id="parameters that are none"),
        pytest.param(body("  "), "empty", id="no prompt"),
        pytest.param(body(max_tokens=0), "max_tokens", id="no answer"),
        pytest.param(body(max_tokens="6"), "max_tokens", id="a limit in words"),
        pytest.param(body(max_tokens=9999), "context of 2048", id="more than the context"),
    ],
)
def test_what_cannot_be_done_is_refused(server, asked, words):
    got = receive(server.url, STREAM, asked)
    assert got.status == 400
    assert words in orjson.loads(got.body.removeprefix(b"data: "))["error"]


@pytest.mark.parametrize(
    ("path", "capture"),
    [
        pytest.param("/v2", "triton/get-v2.txt", id="the server"),
        pytest.param(MODEL, "triton/get-v2-models-vllm_like.txt", id="the model"),
        pytest.param(f"{MODEL}/config", "triton/get-v2-models-vllm_like-config.txt", id="its configuration"),
    ],
)
def test_it_tells_of_itself_as_the_real_one_does(server, path, capture):
    told, expected = look(server.url, path).json(), captured_json(capture)
    assert is_part_of(shape_of(told), shape_of(expected))
    if isinstance(expected, dict) and "input" in expected:
        named = [[each[key] for key in ("name", "data_type", "optional")] for each in expected["input"]]
        assert [[each[key] for key in ("name", "data_type", "optional")] for each in told["input"]] == named
        assert told["model_transaction_policy"] == expected["model_transaction_policy"]


def test_it_is_ready_and_lists_its_model(server):
    paths = ("/v2/health/live", "/v2/health/ready", f"{MODEL}/ready")
    assert [look(server.url, path).status_code for path in paths] == [200] * 3
    assert ask(server.url, "/v2/repository/index", {}).json() == captured_json("triton/repository-index.txt")
    assert look(server.url, "/v2/models/nope/config").status_code == 404


def test_a_model_with_a_slash_in_its_name_is_found_either_way():
    with start(Simulator(model="org/model", decode_base_ms=2.0), api_key=None) as server:
        for name in ("org/model", "org%2Fmodel"):
            got = receive(server.url, f"/v2/models/{name}/generate_stream", body(max_tokens=2))
            assert [event["model_name"] for event in got.documents] == ["org/model"] * 2
