"""What tests of GPU readers share: one look, and what every reader keeps to, whoever tells it."""

from __future__ import annotations

import time
from collections.abc import Mapping

from llmload.samples import GpuFigure, Source
from llmload.scenario.asked import Launch, ServerUrl, Simulator, Target, Timeouts, Tls
from llmload.telemetry.gpu import GpuReader
from llmload.telemetry.recorder import Recorder

FIGURES: tuple[GpuFigure, ...] = (
    "utilisation",
    "memory_bytes",
    "temperature_c",
    "power_w",
    "sm_clock_mhz",
    "memory_clock_mhz",
    "throttle_reasons",
    "energy_j",
)


def look(reader: GpuReader) -> tuple[Mapping[tuple[str, str], float], tuple[str, ...]]:
    """The figures of one look by GPU and name, and the notes so far."""
    recorder = Recorder()
    reader.read(recorder)
    series, notes = recorder.take()
    return {(each.device, each.name): each.values[-1] for each in series}, notes


def check_contract(reader: GpuReader) -> None:
    """Units, instants and keys of whatever a reader tells; AssertionError where one is not as promised."""
    recorder = Recorder()
    before_ns = time.monotonic_ns()
    reader.read(recorder)
    reader.read(recorder)
    after_ns = time.monotonic_ns()
    series, notes = recorder.take()
    gpus = {gpu.key: gpu for gpu in reader.gpus}
    assert gpus, "no GPU"
    assert len(gpus) == len(reader.gpus)
    assert series
    for one in series:
        gpu = gpus[one.device]
        assert one.source is Source.GPU
        assert one.name in FIGURES
        assert 1 <= len(one.values) <= 2
        assert all(before_ns - 1000 <= at <= after_ns for at in one.at_ns)
        _check_values(one.name, list(one.values), gpu.memory_total_bytes, gpu.power_limit_w)
    for gpu in reader.gpus:
        assert gpu.name
        assert gpu.driver
        told = {one.name for one in series if one.device == gpu.key}
        assert told == set(FIGURES) or notes, f"{set(FIGURES) - told} of {gpu.name} is missing without a word"
    assert [now.index for now in reader.now()] == [gpu.index for gpu in reader.gpus]


def _check_values(name: str, values: list[float], memory_total: int | None, power_limit_w: float | None) -> None:
    """Each figure within what is possible in its unit."""
    match name:
        case "utilisation":
            assert all(0 <= value <= 1 for value in values)
        case "memory_bytes":
            assert memory_total is not None
            assert all(0 <= value <= memory_total for value in values)
        case "temperature_c":
            assert all(0 < value < 130 for value in values)
        case "power_w":
            assert all(1 < value < 2 * (power_limit_w or 1500) for value in values)
        case "sm_clock_mhz" | "memory_clock_mhz":
            assert all(50 < value < 20_000 for value in values)
        case "throttle_reasons":
            assert all(value == int(value) and 0 <= value < 2**32 for value in values)
        case "energy_j":
            assert values == sorted(values)


def target_at(place: ServerUrl | Simulator | Launch) -> Target:
    """A target of which only its place matters."""
    return Target(place, "tiny", "openai", None, (), "chat", None, (), Tls(), Timeouts())
