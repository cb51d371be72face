"""Whatever a server does becomes one record with one of the closed list of outcomes; nothing raises."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from llmload.domain import Outcome, RequestRecord, TokenSource
from llmload.load.window import Window
from tests.load.windows import endpoint, window
from tests.scripted_server import DONE, Piece, Script, ScriptedServer, chunk, delta, event, head, stream, usage, whole

pytestmark = pytest.mark.parametrize("transport", ["fast", "httpx"])

Measured = Callable[[Window], list[RequestRecord]]
OK, HTTP, CONNECT, TIMEOUT, PROTOCOL, STREAM, TRUNCATED = (
    Outcome.OK,
    Outcome.HTTP_ERROR,
    Outcome.CONNECT_ERROR,
    Outcome.TIMEOUT,
    Outcome.PROTOCOL_ERROR,
    Outcome.STREAM_ERROR,
    Outcome.TRUNCATED,
)


def _body(*parts: bytes, then: str = "keep") -> Script:
    """A streamed answer, each part in a chunk of its own; without `b""` it has no end."""
    pieces = [Piece(0, head()), *(Piece(0, chunk(part)) for part in parts)]
    return Script(pieces, then)  # type: ignore[arg-type]


def _raw(data: bytes, then: str = "close") -> Script:
    return Script([Piece(0, data)], then)  # type: ignore[arg-type]


def _until_close(*parts: bytes) -> Script:
    return Script([Piece(0, head(extra="")), *(Piece(0, part) for part in parts)], "close")


ANSWERS = [
    (whole("401 Unauthorized", {"error": {"message": "bad key"}}), HTTP, "HTTP_401", "a wrong key"),
    (whole("404 Not Found", {"error": {"message": "no model"}}), HTTP, "HTTP_404", "a wrong model name"),
    (whole("400 Bad Request", {"object": "error", "message": "max_tokens"}), HTTP, "HTTP_400", "max_tokens refused"),
    (whole("422 Unprocessable", {"detail": "ignore_eos"}), HTTP, "HTTP_422", "an unknown field refused"),
    (whole("429 Too Many Requests", {"error": "slow down"}), HTTP, "HTTP_429", "too many requests"),
    (whole("500 Internal Server Error", b"oops"), HTTP, "HTTP_500", "a crash"),
    (whole("503 Service Unavailable", b""), HTTP, "HTTP_503", "not ready"),
    (
        _raw(b"HTTP/1.1 500 Oops\r\n\r\nbroken", "close"),
        HTTP,
        "HTTP_500",
        "an error body that ends with the connection",
    ),
    (whole("200 OK", {"error": "one response only"}), STREAM, "ERROR_IN_BODY", "an error inside 200"),
    (whole("200 OK", b"{oops"), PROTOCOL, "JSON_PARSE_ERROR", "a body that is not JSON"),
    (
        _body(delta(" a"), event({"error": {"message": "oom"}}), b""),
        STREAM,
        "ERROR_IN_STREAM",
        "an error in the stream",
    ),
    (_body(delta(" a"), b"data: {oops\n\n", DONE, b""), PROTOCOL, "JSON_PARSE_ERROR", "an event that is not JSON"),
    (_body(delta(" a"), b""), TRUNCATED, "TRUNCATED", "a body that ends without a finish reason"),
    (_body(b""), TRUNCATED, "TRUNCATED", "an empty stream"),
    (_until_close(delta(" a")), TRUNCATED, "TRUNCATED", "a connection as the end, but no finish reason"),
    (_body(delta(" a"), then="close"), TRUNCATED, "CONNECTION_ERROR", "a disconnect in the middle"),
    (_body(delta(" a"), then="reset"), TRUNCATED, "CONNECTION_ERROR", "a reset in the middle"),
    (_raw(head()[:20]), TRUNCATED, "CONNECTION_ERROR", "a disconnect inside the head"),
    (Script([], "close"), CONNECT, "CONNECTION_ERROR", "a disconnect before the answer"),
    (Script([], "stall"), TIMEOUT, "TIMEOUT_FIRST_TOKEN", "no answer at all"),
    (_body(event({"choices": []}), then="stall"), TIMEOUT, "TIMEOUT_FIRST_TOKEN", "events without text"),
    (_body(delta(" a"), then="stall"), TIMEOUT, "TIMEOUT_TOTAL", "a stall after the first text"),
    (_raw(b"SSH-2.0-OpenSSH\r\n"), PROTOCOL, "HTTP_PARSE_ERROR", "another protocol"),
    (_raw(b"HTTP/1.1 200 OK\r\n" + b"x-y: z\r\n" * 20_000), PROTOCOL, "ANSWER_TOO_LARGE", "an endless head"),
    (_body(b"data: " + b"x" * 5_000_000), PROTOCOL, "ANSWER_TOO_LARGE", "an endless event"),
    (
        _raw(head(extra="Content-Encoding: gzip\r\nContent-Length: 3\r\n") + b"abc"),
        PROTOCOL,
        "CONTENT_ENCODING",
        "a compressed answer",
    ),
    (_body(delta(" a"), delta("", "stop"), usage(3, 1), DONE, b""), OK, None, "a whole stream"),
    (_body(delta(" a"), delta("", "stop"), b""), OK, None, "no [DONE]"),
    (_body(delta(" a"), DONE, b""), OK, None, "[DONE] without a finish reason"),
    (_body(delta("", "stop"), usage(3, 0), DONE, b""), OK, None, "a stream without any text"),
    (_body(delta(" a"), delta("", "stop"), DONE, then="close"), OK, None, "a broken end behind [DONE]"),
    (_body(delta(" a"), delta("", "stop"), DONE, then="stall"), OK, None, "an end that never comes behind [DONE]"),
    (_until_close(delta(" a"), delta("", "stop")), OK, None, "a connection as the end of the body"),
    (
        Script([Piece(0, b"HTTP/1.1 100 Continue\r\n\r\n"), *stream(3, 0, 0).pieces]),
        OK,
        None,
        "an interim answer first",
    ),
]


UNSEEN_BY_HTTPX = {"a disconnect inside the head", "another protocol"}
"""Answers that break inside their head: httpx keeps such bytes to itself, so that none seem to have come."""


@pytest.mark.parametrize(("script", "outcome", "error_type", "name"), [pytest.param(*a, id=a[3]) for a in ANSWERS])
def test_an_answer_becomes_a_record(
    measured: Measured, transport: str, script: Script, outcome: Outcome, error_type: str | None, name: str
) -> None:
    with ScriptedServer(lambda request: script) as server:
        target = endpoint(server.url, transport=transport, first_token_timeout_s=0.3, total_timeout_s=0.6)
        (record,) = measured(window(target, requests=1, warmup=0))
    if transport == "httpx" and name in UNSEEN_BY_HTTPX:
        outcome, error_type = CONNECT, "CONNECTION_ERROR"
    assert (record.outcome, record.error_type) == (outcome, error_type)
    assert (record.error_text is None) == (outcome is OK)


def test_the_words_of_the_server_reach_the_record_without_our_secrets(measured: Measured, transport: str) -> None:
    answer = whole("401 Unauthorized", {"error": {"message": "Incorrect API key: sk-very-secret (Bearer)"}})
    with ScriptedServer(lambda request: answer) as server:
        target = endpoint(server.url, transport=transport, headers=(("Authorization", "Bearer sk-very-secret"),))
        (record,) = measured(window(target, requests=1, warmup=0))
        assert b"authorization: Bearer sk-very-secret" in server.requests[0].head
    assert record.http_status == 401
    assert record.error_text is not None
    assert record.error_text.startswith("Incorrect API key: ***")


def test_a_refused_connection_is_a_connect_error(measured: Measured, transport: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    records = measured(window(endpoint(f"http://127.0.0.1:{port}", transport=transport), requests=3, warmup=0))
    assert {(record.outcome, record.error_type, record.sent_ns) for record in records} == {
        (CONNECT, "CONNECTION_ERROR", None)
    }


def test_a_connection_that_is_never_accepted_times_out(measured: Measured, transport: str) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:  # the queue of the listener is full: further connections hang
            filler.setblocking(False)
            filler.connect_ex(address)
        target = endpoint(f"http://127.0.0.1:{address[1]}", transport=transport, connect_timeout_s=0.2)
        (record,) = measured(window(target, requests=1, warmup=0))
        for filler in fillers:
            filler.close()
    assert (record.outcome, record.error_type) == (TIMEOUT, "TIMEOUT_CONNECT")


def test_an_answer_that_is_not_streamed_has_one_event_and_no_first_token(measured: Measured, transport: str) -> None:
    answer = {
        "choices": [{"message": {"content": " a b c"}, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 4, "completion_tokens": 3},
    }
    with ScriptedServer(lambda request: whole("200 OK", answer)) as server:
        (record,) = measured(window(endpoint(server.url, transport=transport, stream=False), requests=1, warmup=0))
        assert server.requests[0].document["stream"] is False
    assert record.outcome is OK
    assert (len(record.event_ns), record.first_ns, record.is_streamed) == (1, None, False)
    assert (record.input_tokens, record.output_tokens, record.finish_reason) == (4, 3, "length")


def test_without_usage_the_text_is_kept_so_that_it_can_be_counted(measured: Measured, transport: str) -> None:
    answer = _body(delta(" one"), delta(" two"), delta("", "stop"), DONE, b"")
    with ScriptedServer(lambda request: answer) as server:
        (record,) = measured(window(endpoint(server.url, transport=transport), requests=1, warmup=0, keep_texts=0))
    assert (record.text, record.output_tokens, record.token_source) == (" one two", None, None)


def test_with_usage_only_the_first_texts_are_kept(measured: Measured, transport: str) -> None:
    with ScriptedServer(lambda request: stream(2, 0, 0)) as server:
        records = measured(window(endpoint(server.url, transport=transport), requests=4, warmup=0, keep_texts=2))
    assert [record.text for record in records] == [" w0 w1", " w0 w1", None, None]
    assert {record.token_source for record in records} == {TokenSource.USAGE}


def test_a_model_that_reasons_first_answers_later(measured: Measured, transport: str) -> None:
    thought = event({"choices": [{"index": 0, "delta": {"reasoning_content": "hm"}, "finish_reason": None}]})
    pieces = [Piece(0, head() + chunk(thought)), Piece(0.1, chunk(delta(" a")) + chunk(delta("", "stop")) + chunk(b""))]
    with ScriptedServer(lambda request: Script(pieces)) as server:
        (record,) = measured(window(endpoint(server.url, transport=transport), requests=1, warmup=0))
    assert record.answer_ns is not None
    assert record.first_ns is not None
    assert record.answer_ns - record.first_ns > 50_000_000


def test_path_and_query_of_the_url_reach_the_server(measured: Measured, transport: str) -> None:
    with ScriptedServer(lambda request: stream(1, 0, 0)) as server:
        measured(window(endpoint(server.url + "/team/v1?tenant=a%20b", transport=transport), requests=1, warmup=0))
        first_line = server.requests[0].head.split(b"\r\n")[0]
    assert first_line == b"POST /team/v1/chat/completions?tenant=a%20b HTTP/1.1"
