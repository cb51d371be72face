"""A proxy as companies have them: forwards plain HTTP, opens tunnels for TLS, wants a login, and notes every request.

It looks hosts up by itself, in a table that the test gives, so that a name which exists nowhere else proves the way.
"""

from __future__ import annotations

import socket
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from tests.relay import Address, Relay, pump, read_request


class ForwardingProxy(Relay):
    """`with ForwardingProxy({"llm.test": ("127.0.0.1", 8000)}) as proxy:` listens at `proxy.url`, login included."""

    LOGIN = "ci:open sesame"

    def __init__(self, hosts: Mapping[str, Address]) -> None:
        super().__init__()
        self._hosts = hosts
        self.lines: list[str] = []
        self.url = f"http://ci:open%20sesame@{self.address}"

    def serve(self, client: socket.socket) -> None:
        server: socket.socket | None = None
        with suppress(OSError):
            while (request := read_request(client)) is not None:
                head, body = request
                line, _, fields = head.partition(b"\r\n")
                method, target, version = line.decode().split(" ")
                self.lines.append(f"{method} {target}")
                if b"Basic " + b64encode(self.LOGIN.encode()) not in fields:
                    client.sendall(b"HTTP/1.1 407 Login Wanted\r\ncontent-length: 0\r\n\r\n")
                    continue
                parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
                if server is None:
                    server = self.connected(self._hosts[parts.hostname or ""], client)
                if method == "CONNECT":
                    client.sendall(b"HTTP/1.1 200 Tunnel\r\n\r\n")
                    pump(client, server)
                    return
                path = parts.path + (f"?{parts.query}" if parts.query else "")
                server.sendall(f"{method} {path} {version}\r\n".encode() + fields + b"\r\n\r\n" + body)
        if server is not None:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
