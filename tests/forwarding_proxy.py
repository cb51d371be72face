"""A proxy as companies have them: forwards plain HTTP, opens tunnels for TLS, wants a login, and notes every request.

It looks hosts up by itself, in a table that the test gives, so that a name which exists nowhere else proves the way.
"""

from __future__ import annotations

import socket
import threading
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

Address = tuple[str, int]


class ForwardingProxy:
    """`with ForwardingProxy({"llm.test": ("127.0.0.1", 8000)}) as proxy:` listens at `proxy.url`, login included."""

    LOGIN = "ci:open sesame"

    def __init__(self, hosts: Mapping[str, Address]) -> None:
        self._hosts = hosts
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.lines: list[str] = []
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"http://ci:open%20sesame@{self.address}"

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

    def _run(self, what: object, *arguments: object) -> None:
        thread = threading.Thread(target=what, args=arguments, daemon=True)  # type: ignore[arg-type]
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
            self._run(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        server: socket.socket | None = None
        with suppress(OSError):
            while (request := _read_request(client)) is not None:
                head, body = request
                line, _, fields = head.partition(b"\r\n")
                method, target, version = line.decode().split(" ")
                self.lines.append(f"{method} {target}")
                if b"Basic " + b64encode(self.LOGIN.encode()) not in fields:
                    client.sendall(b"HTTP/1.1 407 Login Wanted\r\ncontent-length: 0\r\n\r\n")
                    continue
                parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
                if server is None:
                    server = socket.create_connection(self._hosts[parts.hostname or ""])
                    self._sockets.append(server)
                    self._run(_pump, server, client)
                if method == "CONNECT":
                    client.sendall(b"HTTP/1.1 200 Tunnel\r\n\r\n")
                    _pump(client, server)
                    return
                path = parts.path + (f"?{parts.query}" if parts.query else "")
                server.sendall(f"{method} {path} {version}\r\n".encode() + fields + b"\r\n\r\n" + body)
        for one in (client, server):
            with suppress(OSError):
                if one is not None:
                    one.shutdown(socket.SHUT_RDWR)


def _read_request(client: socket.socket) -> tuple[bytes, bytes] | None:
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


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
