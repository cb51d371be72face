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
from llmload.reporters.reasons import in_language
from llmload.reporters.texts import Texts
from llmload.reporters.wording import label_in
from llmload.units import format_number

NEVER = "never"
"""On the terminal, in place of a latency that only failed attempts reach."""

_CONTRASTS = {
    Contrast.SAME: "comparison.contrast.same",
    Contrast.BETTER: "comparison.contrast.better",
    Contrast.WORSE: "comparison.contrast.worse",
    Contrast.UNDECIDED: "comparison.contrast.undecided",
}
_BASES = {
    Basis.REPEATS: "comparison.basis.repeats",
    Basis.WITHIN: "comparison.basis.within",
    Basis.COUNTS: "comparison.basis.counts",
}
_LEGEND = {
    Basis.REPEATS: "comparison.legend.repeats",
    Basis.WITHIN: "comparison.legend.within",
    Basis.COUNTS: "comparison.legend.counts",
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


def value_in(figure: str, number: float | None, texts: Texts) -> str:
    """A figure with its unit, in the language of a report."""
    if number is not None and math.isinf(number):
        return texts["comparison.never"]
    return value(figure, number)


def difference(figure: str, cell: Cell, texts: Texts) -> str:
    """`+10.4%`, `-3.2 points`; "" where there is nothing to subtract."""
    if cell.difference is None:
        return ""
    told = signed(cell.difference)
    return texts["comparison.points"].format(value=told) if figure in SHARES else f"{told}%"


def interval(figure: str, cell: Cell, texts: Texts) -> str:
    """`+8.1% to +12.9%`; "" where nobody knows."""
    if cell.low is None or cell.high is None:
        return ""
    low, high = signed(cell.low), signed(cell.high)
    if figure in SHARES:
        return texts["comparison.points_between"].format(low=low, high=high)
    return texts["comparison.between"].format(low=f"{low}%", high=f"{high}%")


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


def contrast_word(contrast: Contrast, texts: Texts) -> str:
    """What a figure is, held against the first run's: `worse`, `undecided`."""
    return MISSING if contrast is Contrast.MISSING else texts[_CONTRASTS[contrast]]


def basis(cell: Cell, texts: Texts) -> str:
    """What the interval rests on, in a word or two."""
    return "" if cell.basis is Basis.NOTHING else texts[_BASES[cell.basis]]


def about(run: ComparedRun, texts: Texts) -> str:
    """What is told of a run beside its id."""
    return f"{run.title}, {run.created}, {texts[f'comparison.status.{run.status.name.lower()}']}"


def conditions(comparison: Comparison, texts: Texts) -> Iterator[tuple[str, str, str, str]]:
    """Run, key of the fingerprint, the first run's value and its own, where they differ."""
    unknown = texts["comparison.not_told"]
    for place, keys in enumerate(comparison.differing, start=1):
        for each in keys:
            yield letter(place), each.key, each.theirs or unknown, each.ours or unknown


def absences(comparison: Comparison, texts: Texts) -> Iterator[str]:
    """Steps that could not be compared."""
    for each in comparison.absences:
        step = label_in(in_language(each.step, texts), texts)
        because = in_language(each.because, texts)
        yield texts["comparison.absence"].format(run=letter(each.run), step=step, because=because)


def steps(comparison: Comparison) -> Iterator[tuple[str, list[Row]]]:
    """The rows of each step under its label."""
    found: dict[str, list[Row]] = {}
    for row in comparison.rows:
        found.setdefault(row.step.label, []).append(row)
    yield from found.items()


def tally(comparison: Comparison, texts: Texts) -> str:
    """`3 worse, 1 better, 20 same, 15 undecided, 1 n/a`; what there is none of is not named, save different ones."""
    counted = Counter(cell.contrast for row in comparison.rows for cell in row.cells)
    order = (Contrast.WORSE, Contrast.BETTER, Contrast.SAME, Contrast.UNDECIDED, Contrast.MISSING)
    shown = (each for each in order if counted[each] or each in (Contrast.WORSE, Contrast.BETTER))
    words = ((f"{counted[each]:,}", contrast_word(each, texts)) for each in shown)
    return ", ".join(texts["comparison.counted"].format(count=count, contrast=contrast) for count, contrast in words)


def verdict(comparison: Comparison, texts: Texts) -> str:
    """The whole comparison in a sentence."""
    cells = [cell for row in comparison.rows for cell in row.cells]
    said = "different" if comparison.is_different else "alike"
    if all(cell.contrast is Contrast.MISSING for cell in cells):
        said = "nothing"
    told = f"{texts[f'comparison.said.{said}']}: {tally(comparison, texts)}"
    spoilt = sum(each.is_spoilt for each in comparison.absences)
    return told + (texts["comparison.spoilt"].format(count=f"{spoilt:,}") if spoilt else "")


def rules(comparison: Comparison, texts: Texts) -> list[str]:
    """What the verdicts mean, and what the intervals rest on."""
    margin, floor = format_number(MARGIN * 100), format_number(FLOOR_MS)
    told = [texts["comparison.rule.margin"].format(margin=margin, floor=floor)]
    if comparison.intervals:
        form, confidence = "one" if comparison.intervals == 1 else "many", percent(comparison.confidence)
        count, together = f"{comparison.intervals:,}", f"{1 - ERROR:.0%}"
        rule = texts[f"comparison.rule.{form}"]
        told.append(rule.format(count=count, confidence=confidence, together=together))
    used = {cell.basis for row in comparison.rows for cell in row.cells}
    return told + [texts[key] for each, key in _LEGEND.items() if each in used]
