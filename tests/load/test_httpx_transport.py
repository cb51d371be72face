"""What only the httpx transport does: proxies and HTTP/2. What both do is in `test_transports.py`."""

from __future__ import annotations

import errno
import ssl
import subprocess
import sys
from asyncio import run
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmload.domain import Observation, Outcome, Phase, RequestRecord
from llmload.frameworks.openai import DIALECTS
from llmload.load.answer import Answer
from llmload.load.attempt import Attempt, Job
from llmload.load.sender import Sender
from llmload.load.window import Window
from tests.forwarding_proxy import ForwardingProxy
from tests.http2_server import Http2Server
from tests.load.windows import endpoint, window
from tests.scripted_server import DONE, ScriptedServer, delta, stream, usage, whole

Measured = Callable[[Window], list[RequestRecord]]
Observe = Callable[[Window], Observation]

TEXTS = (delta(" a"), delta(" b", "stop"), usage(7, 2), DONE)


# ---------------------------------------------------------------- HTTP/2


def test_http2_is_spoken_where_the_server_offers_it(
    observe: Observe, certificate: tuple[Path, Path], server_tls: ssl.SSLContext
) -> None:
    with Http2Server(server_tls, lambda number: TEXTS) as server:
        target = endpoint(server.url, transport="httpx", tls_ca_file=str(certificate[0]), headers=(("X-Team", "blue"),))
        observation = observe(window(target, concurrency=4, requests=20, keep_texts=20))
    records = [record for record in observation.records if record.phase is Phase.MEASURED]
    assert {(r.outcome, r.text, len(r.event_ns), r.output_tokens) for r in records} == {(Outcome.OK, " a b", 2, 2)}
    assert server.connections == 1
    assert sum(worker.opened for worker in observation.workers) == 1
    assert {fields[b"x-team"] for fields in server.fields} == {b"blue"}
    assert {fields[b":path"] for fields in server.fields} == {b"/v1/chat/completions"}


def test_a_stream_that_the_server_resets_is_its_failure_alone(
    measured: Measured, certificate: tuple[Path, Path], server_tls: ssl.SSLContext
) -> None:
    with Http2Server(server_tls, lambda number: None if number == 1 else TEXTS) as server:
        target = endpoint(server.url, transport="httpx", tls_ca_file=str(certificate[0]))
        records = measured(window(target, requests=3, warmup=0))
    assert server.connections == 1
    assert {record.outcome for record in records} == {Outcome.OK}
    assert [record.retried for record in records] == [False, True, False]


def test_an_http2_answer_without_an_end_of_the_stream_is_cut(
    measured: Measured, certificate: tuple[Path, Path], server_tls: ssl.SSLContext
) -> None:
    with Http2Server(server_tls, lambda number: TEXTS[:1]) as server:
        target = endpoint(server.url, transport="httpx", tls_ca_file=str(certificate[0]))
        (record,) = measured(window(target, requests=1, warmup=0))
    assert (record.outcome, record.error_type) == (Outcome.TRUNCATED, "TRUNCATED")


# ---------------------------------------------------------------- proxies


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(lambda request: stream(3, 0, 0)) as started:
        yield started


def _address(server: ScriptedServer) -> tuple[str, int]:
    host, _, port = server.url.partition("://")[2].partition(":")
    return host, int(port)


def test_plain_http_goes_through_the_proxy_with_its_login(measured: Measured, server: ScriptedServer) -> None:
    with ForwardingProxy({"llm.test": _address(server)}) as proxy:
        target = endpoint("http://llm.test/base?team=a", transport="httpx", proxy=proxy.url)
        records = measured(window(target, requests=4, warmup=1))
    assert {record.outcome for record in records} == {Outcome.OK}
    assert set(proxy.lines) == {"POST http://llm.test/base/v1/chat/completions?team=a"}
    assert server.connections == 1


