"""SGLang's own `/generate`, and what the server tells of itself."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from llmload.endpoint import Endpoint
from llmload.frameworks.adapter import Event, ServedModel, Usage
from llmload.frameworks.registry import dialect_for
from llmload.frameworks.sglang import ADAPTER, learn, read_actual, read_answer, read_event, read_version
from llmload.planned import PlannedRequest
from tests.frameworks.captured import body_of

REQUEST = PlannedRequest(index=0, prompt="say it", input_tokens=2, output_tokens=9)
ENDPOINT = Endpoint("http://127.0.0.1:1", "sglang", "generate", "tiny", True, {})
INFO = body_of("sglang/get-server_info.txt")


def test_generate_takes_the_bare_prompt_and_its_own_names() -> None:
    sampling = {"temperature": 0, "ignore_eos": True, "min_tokens": 4, "seed": 7, "max_tokens": 1}
    sent = orjson.loads(dialect_for(ENDPOINT).body(replace(ENDPOINT, sampling=sampling), REQUEST))
    assert sent == {
        "text": "say it",
        "sampling_params": {
            "temperature": 0,
            "ignore_eos": True,
            "min_new_tokens": 4,
            "sampling_seed": 7,
            "max_new_tokens": 9,
        },
        "stream": True,
    }


@pytest.mark.parametrize(
    ("document", "event"),
    [
        pytest.param(
            {"text": " the", "meta_info": {"finish_reason": None, "prompt_tokens": 7, "completion_tokens": 1}},
            Event(" the", "", Usage(7, 1)),
            id="text so far",
        ),
        pytest.param(
            {
                "text": " the",
                "meta_info": {
                    "finish_reason": {"type": "length", "length": 4},
                    "prompt_tokens": 7,
                    "completion_tokens": 4,
                    "cached_tokens": 3,
                },
            },
            Event(" the", "", Usage(7, 4, 3), "length"),
            id="the last one",
        ),
        pytest.param(
            {"text": "", "meta_info": {"finish_reason": {"type": "abort", "message": "out of memory"}}},
            Event("", "", Usage(), "abort", error="out of memory"),
            id="aborted",
        ),
        pytest.param({"error": {"message": "too long"}}, Event(error="too long"), id="error"),
        pytest.param({"text": "a", "meta_info": {"finish_reason": "stop"}}, Event("a", "", Usage(), "stop"), id="word"),
    ],
)
def test_an_event_means(document: object, event: Event) -> None:
    assert read_event(orjson.dumps(document)) == event


def test_done_is_the_end() -> None:
    assert read_event(b"[DONE]") == Event(is_last=True)


@pytest.mark.parametrize("body", [b"{oops", b"[1]", b'{"text":5}', b"{}"])
def test_what_is_not_the_protocol_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the contract of read_answer
        read_answer(body)


def test_a_server_that_streams_only_what_is_new_is_read_so() -> None:
    def two(endpoint: Endpoint) -> list[str]:
        read = dialect_for(endpoint).reader()
        return [read(b'{"text":" a"}').answer, read(b'{"text":" a b"}').answer]

    assert two(replace(ENDPOINT, learnt=learn({"/server_info": INFO}))) == [" a", " b"]
    for flag in (b'{"incremental_streaming_output":true}', b'{"stream_output":true}'):
        assert two(replace(ENDPOINT, learnt=learn({"/get_server_info": flag}))) == [" a", " a b"]


def test_its_openai_api_is_not_touched_by_that() -> None:
    chat = replace(ENDPOINT, api="chat")
    assert dialect_for(chat) is ADAPTER.dialects["chat"]


def test_the_server_tells_its_flags_its_version_and_its_context() -> None:
    for path in ("/server_info", "/get_server_info"):
        assert read_actual({path: INFO}) == {
            "tensor_parallel_size": 1,
            "mem_fraction_static": 0.1,
            "chunked_prefill": True,
        }
        assert read_version({path: INFO}) == "0.5.23"
    assert read_actual({"/server_info": b'{"chunked_prefill_size":-1}'}) == {"chunked_prefill": False}
    assert read_actual({"/server_info": b'{"tp_size":"two","mem_fraction_static":null}'}) == {}
    assert read_version({}) is None
    assert ADAPTER.models.read({"/v1/models": body_of("sglang/get-v1-models.txt")}) == (ServedModel(("tiny",), 4096),)
