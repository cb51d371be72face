"""Which request goes wrong, and how: drawn in order of arrival from the simulator's seed."""

from __future__ import annotations

import random
from enum import StrEnum

from llmload.scenario.asked import Faults


class Fault(StrEnum):
    """What may go wrong with one request; at most one does."""

    ERROR = "error"
    DISCONNECT = "disconnect"
    STALL = "stall"
    MALFORMED = "malformed"
    STREAM_ERROR = "stream_error"
    SLOW_FIRST_BYTE = "slow_first_byte"


class Misfortune:
    """The seeded source of faults: the fate of the n-th request depends on n and the seed alone."""

    def __init__(self, faults: Faults, seed: int) -> None:
        self._draw = random.Random(f"faults {seed}")
        self._shares = (
            (Fault.ERROR, faults.error_rate),
            (Fault.DISCONNECT, faults.disconnect_rate),
            (Fault.STALL, faults.stall_rate),
            (Fault.MALFORMED, faults.malformed_rate),
            (Fault.STREAM_ERROR, faults.stream_error_rate),
            (Fault.SLOW_FIRST_BYTE, faults.slow_first_byte_rate),
        )

    def next_fault(self) -> tuple[Fault | None, float]:
        """What befalls the next request, if anything, and how far into its answer (0..1)."""
        at, depth = self._draw.random(), self._draw.random()
        for fault, share in self._shares:
            if at < share:
                return fault, depth
            at -= share
        return None, depth


def token_of(depth: float, output_tokens: int) -> int:
    """After how many tokens the fault happens: at least one, and before the last where there are two."""
    return 1 + int(depth * max(1, output_tokens - 1))
