"""Gates as people write them: `p95(ttft) <= 800ms at concurrency 50`, or the long form, which makes the same `Gate`.

gate    := subject ["of" class] (op value | "within" percent "of baseline" [", floor" value]) ["at" axis [op] number]
subject := goodput | error_rate | rps | output_tps | total_tps | stat "(" metric ")"
stat    := p50 | p90 | p95 | p99 | mean | max          metric := ttft | ttfo | tpot | itl_max | e2e | lag
op      := "<=" | ">="        value carries its unit: 95%, 800ms, 1200 tok/s, 5/s        axis := concurrency | rate
class   := the name of one class of workload.mixture, whose requests alone are judged
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from llmload.promises import LATENCIES, RATES, SHARES, STATS, At, Bound, Change, Gate, Level
from llmload.units import parse_duration, parse_percent, parse_rate, parse_share

AXES = ("concurrency", "rate")
EXAMPLE = "Write it like 'goodput >= 95%' or 'p95(ttft) <= 800ms at concurrency 50'"
_VALUE = r"(?!at\b).*?(?=\s+at\b|$)"
_LONGEST = 200
_LONGEST_CLASS = 40
_DECIMALS = 9  # of a millisecond: enough for anything, and printing then reading gives the same float


class GateError(ValueError):
    """A gate that cannot be read; `offset` is the first character that is wrong."""

    def __init__(self, message: str, hint: str, offset: int = 0) -> None:
        super().__init__(message)
        self.message, self.hint, self.offset = message, hint, offset


@dataclass
class _Cursor:
    """What is still to be read of a gate's text."""

    text: str
    at: int = 0

    def take(self, pattern: str) -> str | None:
        """Skip blanks, then take what matches; None and stay where nothing does."""
        found = re.compile(rf"\s*({pattern})").match(self.text, self.at)
        if not found:
            return None
        self.at = found.end()
        return found[1]

    @property
    def next_offset(self) -> int:
        rest = self.text[self.at :]
        return self.at + len(rest) - len(rest.lstrip())

    def fail(self, message: str, hint: str = EXAMPLE) -> GateError:
        return GateError(message, hint, self.next_offset)

    @property
    def rest(self) -> str:
        return self.text[self.at :].strip()


def parse_gate(text: str, *, id: str = "", level: Level = Level.FAIL, line: int | None = None) -> Gate:  # noqa: A002
    """The gate in one line of text, with a derived id where none is given; GateError says what is wrong where."""
    if len(text) > _LONGEST:
        raise GateError(f"longer than {_LONGEST} characters", EXAMPLE)
    cursor = _Cursor(text)
    subject, stat = _subject(cursor)
    traffic_class = _class(cursor)
    promise = _promise(cursor, subject)
    at = _at(cursor)
    if cursor.rest:
        raise cursor.fail(f"{cursor.rest!r} is left over at the end of the gate")
    gate = Gate(subject, promise, stat=stat, at=at, id=id, level=level, line=line, traffic_class=traffic_class)
    return named(gate)


def named(gate: Gate) -> Gate:
    """The gate with an id: its own, or one made of its words, the same every time."""
    return gate if gate.id else replace(gate, id=derive_id(gate))


def derive_id(gate: Gate) -> str:
    """`p95(ttft) <= 800ms at concurrency 50` -> `p95-ttft-le-800ms-at-concurrency-50`."""
    text = str(gate).replace("<=", "le").replace(">=", "ge").replace("%", "pct").replace("/", " per ")
    return re.sub(r"[^a-z0-9._]+", "-", text).strip("-")


def _subject(cursor: _Cursor) -> tuple[str, str | None]:
    start = cursor.next_offset
    word = cursor.take(r"[A-Za-z_][A-Za-z_0-9]*")
    if word is None:
        raise cursor.fail("a gate begins with what it promises about")
    if word in SHARES or word in RATES:
        if cursor.take(r"\(") is not None:
            raise GateError(f"{word} takes no statistic", f"Write '{word} >= ...'", start)
        return word, None
    if word in LATENCIES:
        raise GateError(f"{word} needs a statistic", f"Write p95({word}), or one of {', '.join(STATS)}", start)
    if word not in STATS:
        raise GateError(f"unknown subject {word!r}", _nearest(word, (*SHARES, *RATES, *STATS)), start)
    if cursor.take(r"\(") is None:
        raise cursor.fail(f"{word} needs a metric in brackets", f"Write {word}(ttft)")
    return _metric(cursor), word


def _metric(cursor: _Cursor) -> str:
    start = cursor.next_offset
    metric = cursor.take(r"[A-Za-z_0-9]+")
    if metric not in LATENCIES:
        raise GateError(f"unknown metric {metric or ''!r}", metric_hint(metric or ""), start)
    if cursor.take(r"\)") is None:
        raise cursor.fail("a closing bracket is missing", f"Write ...({metric})")
    return metric


def metric_hint(metric: str) -> str:
    """What to write instead of a latency that gates do not know."""
    if metric == "itl":
        return "Gates judge each request's largest gap: write itl_max"
    return _nearest(metric, LATENCIES)


def _nearest(word: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word.lower(), known, n=1)
    choices = ", ".join(known)
    return f"Did you mean {near[0]}? Known: {choices}" if near else f"Use one of: {choices}"


def _class(cursor: _Cursor) -> str | None:
    if cursor.take(r"of\b") is None:
        return None
    start = cursor.next_offset
    word = cursor.take(r"[^\s<>=]+")
    if word is None:
        raise cursor.fail("the class is missing after 'of'", "Write it like 'p95(ttft) of chat <= 800ms'")
    if len(word) > _LONGEST_CLASS or re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", word) is None:
        raise GateError(f"{word!r} is no name of a class", "Classes are named in a-z, 0-9 and -, like chat", start)
    return word


