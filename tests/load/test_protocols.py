"""Answers that are not OpenAI's, over both transports: one document a line, responses without an end of their own."""

from __future__ import annotations

from collections.abc import Callable

import orjson
import pytest

from llmload.domain import Outcome, RequestRecord
from llmload.endpoint import Endpoint
from llmload.load.window import Window
from tests.load.windows import endpoint, window
from tests.scripted_server import Piece, Request, Script, ScriptedServer, chunk, event, head, whole

pytestmark = pytest.mark.parametrize("transport", ["fast", "httpx"])

Measured = Callable[[Window], list[RequestRecord]]


def _line(document: object) -> bytes:
    return orjson.dumps(document) + b"\n"


def _said(text: str, *, thinking: str = "") -> bytes:
    return _line({"model": "tiny", "message": {"content": text, "thinking": thinking}, "done": False})


LAST = _line(
    {
        "model": "tiny",
        "message": {"role": "assistant", "content": ""},
        "done": True,
        "done_reason": "stop",
        "total_duration": 4883583458,
        "prompt_eval_count": 26,
        "prompt_eval_duration": 342546000,
        "eval_count": 4,
        "eval_duration": 4535599000,
    }
)
ANSWER = _said("", thinking="hm") + _said(" a") + _said(' "né\n"') + _said(" c") + LAST
NDJSON = "application/x-ndjson"


def _sent(*pieces: bytes, content_type: str = NDJSON, then: str = "keep") -> Script:
    body = b"".join(map(chunk, [*pieces, b""])) if then == "keep" else b"".join(map(chunk, pieces))
    return Script([Piece(0, head(content_type=content_type) + body)], then)  # type: ignore[arg-type]  # keep or close


def _record(measured: Measured, script: Script, transport: str, **changes: object) -> tuple[RequestRecord, Request]:
    seen: list[Request] = []

    def answer(request: Request) -> Script:
        seen.append(request)
        return script

    with ScriptedServer(answer) as server:
        target: Endpoint = endpoint(
            server.url, **{"framework": "ollama", "transport": transport, "sampling": {}, **changes}
        )
        (record,) = measured(window(target, requests=1, warmup=0, keep_texts=1))
    return record, seen[0]


def _path(request: Request) -> bytes:
    return request.head.split()[1]


def _bytes(body: bytes) -> list[bytes]:
    return [body[at : at + 1] for at in range(len(body))]


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(ANSWER.splitlines(keepends=True), id="a line a chunk"),
        pytest.param([ANSWER], id="all in one"),
        pytest.param(_bytes(ANSWER), id="a byte a chunk"),
        pytest.param([ANSWER.replace(b"\n", b"\r\n\n")], id="other ends of lines"),
    ],
)
def test_a_stream_of_lines_is_text_counts_and_a_reason(measured: Measured, transport: str, pieces: list[bytes]) -> None:
    record, request = _record(measured, _sent(*pieces), transport)
    assert (record.outcome, record.error_text) == (Outcome.OK, None)
    assert record.text == 'hm a "né\n" c'
    assert len(record.event_ns) == 4
    assert (record.output_tokens, record.input_tokens, record.finish_reason) == (4, 26, "stop")
    assert record.answer_ns is not None
    assert record.answer_ns >= record.event_ns[0]
    assert _path(request) == b"/api/chat"


@pytest.mark.parametrize(
    ("script", "outcome", "error_type", "words"),
    [
        pytest.param(
            _sent(_said(" a"), _line({"error": "model runner has stopped"})),
            Outcome.STREAM_ERROR, "ERROR_IN_STREAM", "model runner has stopped", id="an error as a line",
        ),
        pytest.param(_sent(_said(" a")), Outcome.TRUNCATED, "TRUNCATED", "without a finish reason", id="no last line"),
        pytest.param(
            _sent(_said(" a"), LAST[:-9]), Outcome.TRUNCATED, "TRUNCATED", "without a finish", id="half a last line"
        ),
        pytest.param(_sent(_said(" a"), then="close"), Outcome.TRUNCATED, "CONNECTION_ERROR", "broke", id="hung up"),
        pytest.param(
            _sent(_said(" a"), b'{"mess\n'), Outcome.PROTOCOL_ERROR, "JSON_PARSE_ERROR", "an event", id="not JSON"
        ),
        pytest.param(
            whole("404 Not Found", {"error": "model 'tiny' not found"}),
            Outcome.HTTP_ERROR, "HTTP_404", "model 'tiny' not found", id="no such model",
        ),
    ],
)  # fmt: skip
def test_a_stream_of_lines_that_goes_wrong_says_how(
    measured: Measured, transport: str, script: Script, outcome: Outcome, error_type: str, words: str
) -> None:
    record, _ = _record(measured, script, transport)
    assert (record.outcome, record.error_type) == (outcome, error_type)
    assert record.error_text is not None
    assert words in record.error_text


def test_a_whole_answer_of_ollama_is_read(measured: Measured, transport: str) -> None:
    document = {**orjson.loads(LAST), "message": {"content": "yes sir"}}
    record, request = _record(measured, whole("200 OK", document), transport, stream=False, api="chat")
    assert (record.outcome, record.text, record.output_tokens) == (Outcome.OK, "yes sir", 4)
    assert request.document["stream"] is False


TRITON = {"framework": "triton", "api": "generate", "model": "org/my model"}


def test_the_model_of_triton_stands_in_the_path(measured: Measured, transport: str) -> None:
    body = event({"text_output": " a"}) + event({"text_output": " b"})
    record, request = _record(measured, _sent(body, content_type="text/event-stream"), transport, **TRITON)
    assert (record.outcome, record.text, record.finish_reason) == (Outcome.OK, " a b", None)
    assert _path(request) == b"/v2/models/org%2Fmy%20model/generate_stream"


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        pytest.param(
            _sent(event({"text_output": " a"}), event({"error": "out of memory"}), content_type="text/event-stream"),
            Outcome.STREAM_ERROR, id="an error inside the stream",
        ),
        pytest.param(whole("200 OK", {"error": "one response only"}), Outcome.STREAM_ERROR, id="an error inside a 200"),
        pytest.param(
            _sent(event({"text_output": " a"}), content_type="text/event-stream", then="close"),
            Outcome.TRUNCATED, id="hung up, which is all that shows where no reason is told",
        ),
    ],
)  # fmt: skip
def test_an_answer_of_triton_that_goes_wrong_says_so(
    measured: Measured, transport: str, script: Script, outcome: Outcome
) -> None:
    assert _record(measured, script, transport, **TRITON)[0].outcome is outcome


def test_a_vllm_backend_that_tells_counts_and_reasons_is_held_to_them(measured: Measured, transport: str) -> None:
    inputs = dict.fromkeys(("text_input", "return_num_output_tokens", "return_finish_reason"), "TYPE_BOOL")
    parts = [{"text_output": " a", "num_output_tokens": 1, "finish_reason": "None"}] * 2
    last = {"text_output": "", "num_output_tokens": 1, "finish_reason": "stop"}
    learnt = {**TRITON, "learnt": {"inputs": inputs}}
    sse = "text/event-stream"
    record, _ = _record(measured, _sent(*map(event, [*parts, last]), content_type=sse), transport, **learnt)
    assert (record.outcome, record.output_tokens, record.finish_reason) == (Outcome.OK, 3, "stop")
    record, _ = _record(measured, _sent(*map(event, parts), content_type=sse), transport, **learnt)
    assert record.outcome is Outcome.TRUNCATED
