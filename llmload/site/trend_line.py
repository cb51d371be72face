"""The last runs of a scenario as a small line: where it is drawn, and the same in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import isfinite

from llmload.reporters.figures import milliseconds, percent
from llmload.reporters.sparkline import LEAST_SPAN
from llmload.reporters.texts import Texts
from llmload.store.history import Point

WIDTH, HEIGHT = 160.0, 36.0
_MARGIN = 4.0


@dataclass(frozen=True, slots=True)
class TrendLine:
    """A figure of the last runs of a scenario. `path` is what SVG draws, with gaps where runs have none.

    `dots` are runs alone between two gaps, and the last one; `said` is for those who do not see it.
    """

    scenario: str
    figure: str
    latest: str
    runs: int
    path: str
    dots: tuple[tuple[float, float], ...]
    said: str


def trend_line(scenario: str, points: Sequence[Point], texts: Texts) -> TrendLine | None:
    """Goodput where any run has one, else the p99 of TTFT; None where no run has either."""
    goodputs = [_number(point.goodput) for point in points]
    if any(value is not None for value in goodputs):
        return _line(scenario, texts["site.history.figure.goodput"], goodputs, percent, texts)
    latencies = [_number(point.ttft_p99_ms) for point in points]
    return _line(scenario, texts["site.history.figure.ttft_p99"], latencies, milliseconds, texts)


def _number(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None


def _line(
    scenario: str, figure: str, values: Sequence[float | None], told: Callable[[float | None], str], texts: Texts
) -> TrendLine | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    path, dots = _drawn(values)
    said = texts["site.history.trend_said"].format(
        figure=figure, count=len(values), low=told(min(known)), high=told(max(known)), latest=told(values[-1])
    )
    missing = len(values) - len(known)
    if missing:
        said += texts["site.history.trend_missing"].format(count=missing)
    return TrendLine(scenario, figure, told(values[-1]), len(values), path, dots, said)


def _drawn(values: Sequence[float | None]) -> tuple[str, tuple[tuple[float, float], ...]]:
    """Noise within a tenth of the level looks as flat as it is."""
    known = [value for value in values if value is not None]
    middle, span = (
        (min(known) + max(known)) / 2,
        max(max(known) - min(known), LEAST_SPAN * abs(sum(known) / len(known))),
    )
    across = (WIDTH - 2 * _MARGIN) / max(len(values) - 1, 1)

    def place(number: int, value: float) -> tuple[float, float]:
        up = 0.5 if span <= 0 else 0.5 + (value - middle) / span
        return round(_MARGIN + across * number, 1), round(HEIGHT - _MARGIN - up * (HEIGHT - 2 * _MARGIN), 1)

    path, dots = list[str](), list[tuple[float, float]]()
    for is_known, group in groupby(enumerate(values), key=lambda each: each[1] is not None):
        places = [place(number, value) for number, value in group if value is not None]
        if is_known and len(places) == 1:
            dots.extend(places)
        elif is_known:
            path.append("M" + "L".join(f"{x:g} {y:g}" for x, y in places))
    last = values[-1]
    if last is not None and place(len(values) - 1, last) not in dots:
        dots.append(place(len(values) - 1, last))
    return "".join(path), tuple(dots)