def _promise(cursor: _Cursor, subject: str) -> Bound | Change:
    if cursor.take(r"within\b") is not None:
        return _change(cursor, subject)
    start = cursor.next_offset
    op = cursor.take(r"<=|>=|==|=|<|>|[A-Za-z]+")
    if op not in ("<=", ">="):
        message = f"{op!r} is no comparison for a gate" if op else "the comparison is missing"
        raise GateError(message, "Use <= or >=; the gate says what must hold", start)
    start = cursor.next_offset
    return Bound(op, _quantity(subject, cursor.take(_VALUE) or "", start))


def _change(cursor: _Cursor, subject: str) -> Change:
    start = cursor.next_offset
    max_worse = _percent(cursor.take(r".*?(?=\s+of\b|$)") or "", start)
    try:
        check_change(subject, max_worse)
    except ValueError as error:
        raise GateError(*split_advice(str(error)), start) from None
    if cursor.take(r"of\s+baseline\b") is None:
        raise cursor.fail("what it is relative to is missing", "Write 'within 5% of baseline'")
    floor = 0.0
    if cursor.take(r",\s*floor\b") is not None:
        start = cursor.next_offset
        floor = _quantity(subject, cursor.take(_VALUE) or "", start)
    return Change(max_worse, floor)


def check_change(subject: str, max_worse: float) -> None:
    """ValueError "what is wrong; what to write" where a change against a baseline says nothing of the subject."""
    if subject == "error_rate":
        raise ValueError(
            "error_rate takes no relative gate: a ratio of rates near zero means nothing; "
            "write an absolute bound: error_rate <= 1%"
        )
    if falls_when_worse(subject) and max_worse >= 1:
        raise ValueError(f"{subject} cannot get worse by 100% or more; write a smaller change, like 5%")


def falls_when_worse(subject: str) -> bool:
    """Goodput and rates: more is better, and a relative gate bounds their decrease."""
    return subject in RATES or subject == "goodput"


def _percent(text: str, offset: int) -> float:
    try:
        return parse_percent(text)
    except ValueError as error:
        raise GateError(*split_advice(str(error)), offset) from None


def _quantity(subject: str, text: str, offset: int) -> float:
    try:
        return quantity(subject, text)
    except ValueError as error:
        raise GateError(*split_advice(str(error)), offset) from None


def quantity(subject: str, text: str) -> float:
    """A figure with its unit in the gate's own unit (ms, share, per second); ValueError "wrong; what to write"."""
    if not text.strip():
        raise ValueError(f"the value is missing; write {_example(subject)}")
    if re.fullmatch(r"[-+]?[0-9.]+", text.strip()):
        raise ValueError(f"{text.strip()} has no unit; {_likely(subject, text.strip())}")
    return _READ[_kind(subject)](text)


def _kind(subject: str) -> str:
    if subject in SHARES:
        return "share"
    return "latency" if subject in LATENCIES else subject


def _milliseconds(text: str) -> float:
    return round(parse_duration(text) * 1000, _DECIMALS)


def _requests_per_s(text: str) -> float:
    if "tok" in text:
        raise ValueError(f"{text!r} counts tokens, and rps requests; write a number of requests per second, like 5/s")
    return parse_rate(text)


def _tokens_per_s(text: str) -> float:
    if "req" in text:
        raise ValueError(f"{text!r} counts requests, not tokens; write a number of tokens per second, like 1200 tok/s")
    return parse_rate(text)


_READ: dict[str, Callable[[str], float]] = {
    "share": parse_share,
    "latency": _milliseconds,
    "rps": _requests_per_s,
    "output_tps": _tokens_per_s,
    "total_tps": _tokens_per_s,
}


def _example(subject: str) -> str:
    return {"share": "95%", "latency": "800ms", "rps": "5/s"}.get(_kind(subject), "1200 tok/s")


def _likely(subject: str, number: str) -> str:
    match _kind(subject):
        case "share":
            value = float(number) if number.count(".") < 2 else 0.0
            return f"did you mean {value * 100:g}%?" if 0 < value <= 1 else f"did you mean {number}%?"
        case "latency":
            return f"did you mean {number}ms?"
        case "rps":
            return f"did you mean {number}/s?"
        case _:
            return f"did you mean {number} tok/s?"


def split_advice(text: str) -> tuple[str, str]:
    """Cut "what is wrong; what to do" into its two sentences."""
    message, _, hint = text.partition("; ")
    return message, (hint[:1].upper() + hint[1:]) if hint else EXAMPLE


def _at(cursor: _Cursor) -> At | None:
    if cursor.take(r"at\b") is None:
        return None
    start = cursor.next_offset
    axis = cursor.take(r"[A-Za-z_]+")
    if axis not in AXES:
        raise GateError(f"unknown axis {axis or ''!r} after 'at'", "Use concurrency or rate", start)
    return parse_at(axis, cursor)


def parse_at(axis: str, where: str | _Cursor) -> At:
    """The steps meant by `50`, `<= 50` or `2/s` on an axis; GateError otherwise."""
    cursor = _Cursor(where) if isinstance(where, str) else where
    op = cursor.take(r"<=|>=|==") or "=="
    number = cursor.take(r"[0-9]+(?:\.[0-9]+)?")
    if number is None:
        raise cursor.fail(f"the {axis} of the step is missing", f"Write 'at {axis} 50' or 'at {axis} <= 50'")
    per = cursor.take(r"/[smh]\b") if axis == "rate" else None
    if isinstance(where, str) and cursor.rest:
        raise cursor.fail(f"{cursor.rest!r} is left over", f"Write a number, with <= or >= before it for {axis}")
    return At(axis, op, parse_rate(number + per) if per else float(number))
