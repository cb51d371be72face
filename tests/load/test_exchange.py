"""One answer on one connection, with an adapter of our own."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest

from llmload.domain import Outcome, Phase, RequestRecord
from llmload.errors import UsageError
from llmload.frameworks.adapter import Dialect, Event
from llmload.frameworks.openai import DIALECTS
from llmload.load.attempt import Job
from llmload.load.fast_transport import FastTransport
from llmload.load.sender import Sender
from llmload.load.transport import address_of
from tests.load.windows import endpoint
from tests.scripted_server import ScriptedServer, stream

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
