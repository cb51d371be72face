"""Numbers as people read them. A missing or meaningless figure is "n/a", never 0.

Rounding never tells a lie about a limit: where a figure would round onto the limit it is held against, or onto 0 or
100 % without being it, it gets more digits.
"""

from __future__ import annotations

from math import floor, isfinite

from llmload.promises import LATENCIES, SHARES, Gate, Slo
from llmload.units import format_duration, format_number

MISSING = "n/a"
_MOST_PLACES = 6


def milliseconds(value: float | None, limit: float | None = None) -> str:
    """A latency given in ms, with about three digits: "8.42 ms", "912 ms", "12.3 s"."""
    if value is None or not isfinite(value):
        return MISSING
    if abs(value) >= 10_000:
        return _digits(value / 1000, 1, (None if limit is None else limit / 1000,)) + " s"
    return bare_milliseconds(value, limit) + " ms"


def slo_words(slo: Slo | None) -> str:
    """What a request must keep, such as "TTFT 400ms, TPOT 50ms"; "" where nothing is asked."""
    terms = slo or Slo()
    limits = (("TTFT", terms.ttft_ms), ("TPOT", terms.tpot_ms), ("E2E", terms.e2e_ms))
    return ", ".join(f"{name} {format_duration(limit / 1000)}" for name, limit in limits if limit is not None)


def bare_milliseconds(value: float | None, limit: float | None = None) -> str:
    """The same without a unit, for a column that names it: "8.42", "912", "12,300"."""
    return three_digits(value, limit)


def three_digits(value: float | None, limit: float | None = None) -> str:
    """A figure of any unit of which parts of a whole matter too: "0.152", "8.42", "912"."""
    if value is None or not isfinite(value):
        return MISSING
    places = next((places for below, places in ((1, 3), (10, 2), (100, 1)) if 0 < abs(value) < below), 0)
    return _digits(value, places, (limit,))


_NO_SHARE = 1e6
"""No share and no change is larger; only a store from elsewhere has such figures, with which floats overflow."""


def percent(share: float | None, limit: float | None = None) -> str:
    """A share 0..1 with two decimals at most, rounded down as in a verdict's reason: "93.26%", "100%"."""
    if share is None or not isfinite(share) or abs(share) > _NO_SHARE:
        return MISSING
    others = [other for other in (0.0, 1.0, limit) if other is not None and other != share]
    for places in range(2, _MOST_PLACES):
        floored = _floored_percent(share, places)
        if all(floored != _floored_percent(other, places) for other in others):
            return format_number(floored) + "%"
    return format_number(_floored_percent(share, _MOST_PLACES)) + "%"


def _floored_percent(share: float, places: int) -> float:
    steps = float(10**places)
    return floor(round(share * 100 * steps, 4)) / steps  # the rounding undoes the noise of 0.29 * 100


def amount(value: float | None, limit: float | None = None) -> str:
    """A count, a rate or a factor with about three digits and thousands marked: "1,182", "8.25"."""
    if value is None or not isfinite(value):
        return MISSING
    places = 0 if value == int(value) or abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return _digits(value, places, (limit,))


def of_gate(gate: Gate, value: float | None, limit: float | None = None) -> str:
    """A figure in the unit of the gate's subject."""
    if gate.subject in SHARES:
        return percent(value, limit)
    if gate.subject in LATENCIES:
        return milliseconds(value, limit)
    text = amount(value, limit)
    return text if text == MISSING else text + ("/s" if gate.subject == "rps" else " tok/s")


def _digits(value: float, places: int, limits: tuple[float | None, ...]) -> str:
    others = [limit for limit in limits if limit is not None and limit != value]
    for enough in range(places, _MOST_PLACES):
        text = f"{value:,.{enough}f}"
        if all(text != f"{other:,.{enough}f}" for other in others):
            return text
    return f"{value:,.{_MOST_PLACES}f}"
