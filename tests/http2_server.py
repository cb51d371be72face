"""A tiny HTTP/2 server over TLS: enough to answer streams of one connection side by side."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

import h2.config
import h2.connection
import h2.events


class Http2Server:
    """Answers every request with the pieces that `answer(number)` gives, each in a frame of its own; None resets."""

    def __init__(self, tls: ssl.SSLContext, answer: Callable[[int], Sequence[bytes] | None]) -> None:
        tls.set_alpn_protocols(["h2"])
        self._tls, self._answer = tls, answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.connections = self.requests = 0
        self.fields: list[dict[bytes, bytes]] = []
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, t: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
                secured = self._tls.wrap_socket(plain, server_side=True)
            except OSError:
                return
            self.connections += 1
            self._sockets.append(secured)
            thread = threading.Thread(target=self._serve, args=(secured,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: ssl.SSLSocket) -> None:
        spoken = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        spoken.initiate_connection()
        with suppress(OSError), connection:
            connection.sendall(spoken.data_to_send())
            while data := connection.recv(65536):
                for event in spoken.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        self.fields.append(dict(event.headers))
                    elif isinstance(event, h2.events.DataReceived):
                        spoken.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    elif isinstance(event, h2.events.StreamEnded):
                        self._respond(spoken, event.stream_id)
                connection.sendall(spoken.data_to_send())

    def _respond(self, spoken: h2.connection.H2Connection, stream: int) -> None:
        pieces = self._answer(self.requests)
        self.requests += 1
        if pieces is None:
            spoken.reset_stream(stream, error_code=2)
            return
        spoken.send_headers(stream, [(":status", "200"), ("content-type", "text/event-stream")])
        for piece in pieces:
            spoken.send_data(stream, piece)
        spoken.end_stream(stream)