def test_tls_goes_through_a_tunnel_that_is_opened_once(
    measured: Measured, certificate: tuple[Path, Path], server_tls: ssl.SSLContext
) -> None:
    with (
        ScriptedServer(lambda request: stream(3, 0.01, 0), server_tls) as server,
        ForwardingProxy({"127.0.0.1": _address(server)}) as proxy,
    ):
        target = endpoint(server.url, transport="httpx", proxy=proxy.url, tls_ca_file=str(certificate[0]))
        records = measured(window(target, requests=4, warmup=1))
        port = _address(server)[1]
    assert {record.outcome for record in records} == {Outcome.OK}
    assert proxy.lines == [f"CONNECT 127.0.0.1:{port}"]
    assert b"ci:" not in b"".join(request.head for request in server.requests)
    assert all(record.sent_ns is not None and record.first_ns - record.sent_ns > 9e6 for record in records)  # type: ignore[operator]


def test_a_tunnel_refused_is_a_connect_error(measured: Measured) -> None:
    with ForwardingProxy({}) as proxy:
        url = proxy.url.replace("sesame", "barley")
        target = endpoint("https://llm.test", transport="httpx", proxy=url)
        (record,) = measured(window(target, requests=1, warmup=0))
    assert (record.outcome, record.error_type) == (Outcome.CONNECT_ERROR, "PROXY_ERROR")
    assert record.error_text == "the proxy opens no tunnel: 407 Login Wanted"


def test_a_proxy_that_is_not_there_is_a_connect_error(measured: Measured) -> None:
    with ForwardingProxy({}) as proxy:
        url = proxy.url
    target = endpoint("http://llm.test", transport="httpx", proxy=url)
    (record,) = measured(window(target, requests=1, warmup=0))
    assert (record.outcome, record.error_type, record.sent_ns) == (Outcome.CONNECT_ERROR, "CONNECTION_ERROR", None)


def test_the_login_of_a_proxy_stays_out_of_records(measured: Measured, capfd: pytest.CaptureFixture[str]) -> None:
    told = "you are open%20sesame, open sesame or Y2k6b3BlbiBzZXNhbWU="
    with (
        ScriptedServer(lambda request: whole("403 Forbidden", {"error": told})) as server,
        ForwardingProxy({"llm.test": _address(server)}) as proxy,
    ):
        target = endpoint("http://llm.test", transport="httpx", proxy=proxy.url)
        (record,) = measured(window(target, requests=1, warmup=0))
    assert record.error_text == "you are ***, *** or ***"
    assert "sesame" not in repr(record) + repr(target) + "".join(capfd.readouterr())


# ---------------------------------------------------------------- beside it


@pytest.mark.parametrize(("transport", "imports"), [("fast", False), ("httpx", True)])
def test_only_workers_that_need_httpx_import_it(transport: str, imports: bool) -> None:
    code = (
        "import sys, llmload.load.process\n"
        "from llmload.load.sender import sender_for\n"
        "from llmload.endpoint import Endpoint\n"
        f"sender_for(Endpoint('http://h', 'vllm', 'chat', 'm', True, {{}}, transport={transport!r}))\n"
        "print(sorted({'httpx', 'anyio', 'h11', 'pydantic', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ("['anyio', 'h11', 'httpx']" if imports else "[]")


class _Refused:
    """A transport whose machine refuses every connection: no test can use up the ports of one for real."""

    in_flight: tuple[Answer, ...] = ()
    opened = 0

    def __init__(self, error: OSError) -> None:
        self._error = error

    async def open(self, count: int) -> None:
        """Nothing to open."""

    async def carry(self, attempt: Attempt) -> None:
        raise self._error

    async def close(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize(
    ("number", "error_type"),
    [
        (errno.EMFILE, "CLIENT_OUT_OF_FILES"),
        (errno.ENFILE, "CLIENT_OUT_OF_FILES"),
        (errno.EADDRNOTAVAIL, "CLIENT_OUT_OF_PORTS"),
        (errno.ECONNREFUSED, "CONNECTION_ERROR"),
    ],
)
def test_limits_of_our_own_machine_have_types_of_their_own(number: int, error_type: str) -> None:
    sender = Sender(endpoint("http://h"), DIALECTS["chat"], _Refused(OSError(number, "no")))
    record = run(sender.send(Job(0, 0, Phase.MEASURED, b"{}", 1, 1, keeps_text=False), 0))
    assert (record.outcome, record.error_type) == (Outcome.CONNECT_ERROR, error_type)
