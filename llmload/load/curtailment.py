"""Ending a window early whose goodput gate is lost: the rest of its requests would not change the verdict.

Whether it is lost is for `analysis.futility` to say, which workers must not import; the runner hands it in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llmload.domain import Observation, Phase
from llmload.load.live import Cell
from llmload.load.window import Window
from llmload.progress import Tally
from llmload.units import format_share
from llmload.verdict import Caveat
from llmload.workload.file_sessions import FileSessionPlan
from llmload.workload.pace import Slots
from llmload.workload.session_plan import SessionPlan

IsFutile = Callable[[Sequence[Tally], float, int], bool]
"""By how a window stood until now, the goodput it must reach, and how many requests share the server at a time."""

LEAST_DONE, MOST_DONE = 0.25, 0.75
"""Before a quarter of a window too little is known of how its requests hang together; after three there is no gain."""


def no_futility(_trail: Sequence[Tally], _target: float, _width: int) -> bool:
    """Every window is worth its requests."""
    return False


class Curtailment:
    """Looks at one window again and again, with growing instants, until it is lost."""

    def __init__(self, window: Window, is_futile: IsFutile) -> None:
        self._window, self._is_futile = window, is_futile
        self._trail: list[Tally] = []
        self._widest = window.pace.concurrency if isinstance(window.pace, Slots) else 1
        if isinstance(window.plan, SessionPlan | FileSessionPlan):
            self._widest *= window.plan.turns  # turns of one conversation are alike (shares.least_block)
        self._began_s: float | None = None
        self._is_cut = False

    def look(self, numbers: Sequence[int], now_s: float) -> bool:
        """Whether to cut it now, by `numbers` (by `Cell`, summed over the workers); true once at most."""
        target = self._window.futile_below
        if target is None or self._is_cut or not numbers[Cell.IS_MEASURING]:
            return False
        self._began_s = now_s if self._began_s is None else self._began_s
        now = Tally(numbers[Cell.FINISHED], numbers[Cell.GOOD], numbers[Cell.IN_FLIGHT])
        if not isinstance(self._window.pace, Slots):
            self._widest = max(self._widest, now.in_flight)
        if self._trail and self._trail[-1].finished == now.finished:
            return False
        self._trail.append(now)
        done = self._share_done(now, now_s - self._began_s)
        self._is_cut = LEAST_DONE <= done <= MOST_DONE and self._is_futile(self._trail, target, self._widest)
        return self._is_cut

    def told(self, whole: Observation) -> Caveat:
        """What a report says of the window that was cut."""
        sent = sum(record.phase is Phase.MEASURED for record in whole.records)
        planned = f" of {whole.look.requests:,} planned" if whole.look.requests else ""
        now, target = self._trail[-1], self._window.futile_below or 0.0
        figure = (
            f"{sent:,}{planned} requests were sent, since with {now.good:,} of {now.finished:,} good a goodput of"
            f" {format_share(target)} was out of reach"
        )
        return Caveat(
            "window ended as futile", figure, "None needed: the gate is judged on the requests that were sent"
        )

    def _share_done(self, now: Tally, elapsed_s: float) -> float:
        """How far the window is, by requests and by time, of which the later one ends it."""
        window, shares = self._window, []
        if window.look.requests:
            shares.append((now.finished + now.in_flight) / window.look.requests)
        if window.duration_s:
            shares.append(elapsed_s / window.duration_s)
        return min(shares, default=1.0)
