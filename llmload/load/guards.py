"""The guards of a window: when to give up on a server that plainly cannot be measured.

Decided in the runner from the live numbers of all workers together; no clock is read here.
"""

from __future__ import annotations

from collections.abc import Sequence

from llmload.load.live import Cell
from llmload.load.window import Window
from llmload.units import format_duration, format_share
from llmload.verdict import GUARD_TRIPPED, Caveat
from llmload.workload.pace import Slots

LEAST_ENDED = 20
"""Measured requests that must have ended before `error_rate` says anything; at least twice as many as are in flight."""


class GuardWatch:
    """Looks at one window again and again, with growing instants, until one of its guards trips."""

    def __init__(self, window: Window) -> None:
        self._guards = window.guards
        self._concurrency = window.pace.concurrency if isinstance(window.pace, Slots) else 0
        self._firsts = self._signs = self._lost = 0
        self._waits_since_s: float | None = None
        self._silent_since_s: float | None = None

    def look(self, numbers: Sequence[int], now_s: float) -> Caveat | None:
        """What tripped by `numbers` (by `Cell`, summed over the workers) at `now_s`; None while all is well."""
        return self._dead_server(numbers, now_s) or self._no_first_token(numbers, now_s) or self._error_rate(numbers)

    def _error_rate(self, numbers: Sequence[int]) -> Caveat | None:
        limit, ended, failed = self._guards.error_rate, numbers[Cell.FINISHED], numbers[Cell.FAILED]
        least = max(LEAST_ENDED, 2 * (self._concurrency or numbers[Cell.IN_FLIGHT]))
        if limit is None or ended < least or failed <= limit * ended:
            return None
        figure = (
            f"{failed:,} of {ended:,} measured requests failed ({format_share(round(failed / ended, 4))}),"
            f" above {format_share(limit)}"
        )
        return _tripped("error_rate", figure, "Read the errors of this step")

    def _no_first_token(self, numbers: Sequence[int], now_s: float) -> Caveat | None:
        """Requests that stream already wait for nothing, and a long answer is no reason to give up."""
        firsts, waiting = numbers[Cell.FIRSTS], numbers[Cell.WAITING]
        if firsts > self._firsts or not waiting:
            self._firsts, self._waits_since_s = max(firsts, self._firsts), None
        if waiting and self._waits_since_s is None:
            self._waits_since_s = now_s
        limit = self._guards.no_first_token_s
        if limit is None or self._waits_since_s is None or now_s - self._waits_since_s < limit:
            return None
        figure = f"no first token for {format_duration(limit)}, while {waiting:,} requests waited for theirs"
        return _tripped("no_first_token", figure, "Look at the server's queue and its log")

    def _dead_server(self, numbers: Sequence[int], now_s: float) -> Caveat | None:
        """The beginning of an answer and every event are signs of life; silence counts while requests are tried."""
        signs = numbers[Cell.ANSWERED] + numbers[Cell.EVENTS]
        lost = numbers[Cell.LOST]
        is_open = numbers[Cell.IN_FLIGHT] > 0 or numbers[Cell.TRIED] > numbers[Cell.ANSWERED] + lost
        is_tried = is_open or lost > self._lost
        self._lost = max(lost, self._lost)
        if signs > self._signs:
            self._signs, self._silent_since_s = signs, None
            return None
        limit = self._guards.dead_server_s
        if not is_tried:
            return None
        if self._silent_since_s is None:
            self._silent_since_s = now_s
        if limit is None or now_s - self._silent_since_s < limit:
            return None
        figure = (
            f"no answer and no event of one for {format_duration(limit)};"
            f" {numbers[Cell.TRIED]:,} requests were tried, and {lost:,} ended without an answer"
        )
        return _tripped("dead_server", figure, "See whether the server still runs, and its log")


def _tripped(guard: str, figure: str, remedy: str) -> Caveat:
    advice = f"{remedy}; raise load.guards.{guard}, or delete it, where this is to be measured"
    return Caveat(f"guard {guard} tripped", figure, advice, is_fatal=True, kind=GUARD_TRIPPED)
