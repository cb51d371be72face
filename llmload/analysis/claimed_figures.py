"""Which numbers of a written text are in none of the figures that it was written about.

A number counts as known when some figure rounds to it at the precision it is written with, in its own unit: "812 ms",
"0.81 s" and "812" are all said of 811.6 ms. What the writer worked out (a ratio, a difference) is in no figure, and so
is flagged: a reader should know that nobody measured it.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

MOST_FLAGGED = 50
"""Numbers that are named; a text with more of them is not about the run."""

_LONGEST = 40  # characters of one flagged number


class Kind(StrEnum):
    """What a number counts, as far as its unit tells."""

    TIME = "time"  # in milliseconds
    PERCENT = "percent"
    RATIO = "ratio"  # "3x"
    PLAIN = "plain"  # everything else: tokens, requests, GPUs, rates, and numbers without a unit


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that is known, in the unit of its kind."""

    value: float
    kind: Kind = Kind.PLAIN


@dataclass(frozen=True, slots=True)
class Claim:
    """A number in a text, as written there, with what it may mean: figures, and half of their last digit each."""

    text: str
    meanings: tuple[tuple[Figure, float], ...]


_TIMES_MS: Mapping[str, float] = {
    "ms": 1.0,
    "밀리초": 1.0,
    "s": 1e3,
    "초": 1e3,
    "m": 6e4,
    "분": 6e4,
    "h": 3.6e6,
    "시": 3.6e6,
}
_MULTIPLES: Mapping[str, float] = {"k": 1e3, "K": 1e3, "M": 1e6, "천": 1e3, "만": 1e4, "억": 1e8}

_PASSED_OVER = "|".join(
    (
        r"^[ \t>*#-]*\(?\d{1,3}[.)](?=[\s*]|$)",  # the number of a list's item
        r"^[ \t]*#+[ \t]*\d{1,2}(?=\s)",  # of a heading
        r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?Z?)?",  # a date
        r"\d{1,2}:\d{2}(?::\d{2})?(?!\d)",  # a time of day
        r"\d+\.\d+\.\d+[\w.+-]*",  # a version
        r"(?:19|20)\d{2}\s*년|\d{1,2}\s*월(?:\s*\d{1,2}\s*일)?",
        r"(?<![A-Za-z0-9_])(?:in|since|year)\s+(?:19|20)\d{2}(?=\s*(?:[.,;:)]|$))",  # a year
        r"(?<![A-Za-z0-9_])(?:[Ss]tep|[Gg]ate|[Oo]ption|[Pp]riority|[Pp]hase)\s*\#?\d{1,2}(?![\d%]|[.,]\d)",
        r"(?:단계|옵션|우선순위)\s*\#?\d{1,2}(?![\d%]|[.,]\d)",
        r"\d+(?:st|nd|rd|th)(?![A-Za-z0-9_])",
        r"\d+\s*(?:번째|단계|백분위)",
        r"(?<![A-Za-z0-9_])[A-Za-z_][A-Za-z0-9_]*(?:[-./][A-Za-z0-9_]+)*",  # a name, such as p95 or Qwen3-14B
    )
)
_UNIT = "|".join(
    (
        r"%p?|(?:percent(?:age\ points?)?)(?![A-Za-z])|퍼센트",
        r"(?:ms|msec|milliseconds?)(?![A-Za-z0-9_])|밀리초",
        r"(?:s|secs?|seconds?)(?![A-Za-z0-9_])|초(?![과기당반])",
        r"(?:mins?|minutes?)(?![A-Za-z0-9_])|분(?![의석당산포기배할])",
        r"(?:h|hrs?|hours?)(?![A-Za-z0-9_])|시간",
        r"x(?![A-Za-z0-9_])(?!\s*[A-Z0-9])|배|-?fold(?![A-Za-z])",
        r"[kKM](?![A-Za-z0-9_])|[천만억]",
    )
)
_TOKEN = re.compile(
    rf"(?P<over>{_PASSED_OVER})"
    r"|(?P<number>\d{1,3}(?:[,\u00a0\u202f]\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?)(?P<power>[eE][+-]?\d{1,2}(?![\w]))?"
    rf"(?:[ \t\u00a0\u202f]?(?P<unit>{_UNIT}))?",
    re.MULTILINE,
)


