"""Connections: opened, pooled and kept alive. The instant of every read is stamped here, before its bytes are seen."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic_ns
from typing import Protocol, cast
from urllib.parse import quote, unquote, urlsplit

from llmload import __version__
from llmload.endpoint import Endpoint
from llmload.errors import UsageError

_SAFE = "/%:@!$&'()*+,;=~-._?[]"
_DEFAULT_PORTS = {"http": 80, "https": 443}


def now_ns() -> int:
    """The machine-wide monotonic clock, in whole microseconds: all the precision that the store keeps."""
    return monotonic_ns() // 1000 * 1000


@dataclass(frozen=True, slots=True)
class Address:
    """Where requests go, and the part of their head that never changes (it holds the secrets).

    `target` is the path with the query, as it goes over the wire; `fields` are all but the content's length.
    """

    host: str
    port: int
    is_tls: bool
    target: str = field(repr=False)
    fields: tuple[tuple[str, str], ...] = field(repr=False)

    @property
    def head(self) -> bytes:
        """The head of a request over HTTP/1.1, up to the length of its body."""
        lines = [f"POST {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in self.fields)]
        return "\r\n".join([*lines, "content-length: "]).encode()

    @property
    def url(self) -> str:
        """The whole URL, as it goes over the wire."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.is_tls else 'http'}://{host}:{self.port}{self.target}"


def address_of(endpoint: Endpoint, url: str) -> Address:
    """The address behind `url` (base URL and path of the API), with the head of its requests."""
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise UsageError("target.url", "it is not an http or https URL with a host", "Write http://HOST:PORT")
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname.encode("idna").decode()
    fields = {
        "host": host if port == _DEFAULT_PORTS[parts.scheme] else f"{host}:{port}",
        "content-type": "application/json",
        "accept": "text/event-stream, application/json",
        "accept-encoding": "identity",
        "user-agent": f"llmload/{__version__}",
    }
    if parts.username is not None:
        userinfo = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        fields["authorization"] = "Basic " + b64encode(userinfo.encode()).decode()
    fields.update((name.lower(), value) for name, value in endpoint.headers)
    if any(not sign.isprintable() for name, value in fields.items() for sign in name + value):
        raise UsageError("target.headers", "a header has a control character", "Remove line breaks from its value")
    path = quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")
    return Address(parts.hostname, port, parts.scheme == "https", path, tuple(fields.items()))


class Receiver(Protocol):
    """Whoever waits for the answer on a connection."""

    def receiving(self) -> Callable[[bytes], None]:
        """What is called with the bytes of each read, first thing; it raises nothing."""

    def lose(self) -> None:
        """The connection ended, by whoever's doing."""


class Connection(asyncio.Protocol):
    """One TCP (or TLS) connection. It serves one exchange at a time; bytes that nobody asked for close it."""

    __slots__ = ("_living", "_receiver", "data_received", "transport", "uses")

    def __init__(self, living: set[Connection]) -> None:
        self.transport: asyncio.Transport | None = None
        self._receiver: Receiver | None = None
        self.data_received: Callable[[bytes], None] = self._refuse  # type: ignore[assignment]  # each exchange's own
        self.uses = 0
        self._living = living

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio tells us of the open connection."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's own class is one without inheriting from it
        self._living.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio tells us of the end, ours or theirs; no bytes come after it."""
        self.transport = None
        self._living.discard(self)
        receiver, self._receiver = self._receiver, None
        self.data_received = _ignore  # nobody collects garbage in a window, and this was a cycle
        if receiver is not None:
            receiver.lose()

    def send(self, request: bytes, receiver: Receiver) -> None:
        """Hand one request to the socket; the answer goes to `receiver`, and so does the end of the connection."""
        self.uses += 1
        if self.transport is None:
            receiver.lose()
            return
        self._receiver = receiver
        self.data_received = receiver.receiving()
        self.transport.set_protocol(self)  # uvloop looks `data_received` up but once
        self.transport.write(request)

    def release(self) -> None:
        """The answer is complete: whatever comes now was not asked for."""
        self._receiver = None
        if self.transport is not None:
            self.data_received = self._refuse
            self.transport.set_protocol(self)

    def _refuse(self, _data: bytes) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection at once; nothing in it is wanted any more."""
        self._receiver = None
        self.data_received = _ignore
        if self.transport is not None:
            self.transport.abort()
            self.transport = None

    @property
    def is_open(self) -> bool:
        """Whether a request may be written to it, as far as we have heard."""
        return self.transport is not None and not self.transport.is_closing()


class Connector:
    """Opens connections to one address, and keeps those that may be used again (the last one back goes first)."""

    def __init__(self, endpoint: Endpoint, address: Address) -> None:
        self._address = address
        self._timeout_s = endpoint.connect_timeout_s
        self._tls = tls_context(endpoint) if address.is_tls else None
        self._idle: list[Connection] = []
        self._living: set[Connection] = set()
        self.opened = 0

    async def open(self) -> Connection:
        """A fresh connection; OSError, or TimeoutError after the connect timeout."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._timeout_s):
            _, connection = await loop.create_connection(
                lambda: Connection(self._living), self._address.host, self._address.port, ssl=self._tls
            )
        self.opened += 1
        return connection

    def take(self) -> Connection | None:
        """An idle connection that was still open when last heard of."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        return None

    def put_back(self, connection: Connection) -> None:
        """Keep a connection for the next request."""
        if connection.is_open:
            self._idle.append(connection)

    async def fill(self, count: int) -> None:
        """Open `count` idle connections, so that no measured request pays for one; OSError like `open`."""
        for start in range(0, count, 50):  # in small groups, which a server's listen queue takes
            opening = (self.open() for _ in range(min(50, count - start)))
            results = await asyncio.gather(*opening, return_exceptions=True)
            self._idle.extend(result for result in results if isinstance(result, Connection))
            for result in results:
                if isinstance(result, BaseException):
                    raise result

    async def close(self) -> None:
        """Close every connection, and wait until the loop has noticed."""
        self._idle.clear()
        for connection in tuple(self._living):
            connection.close()
        for _ in range(100):
            if not self._living:
                break
            await asyncio.sleep(0.001)


def tls_context(endpoint: Endpoint) -> ssl.SSLContext:
    """How to trust the server of `endpoint`; UsageError where its CA file is none."""
    try:
        context = ssl.create_default_context(cafile=endpoint.tls_ca_file)
    except OSError as error:  # no such file, or no certificate in it
        remedy = "Name a PEM file with the certificate of the authority"
        raise UsageError("target.tls.ca_file", f"{endpoint.tls_ca_file} cannot be used ({error})", remedy) from None
    if not endpoint.tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _ignore(_data: bytes) -> None:
    """Bytes behind the end."""
