"""The live numbers of all workers as what a person sees; rates are over the last second."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from time import monotonic

from llmload.domain import Phase
from llmload.load.live import Cell, goodput, ttft_ms
from llmload.progress import Progress

_RATE_OVER_S = 1.0


class Display:
    """Turns one window's numbers into progress."""

    def __init__(self, step: str) -> None:
        self._step = step
        self._began = monotonic()
        self._recent: deque[tuple[float, int]] = deque([(self._began, 0)])

    def progress(self, workers: Sequence[Sequence[int]]) -> Progress:
        """Where the window stands now, by the numbers of each worker."""
        numbers = [sum(column) for column in zip(*workers, strict=True)]
        now = monotonic()
        return Progress(
            step=self._step,
            phase=Phase.MEASURED if numbers[Cell.IS_MEASURING] else Phase.WARMUP,
            done=numbers[Cell.DONE],
            planned=numbers[Cell.PLANNED],
            in_flight=numbers[Cell.IN_FLIGHT],
            output_events_per_s=self._rate(now, numbers[Cell.EVENTS]),
            ttft_p50_ms=ttft_ms(numbers, 0.50),
            ttft_p95_ms=ttft_ms(numbers, 0.95),
            goodput=goodput(numbers),
            elapsed_s=now - self._began,
        )

    def _rate(self, now: float, events: int) -> float:
        while len(self._recent) > 1 and now - self._recent[0][0] > _RATE_OVER_S:
            self._recent.popleft()
        then, before = self._recent[0]
        self._recent.append((now, events))
        return max(0.0, (events - before) / (now - then)) if now > then else 0.0
