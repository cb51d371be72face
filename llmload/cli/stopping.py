"""Ctrl-C and SIGTERM: the first asks the run to stop and keep what it has, the second stops at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from llmload.errors import Interrupted, LlmloadError, Terminated


@dataclass(slots=True)
class StopRequest:
    """`event` is set by the first signal. While `is_observing`, the load notices it by itself and hands over its
    records; anywhere else the signal becomes the exception at once.
    """

    event: threading.Event = field(default_factory=threading.Event)
    signum: int = 0
    is_observing: bool = False

    def error(self) -> LlmloadError:
        """The exception, and so the exit code, that this signal stands for."""
        if self.signum == signal.SIGTERM:
            return Terminated("run", "stopped by SIGTERM", "What was measured is stored; --resume goes on with it")
        return Interrupted("run", "stopped by Ctrl-C", "What was measured is stored; --resume goes on with it")


@contextmanager
def listening() -> Iterator[StopRequest]:
    """Turn SIGINT and SIGTERM into a `StopRequest` inside the block; needs the main thread."""
    request = StopRequest()

    def receive(signum: int, _: FrameType | None) -> None:
        is_second = request.event.is_set()
        request.signum = signum
        request.event.set()
        if is_second or not request.is_observing:
            raise request.error()

    former = {number: signal.signal(number, receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, action in former.items():
            signal.signal(number, action)
