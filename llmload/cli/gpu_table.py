"""One look at GPUs, as a table, as lines and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, get_args

from llmload.plain_text import display_width, plain
from llmload.reporters.figures import MISSING
from llmload.samples import Gpu, GpuFigure, Series, slow_downs

if TYPE_CHECKING:
    from rich.console import Group

_WORDS, _FIGURES = 2, 6  # columns before the figures, and those of figures
_COLUMNS = (
    *(("GPU", ""), ("name", ""), ("use", "%"), ("memory", "GiB"), ("temp.", "°C"), ("power", "W")),
    *(("SM", "MHz"), ("memory", "MHz"), ("slowed", "down by")),
)
"""Headings, each in two lines on a terminal, so that names have room in 80 columns."""
_GIB = 2**30


@dataclass(frozen=True, slots=True)
class Look:
    """What every GPU told at one instant; `notes` are about what is missing."""

    at: datetime
    gpus: Sequence[tuple[Gpu, Mapping[GpuFigure, float]]]
    notes: Sequence[str]


def look_of(gpus: Sequence[Gpu], at: datetime, series: Sequence[Series], notes: Sequence[str]) -> Look:
    """A look out of the samples that it brought."""
    told: dict[str, dict[GpuFigure, float]] = {gpu.key: {} for gpu in gpus}
    for one in series:
        for figure in get_args(GpuFigure):
            if one.name == figure:
                told[one.device][figure] = one.values[-1]
    return Look(at, tuple((gpu, told[gpu.key]) for gpu in gpus), notes)


def document(look: Look, indent: int | None = None) -> str:
    """An array with an object for each GPU: bytes, watts, joules, MHz, degrees Celsius, shares of 0..1, or null."""
    at = look.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps([_object(gpu, told, at) for gpu, told in look.gpus], indent=indent, ensure_ascii=False)


def _object(gpu: Gpu, told: Mapping[GpuFigure, float], at: str) -> dict[str, object]:
    memory, mask = told.get("memory_bytes"), told.get("throttle_reasons")
    return {
        "at": at,
        "host": gpu.host or None,
        "index": gpu.index,
        "name": gpu.name,
        "uuid": gpu.uuid or None,
        "mig": gpu.mig,
        "driver": gpu.driver,
        "memory_total_bytes": gpu.memory_total_bytes,
        "power_limit_w": gpu.power_limit_w,
        **{figure: told.get(figure) for figure in get_args(GpuFigure)},
        "memory_bytes": None if memory is None else int(memory),
        "throttle_reasons": None if mask is None else int(mask),
        "slowed_down_by": None if mask is None else list(slow_downs(mask)),
    }


def lines(look: Look) -> list[str]:
    """A table of text, as wide as it needs to be, and the notes below it."""
    rows = [tuple(" ".join(heading).strip() for heading in _COLUMNS), *(_cells(gpu, told) for gpu, told in look.gpus)]
    widths = [max(display_width(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    padded = [
        "  ".join(cell + " " * (width - display_width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return [*padded, *map(plain, look.notes)]


def timed_lines(look: Look) -> list[str]:
    """A line for each GPU, each with the time: for a log that goes on."""
    at = look.at.isoformat(timespec="seconds").replace("+00:00", "Z")
    return [f"{at}  " + "  ".join(filter(None, _with_units(_cells(gpu, told)))) for gpu, told in look.gpus]


def _with_units(cells: Sequence[str]) -> Iterator[str]:
    for place, (cell, (_, unit)) in enumerate(zip(cells, _COLUMNS, strict=True)):
        is_figure = _WORDS <= place < _WORDS + _FIGURES and cell != MISSING
        yield f"{cell} {unit}" if is_figure else cell


def panel(look: Look) -> Group:
    """The same for a terminal."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, heading in enumerate(_COLUMNS):
        if _WORDS <= place < _WORDS + _FIGURES:
            table.add_column("\n".join(heading), justify="right", no_wrap=True)
        else:
            table.add_column("\n".join(heading))
    for gpu, told in look.gpus:
        table.add_row(*map(Text, _cells(gpu, told)))
    return Group(table, *(Text(plain(note), style="dim") for note in look.notes))


def _cells(gpu: Gpu, told: Mapping[GpuFigure, float]) -> tuple[str, ...]:
    """Names come from drivers and exporters: they are foreign text."""
    host = f"{plain(gpu.host, 40)}/" if gpu.host else ""
    mig = f" MIG {plain(gpu.mig, 40)}" if gpu.mig else ""
    use, mask = told.get("utilisation"), told.get("throttle_reasons")
    memory, total = told.get("memory_bytes"), gpu.memory_total_bytes
    return (
        f"{host}{gpu.index}",
        plain(gpu.name, 60) + mig,
        _of(None if use is None else 100 * use, None),
        _of(None if memory is None else memory / _GIB, None if total is None else total / _GIB, places=1),
        _of(told.get("temperature_c"), None),
        _of(told.get("power_w"), gpu.power_limit_w),
        _of(told.get("sm_clock_mhz"), None),
        _of(told.get("memory_clock_mhz"), None),
        MISSING if mask is None else ", ".join(slow_downs(mask)),
    )


def _of(value: float | None, limit: float | None, places: int = 0) -> str:
    """A figure, and what it cannot exceed where that is known."""
    if value is None:
        return MISSING
    return f"{value:,.{places}f}" if limit is None else f"{value:,.{places}f} / {limit:,.{places}f}"
