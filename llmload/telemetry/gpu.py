"""Which GPUs are watched, and who tells of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from llmload.samples import Gpu, GpuNow
from llmload.scenario.asked import Auto, Dcgm, Nvml, Target
from llmload.telemetry.recorder import Recorder


class GpuReader(Protocol):
    """Somebody who tells of GPUs: NVIDIA's driver, a DCGM exporter, or nobody."""

    @property
    def gpus(self) -> tuple[Gpu, ...]:
        """What there is, in order; empty where there is none."""

    @property
    def note(self) -> str:
        """Why there is none, or what is missing, in a sentence; "" where nothing is to be said."""

    def read(self, recorder: Recorder) -> None:
        """Take one sample of every figure of every GPU; never raises."""

    def now(self) -> tuple[GpuNow, ...]:
        """What each told last, for a display."""

    def close(self) -> None:
        """Let go of the driver or the connection."""


class NoGpus:
    """No GPU is watched; `note` says why, where somebody might wonder."""

    def __init__(self, note: str = "") -> None:
        self.note = note
        self.gpus: tuple[Gpu, ...] = ()

    def read(self, recorder: Recorder) -> None:
        """Nothing to take."""

    def now(self) -> tuple[GpuNow, ...]:
        """Nothing to show."""
        return ()

    def close(self) -> None:
        """Nothing to let go."""


def machine_facts(reader: GpuReader) -> Mapping[str, str]:
    """What the fingerprint of a run takes of the GPUs: their names, their number and the driver."""
    gpus = reader.gpus
    if not gpus:
        return {}
    names = dict.fromkeys(gpu.name for gpu in gpus)
    drivers = dict.fromkeys(gpu.driver for gpu in gpus if gpu.driver)
    return {"gpu": " + ".join(names), "gpu_count": str(len(gpus)), "driver": " + ".join(drivers)}


@contextmanager
def watched_gpus(source: Auto | Nvml | Dcgm | None, target: Target) -> Iterator[GpuReader]:
    """Whoever tells of the GPUs that `source` asks for; let go at the end. Never raises: no GPU is an answer."""
    yield NoGpus()
