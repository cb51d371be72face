"""A server that does exactly what a script says, and notes when: the truth that our client's figures are held against.

One thread per connection and blocking sockets, so that what is written when is plain to see.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

import orjson


@dataclass(frozen=True)
class Piece:
    """Bytes to send, `after_s` later than the piece before (or than the request, for the first one)."""

    after_s: float
    data: bytes


@dataclass(frozen=True)
class Script:
    """The answer to one request, and what becomes of the connection after it."""

    pieces: Iterable[Piece] = ()
    then: Literal["keep", "close", "reset", "stall"] = "keep"


@dataclass
class Request:
    """One request as the server saw it; `sent_ns` are the instants at which its pieces went out."""

    connection: int
    number: int
    head: bytes
    body: bytes
    arrived_ns: int
    length: int = 0
    sent_ns: list[int] = field(default_factory=list)

    @property
    def document(self) -> dict[str, object]:
        """The body as JSON."""
        found: dict[str, object] = orjson.loads(self.body)
        return found


class ScriptedServer:
    """`with ScriptedServer(script) as server:` answers every request with `script(request)`.

    One that reads `heads first` answers before it has read the body of the request; `heads only`, and never reads it.
    """

    def __init__(
        self,
        script: Callable[[Request], Script],
        tls: ssl.SSLContext | None = None,
        *,
        reads: Literal["whole requests", "heads first", "heads only"] = "whole requests",
    ) -> None:
        self._script, self._tls, self._reads = script, tls, reads
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._stopping = threading.Event()
        self.requests: list[Request] = []
        self.connections = 0
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, t: TracebackType | None) -> None:
        self._stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        with self._lock:
            sockets, threads = list(self._sockets), list(self._threads)
        for one in sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.connections += 1
                self._sockets.append(connection)
                thread = threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True)
                self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            if self._tls is not None:
                with self._lock:
                    self._sockets.remove(connection)
                connection = self._tls.wrap_socket(connection, server_side=True)
                with self._lock:
                    self._sockets.append(connection)
            with connection:
                while (request := self._read(connection, number)) is not None:
                    if not self._answer(connection, request):
                        return
        except OSError:
            return
        finally:
            connection.close()

    def _read(self, connection: socket.socket, number: int) -> Request | None:
        received = b""
        while b"\r\n\r\n" not in received:
            if not (more := connection.recv(65536)):
                return None
            received += more
        head, _, body = received.partition(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0
        )
        arrived_ns = time.monotonic_ns()
        if self._reads == "whole requests":
            body = self._read_body(connection, body, length)
        with self._lock:
            request = Request(number, len(self.requests), head, body, arrived_ns, length=length)
            self.requests.append(request)
        return request

    def _read_body(self, connection: socket.socket, begun: bytes, length: int) -> bytes:
        parts, missing = [begun], length - len(begun)
        while missing > 0 and (part := connection.recv(min(missing, 65536))):
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _answer(self, connection: socket.socket, request: Request) -> bool:
        script = self._script(request)
        due = time.monotonic()
        for piece in script.pieces:
            due += piece.after_s
            if (wait := due - time.monotonic()) > 0 and self._stopping.wait(wait):
                return False
            request.sent_ns.append(time.monotonic_ns())
            connection.sendall(piece.data)
        if self._reads == "heads first":
            request.body = self._read_body(connection, request.body, request.length)
        if script.then == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if script.then == "stall":
            self._stopping.wait(60)
        return script.then == "keep"


# ---------------------------------------------------------------- the words of an OpenAI-shaped server


def head(status: str = "200 OK", content_type: str = "text/event-stream", extra: str = "chunked") -> bytes:
    """The head of an answer; `extra` is "chunked", or a whole header line, or nothing."""
    line = "Transfer-Encoding: chunked\r\n" if extra == "chunked" else extra
    return f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n{line}\r\n".encode()


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; the empty one ends it."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(document: object) -> bytes:
    """One server-sent event."""
    return b"data: " + orjson.dumps(document) + b"\n\n"


def delta(text: str | None, finish: str | None = None) -> bytes:
    """A chat event with text."""
    return event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})


def usage(prompt: int, completion: int) -> bytes:
    """The event of counts that vLLM sends behind the last choice."""
    return event({"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion}})


DONE = b"data: [DONE]\n\n"


def whole(status: str, document: object) -> Script:
    """An answer in one piece, with its length."""
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    return Script([Piece(0, head(status, "application/json", f"Content-Length: {len(body)}\r\n") + body)])


def stream(events: int, first_s: float, gap_s: float, then: Literal["keep", "close"] = "keep") -> Script:
    """A complete streamed answer: head at once, `events` texts, counts, [DONE]."""
    pieces = [Piece(0, head()), Piece(first_s, chunk(delta(" w0")))]
    pieces += [Piece(gap_s, chunk(delta(f" w{index}"))) for index in range(1, events)]
    end = chunk(delta("", "stop")) + chunk(usage(7, events)) + chunk(DONE) + chunk(b"")
    return Script([*pieces, Piece(0, end)], then)
