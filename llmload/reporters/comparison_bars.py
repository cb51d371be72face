"""Runs side by side at each load that they share, as bars that a page draws without any script."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

from llmload.analysis.comparison import Cell, Comparison, Row
from llmload.promises import SHARES
from llmload.reporters import comparison_wording as words
from llmload.reporters.comparison_html import MARKS, SLUGS
from llmload.reporters.texts import Texts
from llmload.reporters.wording import label_in

FIGURES = (
    *(f"{stat}({latency})" for latency in ("ttft", "tpot", "e2e") for stat in ("p50", "p99")),
    *("output_tps", "goodput", "error_rate"),
)
"""What is held side by side at each load."""

_WHOLE = 100.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One figure of one run. Lengths are of 100; `low` and `high` are the ends of the interval of its difference, drawn
    about the first run's value. The first run has no verdict: the others are held against it.
    """

    place: int
    run: str
    value: str
    length: float | None
    low: float | None
    high: float | None
    difference: str = ""
    interval: str = ""
    verdict: str = ""
    slug: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One figure at one load, a bar for each run."""

    figure: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Load:
    """One load that the first run and another have."""

    label: str
    panels: tuple[Panel, ...]


def loads(comparison: Comparison, texts: Texts) -> tuple[Load, ...]:
    """Every shared load in the order of the first run's ladder."""
    return tuple(
        Load(label_in(label, texts), tuple(_panel(row, texts) for row in rows if row.figure in FIGURES))
        for label, rows in words.steps(comparison)
    )


def _panel(row: Row, texts: Texts) -> Panel:
    reach = max((end for end in _ends(row) if end is not None and isfinite(end)), default=0.0)
    scale = _WHOLE / reach if reach > 0 else 0.0
    first = Bar(0, words.letter(0), words.value_in(row.figure, row.value, texts), _length(row.value, scale), None, None)
    others = (_bar(place, row, cell, scale, texts) for place, cell in enumerate(row.cells, start=1))
    return Panel(row.figure, (first, *others))


def _ends(row: Row) -> Iterator[float | None]:
    """Everything that a bar or an interval of the row reaches to. A share is drawn against the whole."""
    if row.figure in SHARES:
        yield 1.0
        return
    yield row.value
    for cell in row.cells:
        yield cell.value
        yield _end(row, cell.high)


def _end(row: Row, difference: float | None) -> float | None:
    """The first run's value changed by a difference: by points of a share, by a ratio of anything else."""
    if row.value is None or difference is None:
        return None
    if row.figure in SHARES:
        return min(max(row.value + difference, 0.0), 1.0)
    return row.value * (1 + difference)


def _bar(place: int, row: Row, cell: Cell, scale: float, texts: Texts) -> Bar:
    low, high = (_length(_end(row, end), scale) for end in (cell.low, cell.high))
    return Bar(
        place=place,
        run=words.letter(place),
        value=words.value_in(row.figure, cell.value, texts),
        length=_length(cell.value, scale),
        low=low,
        high=high,
        difference=words.difference(row.figure, cell, texts),
        interval=words.interval(row.figure, cell, texts),
        verdict=words.contrast_word(cell.contrast, texts),
        slug=SLUGS[cell.contrast],
        mark=MARKS[cell.contrast],
    )


def _length(value: float | None, scale: float) -> float | None:
    if value is None or not isfinite(value):
        return None
    return round(min(value * scale, _WHOLE), 2)
