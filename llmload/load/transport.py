"""Connections: opened, pooled and kept alive. The instant of every read is stamped here, before its bytes are seen."""

from __future__ import annotations

import asyncio
from array import array
from base64 import b64encode
from dataclasses import dataclass, field
from time import monotonic_ns
from typing import Protocol, cast
from urllib.parse import quote, unquote, urlsplit

from llmload import __version__
from llmload.endpoint import Endpoint
from llmload.errors import UsageError
from llmload.load.stencil import NOTHING, Stencil, size_line, token_text
from llmload.tls import tls_context

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

    event_ns: array[int]
    texts: list[str]

    def take(self, data: bytes, stamp: int) -> None:
        """What one read gave at the instant `stamp`; raises nothing."""

    def lose(self) -> None:
        """The connection ended, by whoever's doing."""


class Connection(asyncio.Protocol):
    """One TCP (or TLS) connection. It serves one exchange at a time; bytes that nobody asked for close it."""

    __slots__ = (
        "_before",
        "_chunk_end",
        "_end",
        "_instants",
        "_living",
        "_receiver",
        "_start",
        "_texts",
        "transport",
        "uses",
    )

    def __init__(self, living: set[Connection]) -> None:
        self.transport: asyncio.Transport | None = None
        self.uses = 0
        self._living = living
        self._receiver: Receiver | None = None
        self._before: bytes | tuple[()] = NOTHING
        self._chunk_end: bytes | tuple[()] = NOTHING
        self._start = self._end = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio tells us of the open connection."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's own class is one without inheriting from it
        self._living.add(self)

    def data_received(self, data: bytes) -> None:
        """Stamp first: the instant is that of the read, whatever its bytes cost to understand.

        A read that is exactly one chunk with exactly one event, and differs from a parsed one of its answer in nothing
        but the text, is understood right here, and nothing else of the answer is touched: what an event costs is the
        memory that was not looked at since the one before (docs/performance.md).
        """
        stamp = monotonic_ns()
        line = size_line(len(data), NOTHING)
        is_alike = data.startswith(line) and data.startswith(self._before, len(line)) and data.endswith(self._chunk_end)
        if is_alike and (text := token_text(data[len(line) + self._start : self._end])):
            self._instants.append(stamp - stamp % 1000)
            self._texts.append(text)
            return
        self._before = NOTHING
        if self._receiver is None:
            self.close()
        else:
            self._receiver.take(data, stamp - stamp % 1000)

    def expect(self, stencil: Stencil) -> None:
        """The next read may be a chunk with an event that `stencil` fits, for the answer that is coming."""
        self._before, self._chunk_end = stencil.before, stencil.chunk_end
        self._start, self._end = stencil.start, stencil.end - 2

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio tells us of the end, ours or theirs; no bytes come after it."""
        self.transport = None
        self._living.discard(self)
        if self._receiver is not None:
            self._receiver.lose()

    def send(self, request: bytes, receiver: Receiver) -> None:
        """Hand one request to the socket; the answer goes to `receiver`, and so does the end of the connection."""
        self._receiver = receiver
        self._instants, self._texts = receiver.event_ns, receiver.texts
        self.uses += 1
        if self.transport is None:
            receiver.lose()
        else:
            self.transport.write(request)

    def release(self) -> None:
        """The answer is over: whatever comes now was not asked for."""
        self._receiver = None
        self._before = NOTHING

    def close(self) -> None:
        """Drop the connection at once; nothing in it is wanted any more."""
        self.release()
        if self.transport is not None:
            self.transport.abort()
            self.transport = None

    @property
    def is_written(self) -> bool:
        """Whether it is open, and all that was sent has left for the kernel."""
        return self.is_open and self.transport is not None and self.transport.get_write_buffer_size() == 0

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
        """Keep a connection for the next request, unless it still holds a part of this one (RFC 9112, 9.3)."""
        if connection.is_written:
            self._idle.append(connection)
        else:
            connection.close()

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
