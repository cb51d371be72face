"""A reverse proxy that holds every request back for a while, and nothing else: a slow gateway in front of a server."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from urllib.parse import urlsplit

from tests.relay import Relay, read_request


class DelayingProxy(Relay):
    """`with DelayingProxy(server_url) as proxy:` and `proxy.url` is a target whose answers begin `delay_s` later.

    Each POST waits `delay_s` seconds before it is forwarded; answers stream through untouched, byte by byte as they
    come. What is no POST (`/metrics`, `/v1/models`, `/health`) is not delayed, so that one address serves for all.
    `delayed` counts the requests that waited.
    """

    def __init__(self, server_url: str, delay_s: float = 0.05) -> None:
        super().__init__()
        place = urlsplit(server_url)
        self._server, self._delay_s = (place.hostname or "127.0.0.1", place.port or 80), delay_s
        self.url = f"http://{self.address}"
        self.delayed = 0

    def serve(self, client: socket.socket) -> None:
        """Forward request after request over one connection to the server, as the client has one to us."""
        server: socket.socket | None = None
        try:
            while (request := read_request(client)) is not None:
                head, body = request
                if head.startswith(b"POST "):
                    self.delayed += 1
                    time.sleep(self._delay_s)
                if server is None:
                    server = self.connected(self._server, client)
                server.sendall(head + b"\r\n\r\n" + body)
        finally:
            if server is not None:
                with suppress(OSError):
                    server.shutdown(socket.SHUT_RDWR)
