"""One answer on one connection, with an adapter of our own."""

from __future__ import annotations

import asyncio
import gc
import logging
from dataclasses import replace

import pytest

from llmload.domain import Outcome, Phase, RequestRecord
from llmload.errors import UsageError
from llmload.frameworks.adapter import Dialect, Event
from llmload.frameworks.openai import DIALECTS
from llmload.load.attempt import Job
from llmload.load.exchange import Exchange
from llmload.load.fast_transport import FastTransport
from llmload.load.sender import Sender
from llmload.load.transport import Connection, address_of
from tests.load.windows import endpoint
from tests.scripted_server import Piece, Script, ScriptedServer, stream

JOB = Job(0, 0, Phase.MEASURED, b"{}", 1, 1, keeps_text=True)


def _defective(payload: bytes) -> Event:
    raise KeyError(payload)


def _sender(url: str, dialect: Dialect) -> Sender:
    target = endpoint(url)
    return Sender(target, dialect, FastTransport(target, dialect))


async def _sent_twice(sender: Sender) -> list[RequestRecord]:
    records = [await sender.send(JOB, 0), await sender.send(JOB, 0)]
    await sender.close()
    return records


def test_a_defect_of_ours_is_a_record_and_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with ScriptedServer(lambda request: stream(3, 0, 0)) as server:
        sender = _sender(server.url, replace(DIALECTS["chat"], read_event=_defective))
        with caplog.at_level(logging.ERROR):
            records = asyncio.run(_sent_twice(sender))
    assert [(r.outcome, r.error_type) for r in records] == [(Outcome.PROTOCOL_ERROR, "UNEXPECTED:KeyError")] * 2
    assert len(caplog.records) == 1
    assert "in _defective" in caplog.text
    assert "choices" not in caplog.text  # what the server said may hold a secret


def test_reasoning_and_answer_are_both_text_to_be_counted() -> None:
    both = replace(DIALECTS["chat"], read_event=lambda payload: Event("b", "a", is_last=payload == b"[DONE]"))
    with ScriptedServer(lambda request: stream(1, 0, 0)) as server:
        record = asyncio.run(_sent_twice(_sender(server.url, both)))[0]
    assert record.text is not None
    assert sorted(set(record.text)) == ["a", "b"]


def test_one_connection_carries_answer_after_answer() -> None:
    with ScriptedServer(lambda request: stream(40, 0, 0.002)) as server:
        records = asyncio.run(_sent_twice(_sender(server.url, DIALECTS["chat"])))
        assert server.connections == 1
    assert [(r.outcome, len(r.event_ns), r.output_tokens) for r in records] == [(Outcome.OK, 40, 40)] * 2
    assert [r.text for r in records] == ["".join(f" w{number}" for number in range(40))] * 2


async def _left_behind(sender: Sender) -> list[str]:
    """What is still alive of some requests, while no garbage is collected."""
    gc.collect()
    gc.disable()
    try:
        for _ in range(6):
            await sender.send(JOB, 0)
        await sender.close()
        await asyncio.sleep(0.05)
        return [type(one).__name__ for one in gc.get_objects() if isinstance(one, Exchange | Connection)]
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(stream(3, 0, 0), id="a connection that is kept"),
        pytest.param(stream(3, 0, 0, "close"), id="a connection that is closed"),
        pytest.param(Script([*stream(3, 0, 0).pieces[:3]], "close"), id="an answer that breaks off"),
        pytest.param(Script([Piece(0, b"no HTTP")], "close"), id="an answer that cannot be read"),
    ],
)
def test_a_request_leaves_nothing_for_the_garbage_collector(script: Script) -> None:
    """It is off within a window, so that a cycle would stay until its end."""
    with ScriptedServer(lambda request: script) as server:
        assert asyncio.run(_left_behind(_sender(server.url, DIALECTS["chat"]))) == []


async def _sent_with_a_pause(sender: Sender) -> list[RequestRecord]:
    first = await sender.send(JOB, 0)
    await asyncio.sleep(0.15)
    records = [first, await sender.send(JOB, 0)]
    await sender.close()
    return records


def test_bytes_that_nobody_asked_for_end_their_connection_and_no_answer() -> None:
    answer = stream(3, 0, 0)
    with ScriptedServer(lambda request: Script([*answer.pieces, Piece(0.05, b"HTTP/1.1 200 OK\r\n")])) as server:
        records = asyncio.run(_sent_with_a_pause(_sender(server.url, DIALECTS["chat"])))
        assert server.connections == 2
    assert [(r.outcome, len(r.event_ns), r.retried) for r in records] == [(Outcome.OK, 3, False)] * 2


@pytest.mark.parametrize(
    ("url", "host", "port", "line", "host_line"),
    [
        ("http://h/a", "h", 80, "POST /a HTTP/1.1", "host: h"),
        ("http://h:8000/a?b=c", "h", 8000, "POST /a?b=c HTTP/1.1", "host: h:8000"),
        ("https://h/ä b", "h", 443, "POST /%C3%A4%20b HTTP/1.1", "host: h"),
        ("http://[::1]:80/a", "::1", 80, "POST /a HTTP/1.1", "host: [::1]"),
        ("http://bücher.example/", "bücher.example", 80, "POST / HTTP/1.1", "host: xn--bcher-kva.example"),
    ],
)
def test_the_address_and_first_lines_of_a_url(url: str, host: str, port: int, line: str, host_line: str) -> None:
    address = address_of(endpoint(url), url)
    assert (address.host, address.port) == (host, port)
    assert address.head.decode().split("\r\n")[:2] == [line, host_line]


def test_user_and_password_of_a_url_become_a_header_unless_one_is_given() -> None:
    url = "http://user:pa%20ss@h/"
    assert b"authorization: Basic dXNlcjpwYSBzcw==" in address_of(endpoint(url), url).head
    given = endpoint(url, headers=(("Authorization", "Bearer x"),))
    assert b"authorization: Bearer x" in address_of(given, url).head
    assert b"Basic" not in address_of(given, url).head


@pytest.mark.parametrize("url", ["ftp://h/", "http:///path", "h:8000"])
def test_what_is_no_http_url_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError, match="not an http or https URL"):
        address_of(endpoint(url), url)


def test_a_line_break_in_a_header_is_refused() -> None:
    asked = endpoint("http://h", headers=(("X-Route", "a\r\nX-Evil: b"),))
    with pytest.raises(UsageError, match="control character"):
        address_of(asked, "http://h/")
