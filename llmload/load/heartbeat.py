"""How late this very process is: a tick every 10 ms, timed against when it should have come."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable

from llmload.load.transport import now_ns

TICK_NS = 10_000_000


class Heartbeat:
    """Ticks until its task is cancelled. While `is_recording`, `late_ns` keeps the lateness of each tick."""

    def __init__(self, on_tick: Callable[[], None]) -> None:
        self._on_tick = on_tick
        self._next_ns = now_ns()
        self.late_ns = array("q")
        self.is_recording = False

    def record(self) -> None:
        """From the next tick on; what came before the measured window is nobody's business."""
        self.is_recording = True
        self._next_ns = now_ns() + TICK_NS

    async def beat(self) -> None:
        """For ever. A tick that is missed altogether counts as one that is so much late, not as many."""
        while True:
            now = now_ns()
            if self.is_recording:
                self.late_ns.append(max(0, now - self._next_ns))
            self._next_ns = max(self._next_ns, now - TICK_NS) + TICK_NS
            self._on_tick()
            await asyncio.sleep(max(0.0, (self._next_ns - now_ns()) / 1e9))
