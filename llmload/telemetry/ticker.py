"""A thread that looks at something every so often, and at once when it is asked to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LEAVE_S = 1.0
"""What a look that hangs in a driver or a socket may take at the end; it is then left behind, being a daemon."""


@contextmanager
def ticking(look: Callable[[], None], every_s: float, name: str, share: float) -> Iterator[Ticker]:
    """Call `look` at once and then every `every_s` seconds; more seldom where it would take more than `share` of the
    time, 0..1: whoever is slow to answer is asked less often.

    `look` keeps its failures to itself: it runs beside a measurement, which they must not end. Only this one thread
    ever calls it, so that a driver that hangs delays nobody.
    """
    ticker = Ticker(look, every_s, share)
    thread = threading.Thread(target=ticker.run, name=name, daemon=True)
    thread.start()
    try:
        yield ticker
    finally:
        ticker.stop()
        thread.join(_LEAVE_S)


class Ticker:
    """What a ticking thread does, and what may be asked of it from another one."""

    def __init__(self, look: Callable[[], None], every_s: float, share: float) -> None:
        self._look, self._every_s, self._share = look, every_s, share
        self._changed = threading.Condition()
        self._asked = self._looked = 0  # looks that somebody waits for, and those that were taken since
        self._is_over = False

    def run(self) -> None:
        """Look until it is over."""
        due_s = time.monotonic()
        while (asked := self._wait(due_s)) is not None:
            began_s = time.monotonic()
            self._look()
            ended_s = time.monotonic()
            due_s = max(began_s + self._every_s, began_s + (ended_s - began_s) / self._share)
            with self._changed:
                self._looked = asked
                self._changed.notify_all()

    def _wait(self, due_s: float) -> int | None:
        """Until a look is due or asked for: which of the asked ones it serves; None at the end."""
        with self._changed:
            while not self._is_over and self._asked == self._looked and (left_s := due_s - time.monotonic()) > 0:
                self._changed.wait(left_s)
            return None if self._is_over else self._asked

    def look_now(self, within_s: float) -> None:
        """Ask for a look that begins after this question, and wait for its end, `within_s` seconds at most."""
        with self._changed:
            self._asked += 1
            mine = self._asked
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._looked >= mine or self._is_over, within_s)

    def stop(self) -> None:
        """No further look; the one that is being taken, if any, is not waited for."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
