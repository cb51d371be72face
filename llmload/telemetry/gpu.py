"""Which GPUs are watched, and who tells of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, assert_never
from urllib.parse import urlsplit

from llmload.samples import Gpu, GpuFigure, GpuNow
from llmload.scenario.asked import Auto, Dcgm, Launch, Nvml, ServerUrl, Simulator, Target
from llmload.telemetry.recorder import Recorder

OPEN_S = 5.0
"""What opening may take in all, name servers and hanging drivers included."""
EXPORTER_PORT = 9400
"""Where a DCGM exporter listens unless it is told otherwise."""


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


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Why a source tells of no GPU, and what to do. `is_ordinary` says that nobody expects one: there is no driver."""

    because: str
    remedy: str
    is_ordinary: bool = False

    @property
    def note(self) -> str:
        """Both in a sentence."""
        return f"no GPU is watched: {self.because}. {self.remedy}"


class NoGpus:
    """No GPU is watched; `why` is for whoever might wonder."""

    def __init__(self, why: Unreachable | None = None) -> None:
        self.why = why
        self.note = "" if why is None else why.note
        self.gpus: tuple[Gpu, ...] = ()

    def read(self, recorder: Recorder) -> None:
        """Nothing to take."""

    def now(self) -> tuple[GpuNow, ...]:
        """Nothing to show."""
        return ()

    def close(self) -> None:
        """Nothing to let go."""


def now_of(gpu: Gpu, told: Mapping[GpuFigure, float]) -> GpuNow:
    """What one GPU told at one look, for a display."""
    memory = told.get("memory_bytes")
    return GpuNow(
        index=gpu.index,
        name=gpu.name,
        utilisation=told.get("utilisation"),
        memory_bytes=None if memory is None else int(memory),
        memory_total_bytes=gpu.memory_total_bytes,
        temperature_c=told.get("temperature_c"),
        power_w=told.get("power_w"),
    )


def machine_facts(reader: GpuReader) -> Mapping[str, str]:
    """What the fingerprint of a run takes of the GPUs that are watched: their kinds, their number and the driver.

    A slice of a GPU is another kind than the whole.
    """
    gpus = reader.gpus
    if not gpus:
        return {}
    kinds = dict.fromkeys(gpu.name if gpu.mig is None else f"{gpu.name} MIG {gpu.mig}" for gpu in gpus)
    drivers = dict.fromkeys(gpu.driver for gpu in gpus if gpu.driver)
    facts = {"gpu": " + ".join(kinds), "gpu_count": str(len(gpus)), "driver": " + ".join(drivers)}
    return {name: value for name, value in facts.items() if value}


@contextmanager
def watched_gpus(source: Auto | Nvml | Dcgm | None, target: Target) -> Iterator[GpuReader]:
    """Whoever tells of the GPUs that `source` asks for; let go at the end. Never raises: no GPU is an answer.

    What was asked for by name and is not to be had is a note. `auto` says nothing of a machine without an NVIDIA
    driver: it takes what there is, and on a laptop the same sentence in every report would be noise.
    """
    reader = _opened(source, target)
    try:
        yield reader
    finally:
        reader.close()


def open_here(within_s: float = OPEN_S) -> GpuReader:
    """The GPUs of this machine, and a note where there are none."""
    return _in_time(_driver, "NVIDIA's driver", within_s)


def open_exporter(url: str, within_s: float = OPEN_S) -> GpuReader:
    """The GPUs that a DCGM exporter tells of, and a note where it tells of none."""
    return _in_time(lambda: _exporter(url), "the DCGM exporter", within_s)


def _opened(source: Auto | Nvml | Dcgm | None, target: Target) -> GpuReader:
    match source:
        case None:
            return NoGpus()
        case Nvml():
            return open_here()
        case Dcgm(url):
            return open_exporter(url or f"http://{_in_url(host_of(target))}:{EXPORTER_PORT}/metrics")
        case Auto():
            return _in_time(lambda: _found(target), "NVIDIA's driver", OPEN_S)
        case _:
            assert_never(source)


def host_of(target: Target) -> str:
    """The name or address of the machine that the server under test runs on; "" where its URL has none."""
    match target.place:
        case Simulator():
            return "127.0.0.1"
        case ServerUrl(url) | Launch(url):
            try:
                return urlsplit(url).hostname or ""
            except ValueError:
                return ""
        case _:
            assert_never(target.place)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _found(target: Target) -> GpuReader | Unreachable:
    """What `auto` finds."""
    from llmload.telemetry.locality import is_here

    match target.place:
        case Simulator():  # it has no GPU, whatever this machine has
            return NoGpus()
        case Launch():
            found = _driver()
        case ServerUrl():
            host = host_of(target)
            if not is_here(host):
                remedy = "Set telemetry.gpu.source to dcgm, where a DCGM exporter tells of them"
                return Unreachable("the server runs on another machine", remedy)
            found = _driver()
        case _:
            assert_never(target.place)
    return NoGpus() if isinstance(found, Unreachable) and found.is_ordinary else found


def _driver() -> GpuReader | Unreachable:
    from llmload.telemetry.nvml import open_driver

    return open_driver()


def _exporter(url: str) -> GpuReader | Unreachable:
    from llmload.telemetry.dcgm import open_page

    return open_page(url)


def _in_time(open_one: Callable[[], GpuReader | Unreachable], what: str, within_s: float) -> GpuReader:
    """Open in a thread of its own: what hangs in a driver or a name server is left behind."""
    opened: list[GpuReader | Unreachable] = []
    thread = threading.Thread(target=lambda: opened.append(open_one()), name="gpu-opening", daemon=True)
    thread.start()
    thread.join(within_s)
    late = Unreachable(
        f"{what} did not answer within {within_s:g} s", "See whether nvidia-smi or a browser gets an answer"
    )
    found = opened[0] if opened else late
    return NoGpus(found) if isinstance(found, Unreachable) else found
