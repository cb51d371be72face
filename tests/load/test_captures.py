"""Bytes of real engines, served again: each must become the record that a person reads in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from llmload.domain import Outcome, RequestRecord
from llmload.load.window import Window
from tests.load.windows import endpoint, window
from tests.scripted_server import Piece, Script, ScriptedServer, chunk

CAPTURES = Path(__file__).parent.parent / "captures"
Measured = Callable[[Window], list[RequestRecord]]


def captured(name: str) -> tuple[bytes, bytes]:
    """Status line and body: the rest of the head speaks of a framing that the capture did not keep."""
    text = (CAPTURES / name).read_bytes()
    start = text.index(b"HTTP/1.1 ")
    head, _, body = text[start:].replace(b"\r\n", b"\n").partition(b"\n\n")
    lines = [line for line in head.split(b"\n") if line.lower().startswith((b"http/", b"content-type"))]
    return b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", b""]), body


def api_of(name: str) -> tuple[str, str]:
    """Framework and API that a capture speaks."""
    match name.split("/"):
        case ["triton", _]:
            return "triton", "generate"
        case ["sglang", file] if file.startswith("generate"):
            return "sglang", "generate"
        case ["vllm" | "sglang" as framework, file]:
            return framework, "completions" if file.startswith("completions") else "chat"
        case _:
            return "openai", "completions" if "completions" in name else "chat"


def _replayed(measured: Measured, name: str, pieces: Callable[[bytes], list[bytes]]) -> RequestRecord:
    head, body = captured(name)
    script = Script([Piece(0, head), Piece(0, b"".join(chunk(piece) for piece in [*pieces(body), b""]))])
    framework, api = api_of(name)
    with ScriptedServer(lambda request: script) as server:
        target = endpoint(server.url, framework=framework, api=api, stream=name.endswith(".sse"))
        (record,) = measured(window(target, requests=1, warmup=0))
    return record


def _whole(body: bytes) -> list[bytes]:
    return [body]


def _events(body: bytes) -> list[bytes]:
    return [part + b"\n\n" for part in body.strip().split(b"\n\n")]


def _bytes(body: bytes) -> list[bytes]:
    return [body[at : at + 1] for at in range(len(body))]


STREAMS = [
    # file, text events, output tokens, input tokens, cached tokens, finish reason
    ("vllm/chat-stream-usage.sse", 40, 41, 24, None, "stop"),
    ("vllm/chat-stream-nousage.sse", 5, None, None, None, "length"),
    ("vllm/chat-stream-continuous-usage.sse", 5, 5, 24, None, "length"),
    ("vllm/chat-stream-ignore-eos.sse", 58, 60, 24, None, "length"),
    ("vllm/chat-stream-min-tokens.sse", 60, 60, 24, None, "length"),
    ("vllm/random-chat-stream.sse", 50, 60, 24, None, "length"),
    ("vllm/completions-stream-usage.sse", 8, 8, 7, None, "length"),
    ("vllm/completions-logprobs.sse", 2, None, None, None, "length"),
    ("vllm/completions-token-ids-prompt.sse", 3, 3, 3, None, "length"),
    ("sglang/chat-stream-usage.sse", 40, 41, 24, None, "stop"),
    ("sglang/chat-stream-nousage.sse", 5, None, None, None, "length"),
    ("sglang/chat-stream-continuous-usage.sse", 4, 5, 24, None, "length"),
    ("sglang/chat-stream-ignore-eos.sse", 56, 60, 24, None, "length"),
    ("sglang/chat-stream-min-tokens.sse", 60, 60, 24, None, "length"),
    ("sglang/completions-stream-usage.sse", 5, 5, 7, None, "length"),
    ("llama.cpp/chat-stream-usage.sse", 40, 41, 24, 0, "stop"),
    ("llama.cpp/chat-stream-nousage.sse", 5, None, None, None, "length"),
    ("llama.cpp/chat-stream-timings-per-token.sse", 4, 4, 24, 23, "length"),
    ("llama.cpp/chat-stream-ignore-eos.sse", 60, 60, 24, 23, "length"),
    ("llama.cpp/chat-stream-min-tokens.sse", 40, 41, 24, 23, "stop"),
    ("llama.cpp/over-context-max-tokens.sse", 6, 2024, 24, 23, "length"),
    ("llama.cpp/completions-stream-usage.sse", 5, 5, 7, 0, "length"),
]


@pytest.mark.parametrize(
    ("name", "events", "output", "prompt", "cached", "finish"), [pytest.param(*row, id=row[0]) for row in STREAMS]
)
@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(_events, id="an event a chunk"),
        pytest.param(_whole, id="all in one"),
        pytest.param(_bytes, id="a byte a chunk"),
    ],
)
def test_a_captured_stream_is_read_as_a_person_reads_it(
    measured: Measured,
    pieces: Callable[[bytes], list[bytes]],
    name: str,
    events: int,
    output: int | None,
    prompt: int | None,
    cached: int | None,
    finish: str,
) -> None:
    record = _replayed(measured, name, pieces)
    assert (record.outcome, record.error_text) == (Outcome.OK, None)
    assert len(record.event_ns) == events
    assert (record.output_tokens, record.input_tokens, record.cached_tokens) == (output, prompt, cached)
    assert record.finish_reason == finish


def test_the_text_of_a_captured_stream_is_whole(measured: Measured) -> None:
    record = _replayed(measured, "vllm/chat-stream-usage.sse", _bytes)
    assert record.text is not None
    assert len(record.text.split()) == 40
    assert record.text.startswith(" the and for are object")


SIX_WORDS = " the and for are object that"
NATIVE = [
    # file, text, text events, output tokens, input tokens, cached tokens, finish reason
    ("sglang/generate-native-stream.sse", " the and for are", 4, 4, 7, 0, "length"),
    ("triton/generate_stream.sse", SIX_WORDS, 6, None, None, None, None),
    ("triton/generate_stream-not-streaming.sse", SIX_WORDS, 1, None, None, None, None),
]


@pytest.mark.parametrize(
    ("name", "text", "events", "output", "prompt", "cached", "finish"),
    [pytest.param(*row, id=row[0]) for row in NATIVE],
)
def test_a_captured_stream_of_a_native_api_is_read_as_a_person_reads_it(
    measured: Measured,
    name: str,
    text: str,
    events: int,
    output: int | None,
    prompt: int | None,
    cached: int | None,
    finish: str | None,
) -> None:
    record = _replayed(measured, name, _events)
    assert (record.outcome, record.error_text, record.text) == (Outcome.OK, None, text)
    assert len(record.event_ns) == events
    assert (record.output_tokens, record.input_tokens, record.cached_tokens) == (output, prompt, cached)
    assert record.finish_reason == finish


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("triton/generate.txt", SIX_WORDS),
        ("triton/generate-parameters-object.txt", " the and for"),
        ("triton/generate-sampling-parameters-string.txt", " the and for"),
    ],
)
def test_a_captured_whole_answer_of_triton_is_its_text(measured: Measured, name: str, text: str) -> None:
    record = _replayed(measured, name, _whole)
    assert (record.outcome, record.text, record.output_tokens) == (Outcome.OK, text, None)


def test_the_native_stream_of_llama_cpp_is_not_taken_for_an_answer_of_the_api_that_was_asked(
    measured: Measured,
) -> None:
    record = _replayed(measured, "llama.cpp/completion-native-stream.sse", _events)
    assert (record.outcome, len(record.event_ns)) == (Outcome.TRUNCATED, 0)


@pytest.mark.parametrize("engine", ["vllm", "sglang", "llama.cpp"])
def test_a_captured_whole_answer_has_its_counts(measured: Measured, engine: str) -> None:
    record = _replayed(measured, f"{engine}/chat-nonstream.txt", _whole)
    assert record.outcome is Outcome.OK
    assert (record.output_tokens, record.input_tokens, record.finish_reason) == (8, 24, "length")


@pytest.mark.parametrize(
    ("name", "outcome", "error_type", "words"),
    [
        ("vllm/error-bad-json.txt", "http_error", "HTTP_400", "1 validation error: {'type': 'json_invalid'"),
        ("vllm/error-context-too-long.txt", "http_error", "HTTP_400", "max_tokens=5000 cannot be greater than"),
        ("vllm/error-min-gt-max.txt", "http_error", "HTTP_400", "min_tokens must be less than or equal to"),
        ("vllm/error-unknown-model.txt", "http_error", "HTTP_404", "The model `nope` does not exist."),
        ("sglang/error-bad-json.txt", "http_error", "HTTP_400", "1 validation error: {'type': 'json_invalid'"),
        ("sglang/error-context-too-long.txt", "http_error", "HTTP_400", "Requested token count exceeds"),
        ("llama.cpp/error-bad-json.txt", "http_error", "HTTP_400", "[json.exception.parse_error.101]"),
        ("llama.cpp/error-context-too-long.txt", "http_error", "HTTP_400", "request (16000 tokens) exceeds"),
        ("triton/error-generate-fail.txt", "http_error", "HTTP_400", "asked to fail"),
        ("triton/error-in-stream.sse", "http_error", "HTTP_400", "asked to fail"),
        ("triton/error-missing-input.txt", "http_error", "HTTP_400", "[request id: <id_unknown>] expected number"),
        ("triton/error-unknown-model.txt", "http_error", "HTTP_404", "Request for unknown model: 'nope'"),
        ("triton/infer-decoupled-error.txt", "http_error", "HTTP_501", "HTTP end point doesn't support models"),
        ("triton/error-generate-on-stream.txt", "stream_error", "ERROR_IN_BODY", "generate expects model to produce"),
    ],
)
def test_a_captured_error_keeps_the_words_of_the_server(
    measured: Measured, name: str, outcome: str, error_type: str, words: str
) -> None:
    record = _replayed(measured, name, _whole)
    assert (record.outcome.value, record.error_type) == (outcome, error_type)
    assert record.error_text is not None
    assert record.error_text.startswith(words)


@pytest.mark.parametrize("engine", ["sglang", "llama.cpp"])
def test_an_engine_that_takes_any_model_name_answers(measured: Measured, engine: str) -> None:
    record = _replayed(measured, f"{engine}/error-unknown-model.txt", _whole)
    assert (record.outcome, record.output_tokens) == (Outcome.OK, 3)
