"""Ollama's own API as its documentation has it (docs/api.md of ollama/ollama); no real one was at hand."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.endpoint import Endpoint
from llmload.frameworks.adapter import Event, ServedModel, Usage
from llmload.frameworks.ollama import ADAPTER, read_actual, read_answer, read_event, read_models, read_version
from llmload.planned import PlannedRequest

REQUEST = PlannedRequest(index=0, prompt="say it", input_tokens=2, output_tokens=9)


def _endpoint(api: str = "chat", *, stream: bool = True, **changes: object) -> Endpoint:
    known: dict[str, object] = {"sampling": {}, **changes}
    return Endpoint("http://127.0.0.1:1", "ollama", api, "llama3.2", stream, **known)  # type: ignore[arg-type]  # fields


def _sent(endpoint: Endpoint) -> dict[str, object]:
    document: dict[str, object] = orjson.loads(ADAPTER.dialects[endpoint.api].body(endpoint, REQUEST))
    return document


def test_a_chat_limits_the_answer_and_loads_the_model_as_declared() -> None:
    sampling = {"temperature": 0, "seed": 7, "repetition_penalty": 1.1, "keep_alive": "1h", "think": False}
    declared = {"context_length": 8192, "num_gpu": 0}
    assert _sent(_endpoint(sampling=sampling, settings=declared)) == {
        "model": "llama3.2",
        "messages": [{"role": "user", "content": "say it"}],
        "stream": True,
        "keep_alive": "1h",
        "think": False,
        "options": {
            "temperature": 0,
            "seed": 7,
            "repeat_penalty": 1.1,
            "num_ctx": 8192,
            "num_gpu": 0,
            "num_predict": 9,
        },
    }


def test_generate_sends_the_prompt_and_leaves_how_to_load_to_the_server() -> None:
    sent = _sent(_endpoint("generate", stream=False))
    assert sent == {"model": "llama3.2", "prompt": "say it", "stream": False, "options": {"num_predict": 9}}


def test_sampling_never_overrides_what_the_plan_decides() -> None:
    sent = _sent(_endpoint(sampling={"max_tokens": 1, "model": "other", "stream": False, "num_predict": 1}))
    assert (sent["model"], sent["stream"], sent["options"]) == ("llama3.2", True, {"num_predict": 9})


@pytest.mark.parametrize(
    ("api", "unknown"),
    [
        ("chat", ("ignore_eos", "min_tokens")),
        ("generate", ("ignore_eos", "min_tokens")),
        ("openai", ("ignore_eos", "min_tokens", "top_k", "keep_alive")),
        ("completions", ("ignore_eos", "min_tokens", "top_k", "keep_alive")),
    ],
)
def test_what_ollama_would_ignore_without_a_word_is_named(api: str, unknown: tuple[str, ...]) -> None:
    sampling = {"temperature": 0, "ignore_eos": True, "min_tokens": 3, "top_k": 4, "keep_alive": "5m"}
    endpoint = _endpoint(api, sampling=sampling)
    assert ADAPTER.dialects[api].unknown_sampling(endpoint) == unknown


def test_its_openai_api_is_one_word_away() -> None:
    assert list(ADAPTER.dialects) == ["chat", "generate", "openai", "completions", "embeddings"]
    assert [ADAPTER.dialects[api].path for api in ADAPTER.dialects] == [
        "/api/chat",
        "/api/generate",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
    ]


def _chat(message: object, *, done: bool = False, **more: object) -> dict[str, object]:
    return {"model": "llama3.2", "created_at": "2023-08-04T08:52:19Z", "message": message, "done": done, **more}


@pytest.mark.parametrize(
    ("document", "event"),
    [
        pytest.param(_chat({"role": "assistant", "content": "The", "images": None}), Event("The"), id="chat text"),
        pytest.param(_chat({"role": "assistant", "content": ""}), Event(), id="no text"),
        pytest.param(_chat({"content": "", "thinking": "hm"}), Event(thought="hm"), id="thinking"),
        pytest.param({"response": " a", "done": False}, Event(" a"), id="generate text"),
        pytest.param({"response": "", "thinking": "hm", "done": False}, Event(thought="hm"), id="generate thinking"),
        pytest.param(
            _chat({"content": "", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}),
            Event(call='f{"a":1}'),
            id="tool call",
        ),
        pytest.param(
            _chat(
                {"content": ""}, done=True, done_reason="length", prompt_eval_count=26, eval_count=9, eval_duration=7
            ),
            Event("", "", Usage(26, 9), "length", is_last=True),
            id="the last line",
        ),
        pytest.param(
            {"done": True, "total_duration": 5, "eval_count": 282},
            Event("", "", Usage(None, 282), "stop", is_last=True),
            id="the last line of an older release, its prompt cached",
        ),
        pytest.param({"error": "model runner has stopped"}, Event(error="model runner has stopped"), id="error"),
    ],
)
def test_a_line_means(document: object, event: Event) -> None:
    assert read_event(orjson.dumps(document)) == event


def test_a_whole_answer_is_its_last_line() -> None:
    body = orjson.dumps(_chat({"content": "yes sir"}, done=True, done_reason="stop", prompt_eval_count=5, eval_count=2))
    assert read_answer(body) == Event("yes sir", "", Usage(5, 2), "stop", is_last=True)
    assert read_answer(b'{"error":"model not found"}').error == "model not found"
    with pytest.raises(ValueError, match="not done"):
        read_answer(orjson.dumps(_chat({"content": "yes"})))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["message", "content", "thinking", "response", "done", "error", "eval_count", "name",
                                 "tool_calls", "function", "arguments", "models", "context_length", "version"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)  # fmt: skip
def test_no_document_does_worse_than_a_value_error(document: object) -> None:
    written = orjson.dumps(document)
    for read in (read_event, read_answer):
        try:
            assert isinstance(read(written), Event)
        except ValueError:
            continue
    replies = {"/api/tags": written, "/api/ps": written, "/api/version": written}
    assert isinstance(read_models(replies), tuple)
    assert isinstance(read_actual(replies), dict)
    assert read_version(replies) is None or isinstance(read_version(replies), str)


def test_models_answer_to_their_name_with_and_without_latest() -> None:
    tags = {"models": [{"name": "llama3:latest"}, {"name": "codellama:13b"}]}
    loaded = {"models": [{"name": "codellama:13b", "context_length": 4096}]}
    replies = {"/api/tags": orjson.dumps(tags), "/api/ps": orjson.dumps(loaded)}
    assert read_models(replies) == (
        ServedModel(("llama3:latest", "llama3"), None),
        ServedModel(("codellama:13b",), 4096),
    )
    assert read_actual(replies) == {"context_length": 4096}


def test_the_context_of_several_loaded_models_is_nobodys() -> None:
    loaded = {"models": [{"name": "a", "context_length": 1}, {"name": "b", "context_length": 2}]}
    assert read_actual({"/api/ps": orjson.dumps(loaded)}) == {}


def test_the_version() -> None:
    assert read_version({"/api/version": b'{"version":"0.12.6"}'}) == "0.12.6"
