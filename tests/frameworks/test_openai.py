"""What OpenAI-shaped servers say, and how we ask them."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.endpoint import Endpoint
from llmload.frameworks.adapter import Event, ServedModel, Usage
from llmload.frameworks.openai import ADAPTER, error_message, read_answer, read_event
from llmload.planned import PlannedRequest
from tests.frameworks.captured import body_of

CHAT, COMPLETIONS = ADAPTER.dialects["chat"], ADAPTER.dialects["completions"]
REQUEST = PlannedRequest(index=0, prompt="say it", input_tokens=2, output_tokens=9)


def _endpoint(*, stream: bool = True, **sampling: object) -> Endpoint:
    return Endpoint("http://127.0.0.1:1", "openai", "chat", "tiny", stream, sampling)


def test_a_chat_request_asks_for_usage_and_limits_the_answer() -> None:
    sent = orjson.loads(CHAT.body(_endpoint(temperature=0, ignore_eos=True), REQUEST))
    assert sent == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "say it"}],
        "max_tokens": 9,
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0,
        "ignore_eos": True,
    }


def test_a_whole_answer_is_asked_for_without_stream_options() -> None:
    sent = orjson.loads(COMPLETIONS.body(_endpoint(stream=False), REQUEST))
    assert sent == {"model": "tiny", "prompt": "say it", "max_tokens": 9, "stream": False}


def test_sampling_never_overrides_what_the_plan_decides() -> None:
    sent = orjson.loads(CHAT.body(_endpoint(max_tokens=1, model="other"), REQUEST))
    assert (sent["max_tokens"], sent["model"]) == (9, "tiny")


def _chat(delta: object, finish: object = None, **more: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


@pytest.mark.parametrize(
    ("document", "event"),
    [
        pytest.param(_chat({"role": "assistant", "content": ""}), Event(), id="role chunk of vLLM"),
        pytest.param(_chat({"role": "assistant", "content": None}), Event(), id="role chunk of llama.cpp"),
        pytest.param(_chat({"content": " the"}), Event(" the"), id="text"),
        pytest.param(_chat({"content": ""}), Event(), id="a token without text"),
        pytest.param(_chat({}), Event(), id="empty delta"),
        pytest.param(_chat(None), Event(), id="delta is null"),
        pytest.param(_chat({}, "stop"), Event(finish_reason="stop"), id="finish chunk"),
        pytest.param(_chat({"content": " x"}, "length"), Event(" x", finish_reason="length"), id="finish on the text"),
        pytest.param(_chat({"content": " x"}, usage=None), Event(" x"), id="usage is null"),
        pytest.param(
            _chat({"content": " x"}, usage={"prompt_tokens": 1, "completion_tokens": 2}),
            Event(" x", usage=Usage(1, 2)),
            id="usage on every chunk",
        ),
        pytest.param(
            {
                "choices": [],
                "usage": {"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 2}},
            },
            Event(usage=Usage(3, 4, 2)),
            id="usage in a chunk of its own",
        ),
        pytest.param(
            {"choices": [], "usage": {"prompt_tokens": -1, "completion_tokens": "4"}},
            Event(usage=Usage()),
            id="counts that are none",
        ),
        pytest.param({"choices": []}, Event(), id="no choice at all"),
        pytest.param(_chat({"reasoning_content": "hm"}), Event(thought="hm"), id="reasoning alone"),
        pytest.param(_chat({"reasoning_content": None, "content": " a"}), Event(" a"), id="reasoning is null"),
        pytest.param(_chat({"reasoning": "hm", "content": None}), Event(thought="hm"), id="reasoning, newer name"),
        pytest.param(
            _chat({"tool_calls": [{"function": {"name": "add", "arguments": "(1)"}}]}),
            Event(call="add(1)"),
            id="tool call",
        ),
        pytest.param(_chat({"content": [{"type": "text", "text": "a"}]}), Event("a"), id="content in parts"),
        pytest.param({"choices": [{"text": " a", "finish_reason": None}]}, Event(" a"), id="completions"),
        pytest.param({"error": {"message": "out of memory"}}, Event(error="out of memory"), id="error object"),
        pytest.param({"error": "asked to fail"}, Event(error="asked to fail"), id="error string"),
        pytest.param({"object": "error", "message": "bad"}, Event(error="bad"), id="flat error of SGLang"),
        pytest.param(
            _chat({"content": ""}, "error"),
            Event(finish_reason="error", error="the server ended the answer with finish_reason error"),
            id="given up by LMDeploy",
        ),
        pytest.param(
            {"choices": [{"text": " a", "finish_reason": "abort"}]},
            Event(" a", finish_reason="abort", error="the server ended the answer with finish_reason abort"),
            id="aborted by SGLang",
        ),
    ],
)
def test_an_event_means(document: object, event: Event) -> None:
    assert read_event(orjson.dumps(document)) == event


def test_llama_cpp_lists_its_context_and_its_alias_once() -> None:
    listed = body_of("llama.cpp/get-v1-models.txt")
    assert ADAPTER.models.read({"/v1/models": listed}) == (ServedModel(("tiny",), 2048),)


def test_done_is_the_end() -> None:
    assert read_event(b"[DONE]") == Event(is_last=True)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"{oops", id="not JSON"),
        pytest.param(b"[1]", id="not an object"),
        pytest.param(b'{"choices":"x"}', id="choices is a string"),
        pytest.param(b'{"choices":[1]}', id="a choice is a number"),
        pytest.param(b'{"choices":[{"delta":{"content":5}}]}', id="text is a number"),
        pytest.param(b'"\xff"', id="not UTF-8"),
    ],
)
def test_what_is_not_the_protocol_is_a_value_error(payload: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the contract of read_event
        read_event(payload)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["choices", "delta", "content", "usage", "error", "detail", "tool_calls", "function"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_document_does_worse_than_a_value_error(document: object) -> None:
    for read in (read_event, read_answer):
        try:
            assert isinstance(read(orjson.dumps(document)), Event)
        except ValueError:
            continue


def test_a_whole_answer_without_choices_is_not_the_protocol() -> None:
    with pytest.raises(ValueError, match="no choices"):
        read_answer(b"{}")


def test_a_whole_answer_with_an_error_inside_is_that_error() -> None:
    assert read_answer(b'{"error":"one response only"}') == Event(error="one response only")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b'{"error":{"message":"no such model","code":404}}', "no such model", id="vLLM and llama.cpp"),
        pytest.param(b'{"error":"asked to fail"}', "asked to fail", id="Triton and Ollama"),
        pytest.param(b'{"object":"error","message":"too long"}', "too long", id="SGLang"),
        pytest.param(b'{"detail":"not found"}', "not found", id="FastAPI"),
        pytest.param(b'{"detail":[{"msg":"extra field","loc":["x"]}]}', "extra field", id="FastAPI's validation"),
        pytest.param(b'data: {"error":"asked to fail"}\n\n', "asked to fail", id="inside an event"),
        pytest.param(b"<h1>502</h1>\r\n\x1b[31m", "<h1>502</h1> [31m", id="a proxy's page, without its control codes"),
        pytest.param(b"\xff\xfe", "\ufffd\ufffd", id="not text"),
        pytest.param(b"", "", id="nothing"),
    ],
)
def test_the_words_of_an_error_body(body: bytes, words: str) -> None:
    assert error_message(body) == words


@given(st.binary(max_size=3000))
def test_any_error_body_gives_one_short_line(body: bytes) -> None:
    words = error_message(body)
    assert len(words) <= 500
    assert words.isprintable()


def test_a_long_message_comes_whole_so_that_secrets_in_it_are_found_before_it_is_cut() -> None:
    body = b'{"error": {"message": "' + b"x" * 600 + b' sk-secret"}}'
    assert error_message(body).endswith(" sk-secret")
