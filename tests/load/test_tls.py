"""TLS with a certificate authority of our own."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from llmload.domain import Observation, Outcome, Phase, RequestRecord
from llmload.load.window import Window
from tests.load.windows import endpoint, window
from tests.scripted_server import ScriptedServer, stream

pytestmark = pytest.mark.parametrize("transport", ["fast", "httpx"])

Measured = Callable[[Window], list[RequestRecord]]
Observe = Callable[[Window], Observation]


def test_a_server_is_trusted_through_the_named_authority(
    observe: Observe, transport: str, certificate: tuple[Path, Path], server_tls: ssl.SSLContext
) -> None:
    with ScriptedServer(lambda request: stream(3, 0.01, 0.01), server_tls) as server:
        asked = window(
            endpoint(server.url, transport=transport, tls_ca_file=str(certificate[0])), concurrency=2, requests=6
        )
        observation = observe(asked)
        assert server.connections == 2
    measured = [record for record in observation.records if record.phase is Phase.MEASURED]
    assert {(record.outcome, record.error_text) for record in measured} == {(Outcome.OK, None)}


def test_a_server_without_a_known_authority_is_not_trusted(
    measured: Measured, transport: str, server_tls: ssl.SSLContext
) -> None:
    with ScriptedServer(lambda request: stream(3, 0, 0), server_tls) as server:
        (record,) = measured(window(endpoint(server.url, transport=transport), requests=1, warmup=0))
    assert (record.outcome, record.error_type, record.sent_ns) == (Outcome.CONNECT_ERROR, "TLS_ERROR", None)


def test_verification_can_be_switched_off(measured: Measured, transport: str, server_tls: ssl.SSLContext) -> None:
    with ScriptedServer(lambda request: stream(3, 0, 0), server_tls) as server:
        (record,) = measured(window(endpoint(server.url, transport=transport, tls_verify=False), requests=1, warmup=0))
    assert record.outcome is Outcome.OK


def test_a_certificate_for_another_name_is_not_trusted(
    measured: Measured, transport: str, certificate: tuple[Path, Path], server_tls: ssl.SSLContext
) -> None:
    with ScriptedServer(lambda request: stream(3, 0, 0), server_tls) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        target = endpoint(url, transport=transport, tls_ca_file=str(certificate[0]))
        (record,) = measured(window(target, requests=1, warmup=0))
    assert (record.outcome, record.error_type) == (Outcome.CONNECT_ERROR, "TLS_ERROR")


def test_plain_http_where_tls_is_expected_is_a_connect_error(measured: Measured, transport: str) -> None:
    with ScriptedServer(lambda request: stream(3, 0, 0)) as server:
        url = server.url.replace("http://", "https://")
        (record,) = measured(window(endpoint(url, transport=transport, connect_timeout_s=1), requests=1, warmup=0))
    assert record.outcome in (Outcome.CONNECT_ERROR, Outcome.TIMEOUT)
