"""One HTTP/1.1 connection: requests in, bytes out at once, so that the instant of a write is the instant it was made.

Writes go straight to the socket and only what it does not take is left to the event loop: uvloop would otherwise
gather them until its turn ends, and the truth that we publish would be early.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, cast

import httptools

MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_HEAD_BYTES = 64 * 1024
MAX_PIPELINED = 16

_REASONS: Mapping[int, str] = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One complete request; header names are lower case. `arrived_ns` is when its last byte was read."""

    method: str
    path: str
    headers: Mapping[bytes, bytes]
    body: bytes
    arrived_ns: int
    keep_alive: bool


class Reply(Protocol):
    """An answer under way, which must hear when its client is gone."""

    def client_left(self) -> None:
        """Called at most once, when the connection is lost before the answer ended."""


Answer = Callable[[HttpRequest, "Connection"], None]


def head(status: int, content_type: str, length: int, *, keep_alive: bool = True) -> bytes:
    """The head of an answer in one piece."""
    lines = [
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}",
        "server: llmload-simulator",
        f"content-type: {content_type}",
        f"content-length: {length}",
    ]
    if not keep_alive:
        lines.append("connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Connection(asyncio.Protocol):
    """Cuts the stream into requests and answers them one after another, in order."""

    def __init__(self, answer: Answer, living: set[Connection]) -> None:
        self._answer, self._living = answer, living
        self._parser = httptools.HttpRequestParser(self)
        self._pending: deque[HttpRequest] = deque()
        self._current: HttpRequest | None = None
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._head_bytes = self._body_bytes = 0
        self._read_ns = 0
        self.reply: Reply | None = None  # set by whoever answers later than at once

    # ------------------------------------------------------------ asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket as well, for direct writes."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so
        self._socket = socket.socket(fileno=transport.get_extra_info("socket").fileno())
        if self._socket.family in (socket.AF_INET, socket.AF_INET6):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._living.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the socket back to the transport and tell the answer under way."""
        self._socket.detach()
        self._living.discard(self)
        self._pending.clear()
        if self.reply is not None:
            reply, self.reply = self.reply, None
            reply.client_left()

    def data_received(self, data: bytes) -> None:
        """Parse; a client that does not speak HTTP/1.1 gets one 400 and is left."""
        self._read_ns = time.monotonic_ns()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._refuse(400, b'{"detail":"not HTTP/1.1"}')
        if self._current is None and self._pending and not self._transport.is_closing():
            self._next()

    # ------------------------------------------------------------ httptools' side

    def on_message_begin(self) -> None:
        """A new request begins."""
        self._url, self._headers, self._body = b"", {}, []
        self._head_bytes = self._body_bytes = 0

    def on_url(self, url: bytes) -> None:
        """May come in parts."""
        self._url += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Later headers of one name win."""
        self._headers[name.lower()] = value
        self._count_head(len(name) + len(value))

    def on_headers_complete(self) -> None:
        """A client that asks before it sends a large body may go on."""
        if self._current is None and self._headers.get(b"expect", b"").lower() == b"100-continue":
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """May come in parts."""
        self._body_bytes += len(body)
        if self._body_bytes > MAX_BODY_BYTES:
            self._body = []
            self._refuse(413, b'{"detail":"the body is too large"}')
            return
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Keep it for when the parser is done: an error of ours must not look like one of the client's."""
        request = HttpRequest(
            self._parser.get_method().decode("ascii"),
            self._url.partition(b"?")[0].decode("latin-1"),
            self._headers,
            b"".join(self._body),
            self._read_ns,
            self._parser.should_keep_alive(),
        )
        if self._parser.get_http_version() != "1.1":
            self._refuse(505, b'{"detail":"HTTP/1.1 only"}')
            return
        self._pending.append(request)
        if len(self._pending) > MAX_PIPELINED:
            self._transport.abort()

    # ------------------------------------------------------------ the answer's side

    @property
    def is_closing(self) -> bool:
        """Whether nothing more can be sent."""
        return self._transport.is_closing()

    def send(self, data: bytes) -> None:
        """Write now; what the socket does not take follows when it can."""
        transport = self._transport
        if transport.is_closing():
            return
        if transport.get_write_buffer_size() == 0:
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                transport.abort()
                return
            if sent == len(data):
                return
            data = data[sent:]
        transport.write(data)

    def finish(self) -> None:
        """The answer under way is complete: close if the client wants that, else take its next request."""
        self.reply = None
        keep_alive = self._current is not None and self._current.keep_alive
        self._current = None
        if not keep_alive:
            self._transport.close()
        elif self._pending:
            self._next()

    def respond(self, status: int, body: bytes, content_type: str = "application/json") -> None:
        """A whole answer in one write."""
        keep_alive = self._current is not None and self._current.keep_alive
        self.send(head(status, content_type, len(body), keep_alive=keep_alive) + body)
        self.finish()

    def hang_up(self) -> None:
        """Close in the middle of an answer, as a crashed worker behind a proxy does."""
        self.reply = None
        self._transport.close()

    def cut(self) -> None:
        """Drop the connection at once, and what was not sent."""
        self._transport.abort()

    # ------------------------------------------------------------ inside

    def _next(self) -> None:
        self._current = self._pending.popleft()
        self._answer(self._current, self)

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(400, b'{"detail":"the head is too large"}')

    def _refuse(self, status: int, body: bytes) -> None:
        """Answer a request that cannot be read, and close: where the next one begins is unknown."""
        if self._transport.is_closing():
            return
        self.send(head(status, "application/json", len(body), keep_alive=False) + body)
        self._transport.close()
