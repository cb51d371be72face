"""How a comparison is worded, whatever the format: names of the runs, figures, differences, and what they rest on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from llmload.analysis.comparison import (
    ERROR,
    FLOOR_MS,
    MARGIN,
    Cell,
    ComparedRun,
    Comparison,
    Contrast,
    Row,
)
from llmload.analysis.differences import Basis
from llmload.promises import SHARES
from llmload.reporters.figures import MISSING, amount, milliseconds, percent
from llmload.units import format_number

NEVER = "never"
"""In place of a latency that only failed attempts reach."""

_BASES = {
    Basis.REPEATS: "repeats",
    Basis.WITHIN: "one climb",
    Basis.COUNTS: "counts",
    Basis.NOTHING: "",
}
_LEGEND = {
    Basis.REPEATS: "repeats: a t interval over the repeats of the ladder, which sees what differs from one to another."
    " The difference is that of their means; the figures beside it are of all requests together.",
    Basis.WITHIN: "one climb: block bootstrap, which sees only the noise within each run: a mere restart of the server"
    " may look like a difference. Runs with decision.repeats are compared better.",
    Basis.COUNTS: "counts: exact bounds of both shares, of as many requests as they are worth after the design effect.",
}

_MOST = 100_000  # percent


def letter(place: int) -> str:
    """A, B, ... Z, AA, AB: the short name of the run at this place, from 0."""
    above, own = divmod(place, 26)
    return (letter(above - 1) if above else "") + chr(ord("A") + own)


def value(figure: str, number: float | None) -> str:
    """A figure with its unit."""
    if number is not None and math.isinf(number):
        return NEVER
    if figure in SHARES:
        return percent(number)
    if figure.endswith(")"):
        return milliseconds(number)
    text = amount(number)
    return text if text == MISSING else text + ("/s" if figure == "rps" else " tok/s")


def difference(figure: str, cell: Cell) -> str:
    """`+10.4%`, `-3.2 points`; "" where there is nothing to subtract."""
    return "" if cell.difference is None else signed(cell.difference) + _unit(figure)


def interval(figure: str, cell: Cell) -> str:
    """`+8.1% to +12.9%`; "" where nobody knows."""
    if cell.low is None or cell.high is None:
        return ""
    unit = _unit(figure)
    low, high = signed(cell.low), signed(cell.high)
    return f"{low}{unit} to {high}{unit}" if unit == "%" else f"{low} to {high}{unit}"


def _unit(figure: str) -> str:
    return " points" if figure in SHARES else "%"


def signed(share: float) -> str:
    """Percent with a sign and one decimal, more where it would round onto the margin without being it.

    A thousand times as much is as good as any larger number: the other side was next to nothing.
    """
    hundredfold = share * 100
    if hundredfold >= _MOST:
        return f"over +{_MOST:,}"
    limit = math.copysign(MARGIN * 100, share)
    if abs(hundredfold) >= 1000:
        return f"{hundredfold:+,.0f}"
    for places in range(1, 4):
        text = f"{hundredfold:+.{places}f}"
        if math.isclose(share, math.copysign(MARGIN, share)) or text != f"{limit:+.{places}f}":
            break
    return text.replace("-0.0", "0.0") if float(text) == 0 else text


def basis(cell: Cell) -> str:
    """What the interval rests on, in a word or two."""
    return _BASES[cell.basis]


def about(run: ComparedRun) -> str:
    """What is told of a run beside its id."""
    return f"{run.scenario}, {run.created}, {run.status.value}"


def conditions(comparison: Comparison) -> Iterator[tuple[str, str, str, str]]:
    """Run, key of the fingerprint, the first run's value and its own, where they differ."""
    for place, keys in enumerate(comparison.differing, start=1):
        for each in keys:
            yield letter(place), each.key, each.theirs or "not told", each.ours or "not told"


def absences(comparison: Comparison) -> Iterator[str]:
    """Steps that could not be compared."""
    for each in comparison.absences:
        yield f"{letter(each.run)} at {each.step}: {each.because}"


def steps(comparison: Comparison) -> Iterator[tuple[str, list[Row]]]:
    """The rows of each step under its label."""
    found: dict[str, list[Row]] = {}
    for row in comparison.rows:
        found.setdefault(row.step.label, []).append(row)
    yield from found.items()


def tally(comparison: Comparison) -> str:
    """`3 worse, 1 better, 20 same, 15 undecided, 1 n/a`; what there is none of is not named, save different ones."""
    counted = Counter(cell.contrast for row in comparison.rows for cell in row.cells)
    order = (Contrast.WORSE, Contrast.BETTER, Contrast.SAME, Contrast.UNDECIDED, Contrast.MISSING)
    shown = (each for each in order if counted[each] or each in (Contrast.WORSE, Contrast.BETTER))
    return ", ".join(f"{counted[each]:,} {each.value}" for each in shown)


def verdict(comparison: Comparison) -> str:
    """The whole comparison in a sentence."""
    cells = [cell for row in comparison.rows for cell in row.cells]
    said = "Different" if comparison.is_different else "No difference beyond noise"
    if all(cell.contrast is Contrast.MISSING for cell in cells):
        said = "Nothing could be compared"
    spoilt = sum(each.is_spoilt for each in comparison.absences)
    return f"{said}: {tally(comparison)}" + (f"; {spoilt:,} not measured" if spoilt else "")


def rules(comparison: Comparison) -> list[str]:
    """What the verdicts mean, and what the intervals rest on."""
    margin = (
        f"{format_number(MARGIN * 100)}% or {format_number(FLOOR_MS)} ms, whichever is more, and 5 points of a share"
    )
    told = [
        f"Better or worse: the whole interval is beyond {margin}. Same: all of it is within. Undecided: neither, or no"
        " interval."
    ]
    if comparison.intervals:
        count = "The interval is" if comparison.intervals == 1 else f"Each of the {comparison.intervals:,} intervals is"
        together = "" if comparison.intervals == 1 else f", so that all of them hold together at {1 - ERROR:.0%}"
        told.append(f"{count} at {percent(comparison.confidence)}{together}.")
    used = {cell.basis for row in comparison.rows for cell in row.cells}
    return told + [text for each, text in _LEGEND.items() if each in used]
