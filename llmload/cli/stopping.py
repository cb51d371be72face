"""Ctrl-C and SIGTERM: the first asks the run to stop and keep what it has, the second stops at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from llmload.errors import Interrupted, LlmloadError, Terminated

_REMEDY = "Every window that was complete is judged and stored; the same command with --resume {} goes on from there"


@dataclass(slots=True)
class StopRequest:
    """`event` is set by the first signal, and whoever works looks at it: a window hands over its records, the runner
    begins no further one, and what is being written is written to its end. Only inside `interruptible` the signal
    becomes an exception at once. `run_id` is the run to go on with, `remedy` what to do where that is something else.
    """

    event: threading.Event = field(default_factory=threading.Event)
    signum: int = 0
    run_id: str = "latest"
    remedy: str | None = None
    _is_waiting: bool = False

    def error(self) -> LlmloadError:
        """The exception, and so the exit code, that this signal stands for."""
        remedy = self.remedy or _REMEDY.format(self.run_id)
        if self.signum == signal.SIGTERM:
            return Terminated("run", "stopped by SIGTERM", remedy)
        return Interrupted("run", "stopped by Ctrl-C", remedy)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """A block that only waits, such as for a server that does not answer: nothing is lost by leaving it."""
        if self.event.is_set():
            raise self.error()
        self._is_waiting = True
        try:
            yield
        finally:
            self._is_waiting = False

    def receive(self, signum: int, _: FrameType | None) -> None:
        """The handler of both signals."""
        is_second = self.event.is_set()
        self.signum = signum
        self.event.set()
        if is_second or self._is_waiting:
            raise self.error()


@contextmanager
def listening() -> Iterator[StopRequest]:
    """Turn SIGINT and SIGTERM into a `StopRequest` inside the block; needs the main thread."""
    request = StopRequest()
    former = {number: signal.signal(number, request.receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, action in former.items():
            signal.signal(number, action)
