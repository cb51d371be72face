"""Windows with samples beside them, for the tests of this room."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import replace

from llmload.domain import Observation
from llmload.samples import Gpu, SampleName, Series, ServerWork, Source, Watched
from tests.analysis.builders import window

SECOND = 1_000_000_000
CARD = Gpu("GPU-a", 0, "NVIDIA H100 80GB HBM3", "GPU-a", "580.65.06", 85_520_809_984, 700.0)
OTHER = Gpu("GPU-b", 1, "NVIDIA H100 80GB HBM3", "GPU-b", "580.65.06", 85_520_809_984, 700.0)

Samples = Iterable[tuple[float, float]]
"""(seconds on the machine's clock, value)"""


def series(name: SampleName, samples: Samples, *, source: Source = Source.METRICS, device: str = "") -> Series:
    """One figure as somebody told it."""
    found = list(samples)
    at_ns = array("q", [round(at * SECOND) for at, _ in found])
    return Series(source, name, device, at_ns, array("d", [value for _, value in found]))


def of_gpu(name: SampleName, samples: Samples, gpu: Gpu = CARD) -> Series:
    """One figure of a GPU."""
    return series(name, samples, source=Source.GPU, device=gpu.key)


def lasting(
    start_s: float, end_s: float, *told: Series, gpus: tuple[Gpu, ...] = (), work: ServerWork | None = None
) -> Observation:
    """A window without requests, and what was read beside it."""
    empty = replace(window([]), start_ns=round(start_s * SECOND), end_ns=round(end_s * SECOND))
    return replace(empty, watched=Watched(gpus, told, work))
