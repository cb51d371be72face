"""What every proxy of these tests is made of: a listener on loopback, threads for both directions, an end to it all."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

Address = tuple[str, int]


class Relay:
    """Listens at `address` from the beginning of a `with` block to its end; a subclass says what a client gets."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, t: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for one in self._sockets:
            one.close()

    def serve(self, client: socket.socket) -> None:
        """Answer one connection until it ends; an OSError ends it too."""
        raise NotImplementedError

    def connected(self, server: Address, client: socket.socket) -> socket.socket:
        """A connection to a server, of which every byte goes to the client as it comes."""
        found = socket.create_connection(server)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sockets.append(found)
        self._run(lambda: pump(found, client))
        return found

    def _run(self, what: Callable[[], None]) -> None:
        thread = threading.Thread(target=what, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.append(client)
            self._run(lambda client=client: self._served(client))  # type: ignore[misc]  # bound now, not when it runs

    def _served(self, client: socket.socket) -> None:
        with suppress(OSError):
            self.serve(client)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


def read_request(client: socket.socket) -> tuple[bytes, bytes] | None:
    """Head, without the blank line after it, and body of the next request; None where the client hung up."""
    received = b""
    while b"\r\n\r\n" not in received:
        if not (more := client.recv(65536)):
            return None
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while len(body) < int(lengths[0] if lengths else 0):
        if not (more := client.recv(65536)):
            return None  # hung up in the middle
        body += more
    return head, body


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Every byte as it comes, until one side ends."""
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
