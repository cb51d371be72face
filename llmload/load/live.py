"""The figures of a running window, in memory that two processes share: the worker overwrites, the runner reads.

Nothing here is a measurement: metrics come from the records. A torn read costs one frame of a display.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from enum import IntEnum
from math import log
from pathlib import Path

from llmload.domain import Outcome, RequestRecord
from llmload.promises import Promised, Slo, slo_of

_BUCKETS = 320
_GROWTH = 1.06  # a bucket is 6 % wide: 0.01 ms to 20 minutes
_FLOOR_MS = 0.01
_NO_FAILURE = (Outcome.OK, Outcome.CANCELLED)


class Cell(IntEnum):
    """What each of the first numbers means; the buckets of the TTFT histogram follow."""

    STOP = 0  # written by the runner: hand over what there is
    READY = 1  # everything is prepared, the connections are open
    START_NS = 2  # written by the runner: when all workers begin, on this worker's clock
    QUOTA_DONE = 3  # this worker's measured requests are done; fillers go on
    END = 4  # written by the runner: those of all workers are
    IS_MEASURING = 5
    DONE = 6  # requests of the phase at hand
    PLANNED = 7
    IN_FLIGHT = 8
    EVENTS = 9
    FINISHED = 10  # measured requests
    GOOD = 11
    FAILED = 12  # measured requests that did not end well, dropped ones too
    TRIED = 13  # requests begun, of every phase, as the four that follow
    ANSWERED = 14  # of them, those of whose answer something came
    LOST = 15  # those that ended without anything of an answer
    FIRSTS = 16  # those that got their first token
    WAITING = 17  # those that are sent and wait for theirs
    GUARD = 18  # written by the runner: a guard tripped; stop
    CURTAIL = 19  # written by the runner: begin no further measured request


class Live:
    """One file-backed map of whole numbers. Both sides open the same path."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self.cells = memoryview(self._map).cast("q")

    @staticmethod
    def make(path: Path) -> Live:
        """A map of zeros in a new file."""
        path.write_bytes(bytes(8 * (len(Cell) + _BUCKETS)))
        return Live(path)

    def close(self) -> None:
        """Let go of the map; the file is the maker's."""
        self.cells.release()
        self._map.close()

    def reset(self) -> None:
        """All zeros, before a window begins."""
        for index in range(len(self.cells)):
            self.cells[index] = 0

    def note(self, record: RequestRecord, slo: Promised, waits_from_ns: int | None) -> None:
        """A measured request has ended; its TTFT counts from `waits_from_ns`, None where it was never sent."""
        cells = self.cells
        cells[Cell.FINISHED] += record.outcome is not Outcome.CANCELLED
        cells[Cell.FAILED] += record.outcome not in _NO_FAILURE
        cells[Cell.GOOD] += is_good(record, slo_of(slo, record.part.traffic_class), waits_from_ns)
        if waits_from_ns is not None and record.first_ns is not None:
            ms = max((record.first_ns - waits_from_ns) / 1e6, _FLOOR_MS)
            bucket = min(int(log(ms / _FLOOR_MS) / log(_GROWTH)), _BUCKETS - 1)
            cells[len(Cell) + bucket] += 1


def ttft_ms(numbers: Sequence[int], share: float) -> float | None:
    """The TTFT that `share` of the measured requests kept to, within 3 %; None before the first one."""
    counts = numbers[len(Cell) :]
    wanted = share * sum(counts)
    reached = 0
    for bucket, count in enumerate(counts):
        reached += count
        if count and reached >= wanted:
            return float(_FLOOR_MS * _GROWTH ** (bucket + 0.5))
    return None


def goodput(numbers: Sequence[int]) -> float | None:
    """Share of good requests so far; None before the first one."""
    finished = numbers[Cell.FINISHED]
    return numbers[Cell.GOOD] / finished if finished else None


def is_good(record: RequestRecord, slo: Slo | None, waits_from_ns: int | None) -> bool:
    """For display, and for ending a window that is lost, hence without NumPy: `analysis` decides what is judged.

    What `analysis` calls good is good here as well, so that nothing ends for a request that would have counted.
    """
    sent, first, last = record.sent_ns, record.first_ns, record.last_ns
    if record.outcome is not Outcome.OK or sent is None or waits_from_ns is None:
        return False
    if slo is None:
        return True
    tokens = record.output_tokens or 0
    latencies = [
        (slo.ttft_ms, None if first is None else first - waits_from_ns),
        (slo.e2e_ms, None if last is None else last - sent),
        (slo.tpot_ms, (last - first) / (tokens - 1) if first is not None and last is not None and tokens > 1 else None),
    ]
    return all(limit is None or ns is None or ns <= limit * 1e6 for limit, ns in latencies)
