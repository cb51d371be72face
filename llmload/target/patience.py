"""How long a server may take, whatever it does meanwhile: a read timeout starts again with every byte that drips in."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self


class Patience:
    """`with Patience(60) as patience:` hangs up after 60 s, unless it is put off: reads then end at once.

    `watch` is httpx's `trace` of the request, which tells of its connection. What nobody reads is not hung up on.
    """

    def __init__(self, seconds: float) -> None:
        self._until_s = time.monotonic() + seconds
        self._lock, self._changed = threading.Lock(), threading.Condition()
        self._is_done = False
        self._connection: socket.socket | None = None
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self.is_over = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, t: TracebackType | None) -> None:
        with self._changed:
            self._is_done = True
            self._changed.notify()
        self._thread.join()

    def put_off(self, until_s: float) -> None:
        """Wait until this monotonic instant instead, be it later or sooner; a patience that is over stays so."""
        with self._changed:
            self._until_s = until_s
            self._changed.notify()

    def watch(self, event: str, told: Mapping[str, object]) -> None:
        """Note the connection once it is there; TLS puts another one around it."""
        if not event.endswith(("connect_tcp.complete", "start_tls.complete")):
            return
        extra_info = getattr(told.get("return_value"), "get_extra_info", None)
        found = extra_info("socket") if callable(extra_info) else None
        if isinstance(found, socket.socket):
            with self._lock:
                self._connection = found
                if self.is_over:
                    self._hang_up()

    def _wait(self) -> None:
        with self._changed:
            while not self._is_done and (left_s := self._until_s - time.monotonic()) > 0:
                self._changed.wait(left_s)
            if self._is_done:
                return
        with self._lock:
            self.is_over = True
            self._hang_up()

    def _hang_up(self) -> None:
        """The reader is in another thread: a shutdown wakes it, which a close does not. Past TLS, which would wait."""
        if self._connection is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._connection, socket.SHUT_RDWR)