def unknown_figures(text: str, known: Iterable[Figure]) -> tuple[str, ...]:
    """The numbers of `text` that no known figure rounds to: in their order, each once, as written; a bounded number."""
    index = _Index(known)
    found = (claim.text[:_LONGEST] for claim in claims_in(text) if not index.has(claim))
    unique: dict[str, None] = {}
    for each in found:
        unique.setdefault(each)
        if len(unique) == MOST_FLAGGED:
            break
    return tuple(unique)


def claims_in(text: str) -> Iterator[Claim]:
    """Every number that a text states: not those of names, dates, versions, list items and step labels."""
    for match in _TOKEN.finditer(text):
        number = match["number"]
        if number is None:
            continue
        digits = re.sub(r"[,\u00a0\u202f]", "", number)
        power = int(match["power"][1:]) if match["power"] else 0
        decimals = len(digits.partition(".")[2])
        value, half = float(f"{digits}e{power}"), 0.5 * 10.0 ** (power - decimals)
        yield Claim(match[0].strip(), tuple(_meanings(value, half, match["unit"] or "")))


def figures_in(text: str) -> Iterator[Figure]:
    """The numbers of a text as figures that are known."""
    for claim in claims_in(text):
        yield from (figure for figure, _ in claim.meanings)


def _meanings(value: float, half: float, unit: str) -> Iterator[tuple[Figure, float]]:
    """What the unit makes of the number; where it may be a particle, as in "50만", the bare number too."""
    if unit in _MULTIPLES:
        yield Figure(value), half
        yield Figure(value * _MULTIPLES[unit]), half * _MULTIPLES[unit]
    elif unit.startswith(("%", "percent", "퍼센트")):
        yield Figure(value, Kind.PERCENT), half
    elif unit in ("x", "배") or unit.endswith("fold"):
        yield Figure(value, Kind.RATIO), half
    elif unit:
        is_thousandth = unit.startswith(("ms", "milli", "밀리"))
        factor = 1.0 if is_thousandth else _TIMES_MS[unit[0]]
        yield Figure(value * factor, Kind.TIME), half * factor
    else:
        yield Figure(value), half


class _Index:
    """Known figures, sorted by what a number of each kind may be held against."""

    def __init__(self, known: Iterable[Figure]) -> None:
        by_kind: dict[Kind, list[float]] = {kind: [] for kind in Kind}
        for figure in known:
            for kind, value in _readings(figure):
                if math.isfinite(value):
                    by_kind[kind].append(abs(value))
        self._sorted: Mapping[Kind, Sequence[float]] = {kind: sorted(values) for kind, values in by_kind.items()}

    def has(self, claim: Claim) -> bool:
        """Whether a known figure rounds to the number, in one of its meanings."""
        return any(self._has(figure, half) for figure, half in claim.meanings)

    def _has(self, figure: Figure, half: float) -> bool:
        slack = half * (1 + 1e-9) + abs(figure.value) * 1e-12
        values = self._sorted[figure.kind]
        place = bisect_left(values, figure.value - slack)
        return place < len(values) and values[place] <= figure.value + slack


def _readings(figure: Figure) -> Iterator[tuple[Kind, float]]:
    """How a known figure may be written: 812 ms as a bare 812 or 0.812 (s), 95 % as 0.95, a share of 0.9 as 90 %."""
    value = figure.value
    yield figure.kind, value
    match figure.kind:
        case Kind.TIME:
            yield Kind.PLAIN, value
            yield Kind.PLAIN, value / 1000
        case Kind.PERCENT:
            yield Kind.PLAIN, value
            yield Kind.PLAIN, value / 100
        case Kind.RATIO:
            yield Kind.PLAIN, value
        case Kind.PLAIN:
            if 0 < abs(value) < 1:
                yield Kind.PERCENT, value * 100
