"""What GPUs tell while a run goes on, in words with units: for the terminal and for the page of the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llmload.plain_text import plain
from llmload.reporters.figures import MISSING, amount, percent
from llmload.samples import GpuNow

_GIB = 2**30
_MOST_LINES = 8
_NO_FIGURE = 1e6
"""No device is so hot or draws so much; NaN is none either."""


@dataclass(frozen=True, slots=True)
class GpuWords:
    """One GPU at one moment; what it does not tell is "n/a"."""

    name: str
    utilisation: str
    memory: str  # in use and, where that is known, of how much
    temperature: str
    power: str


def words_of(gpu: GpuNow) -> GpuWords:
    """The figures of one GPU."""
    return GpuWords(
        name=f"{gpu.index} {plain(gpu.name, 80)}".strip(),
        utilisation=percent(gpu.utilisation),
        memory=_memory(gpu),
        temperature=_with_unit(gpu.temperature_c, "°C"),
        power=_with_unit(gpu.power_w, "W"),
    )


def lines_of(gpus: Sequence[GpuNow]) -> list[str]:
    """A line for each of the first GPUs, such as "GPU 0 97%, 71 / 80 GiB, 66 °C, 640 W", and how many more there are.

    What one does not tell is left out.
    """
    lines = [_line(gpu) for gpu in gpus[:_MOST_LINES]]
    left = len(gpus) - len(lines)
    return [*lines, f"and {left} more"] if left else lines


def _line(gpu: GpuNow) -> str:
    words = words_of(gpu)
    told = [each for each in (words.utilisation, words.memory, words.temperature, words.power) if each != MISSING]
    return f"GPU {gpu.index} {', '.join(told) or MISSING}"


def _memory(gpu: GpuNow) -> str:
    if gpu.memory_bytes is None:
        return MISSING
    used = amount(gpu.memory_bytes / _GIB)
    return f"{used} GiB" if gpu.memory_total_bytes is None else f"{used} / {amount(gpu.memory_total_bytes / _GIB)} GiB"


def _with_unit(value: float | None, unit: str) -> str:
    return MISSING if value is None or not abs(value) < _NO_FIGURE else f"{value:,.0f} {unit}"
