"""A thread that looks at something every so often, for as long as a block takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LEAVE_S = 1.0
"""What a look that hangs in a driver or a socket may take at the end; it is then left behind, being a daemon."""
_SHARE = 0.02
"""Of the time, that looking may take at most: whoever is slow to answer is asked less often."""


@contextmanager
def ticking(look: Callable[[], None], every_s: float, name: str) -> Iterator[None]:
    """Call `look` now and then every `every_s` seconds, or the more seldom the longer it takes.

    `look` keeps its failures to itself: it runs beside a measurement, which they must not end.
    """
    is_over = threading.Event()

    def tick() -> None:
        due_s = time.monotonic()
        while not is_over.wait(max(due_s - time.monotonic(), 0.0)):
            began_s = time.monotonic()
            look()
            ended_s = time.monotonic()
            due_s = max(due_s + every_s, ended_s, began_s + (ended_s - began_s) / _SHARE)

    thread = threading.Thread(target=tick, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(_LEAVE_S)
