"""A gate of the document, in either form, becomes the same `Gate`; its errors name the field that is wrong."""

from __future__ import annotations

from llmload.promises import LATENCIES, RATES, SHARES, STATS, At, Bound, Change, Gate, Level
from llmload.scenario.document.promises import AtStep, Figure, GateForm, Relative
from llmload.scenario.gates import (
    GateError,
    check_change,
    falls_when_worse,
    metric_hint,
    named,
    parse_at,
    parse_gate,
    quantity,
    split_advice,
)
from llmload.scenario.nearest import nearest
from llmload.scenario.tree import Step
from llmload.units import format_number, parse_percent


class FieldError(GateError):
    """A gate's field that cannot be read; `field` leads to it from the gate."""

    def __init__(self, field: tuple[Step, ...], message: str, hint: str, offset: int = 0) -> None:
        super().__init__(message, hint, offset)
        self.field = field


def gate_of(item: str | GateForm, line: int | None) -> Gate:
    """The gate that the document means; FieldError where it cannot be read."""
    if isinstance(item, str):
        try:
            return parse_gate(item, line=line)
        except GateError as error:
            raise FieldError((), error.message, error.hint, error.offset) from None
    subject, stat = _subject(item)
    gate = Gate(
        subject=subject,
        promise=_promise(item, subject),
        stat=stat,
        at=_at(item.at) if item.at else None,
        id=item.id or "",
        level=Level(item.level),
        line=line,
        traffic_class=item.traffic_class,
    )
    return named(gate)


def _subject(form: GateForm) -> tuple[str, str | None]:
    metric, stat = form.metric, form.stat
    if metric in LATENCIES:
        if stat is None:
            raise FieldError((), f"{metric} needs a statistic", f"Add stat: p95, or one of {', '.join(STATS)}")
        if stat not in STATS:
            raise FieldError(("stat",), f"unknown statistic {stat!r}", nearest(stat, STATS))
        return metric, stat
    if metric not in (*SHARES, *RATES):
        hint = metric_hint(metric) if metric == "itl" else nearest(metric, (*SHARES, *RATES, *LATENCIES))
        raise FieldError(("metric",), f"unknown metric {metric!r}", hint)
    if stat is not None:
        raise FieldError(("stat",), f"{metric} takes no statistic", "Delete stat")
    return metric, None


def _promise(form: GateForm, subject: str) -> Bound | Change:
    written = [name for name in ("min", "max", "relative") if getattr(form, name) is not None]
    if len(written) != 1:
        message = f"{' and '.join(written)} exclude each other" if written else "nothing is promised"
        raise FieldError((), message, "Write one of min, max and relative")
    if form.min is not None:
        return Bound(">=", _figure(form.min, subject, ("min",)))
    if form.max is not None:
        return Bound("<=", _figure(form.max, subject, ("max",)))
    assert form.relative is not None  # noqa: S101 - one of the three is written
    return _change(form.relative, subject)


def _figure(value: Figure, subject: str, field: tuple[Step, ...]) -> float:
    text = value if isinstance(value, str) else format_number(value)
    try:
        return quantity(subject, text)
    except ValueError as error:
        raise FieldError(field, *split_advice(str(error))) from None


def _change(relative: Relative, subject: str) -> Change:
    _check(subject, 0.0, ("relative",))
    wanted = "max_decrease" if falls_when_worse(subject) else "max_increase"
    other = "max_increase" if wanted == "max_decrease" else "max_decrease"
    if getattr(relative, other) is not None:
        hint = f"Write {wanted}: 5%"
        raise FieldError(("relative", other), f"{subject} gets worse in the other direction", hint)
    allowed = getattr(relative, wanted)
    if allowed is None:
        raise FieldError(("relative",), f"{wanted} is missing", f"Add {wanted}: 5%")
    if not isinstance(allowed, str):
        raise FieldError(("relative", wanted), f"{allowed} has no unit", f"Did you mean {format_number(allowed)}%?")
    try:
        max_worse = parse_percent(allowed)
    except ValueError as error:
        raise FieldError(("relative", wanted), *split_advice(str(error))) from None
    _check(subject, max_worse, ("relative", wanted))
    floor = 0.0 if relative.floor is None else _figure(relative.floor, subject, ("relative", "floor"))
    return Change(max_worse, floor)


def _check(subject: str, max_worse: float, field: tuple[Step, ...]) -> None:
    try:
        check_change(subject, max_worse)
    except ValueError as error:
        raise FieldError(field, *split_advice(str(error))) from None


def _at(at: AtStep) -> At:
    if (at.concurrency is None) == (at.rate is None):
        raise FieldError(("at",), "exactly one of concurrency and rate names the steps", "Write {concurrency: 50}")
    axis, level = ("rate", at.rate) if at.concurrency is None else ("concurrency", at.concurrency)
    text = level if isinstance(level, str) else format_number(level or 0)
    try:
        return parse_at(axis, text)
    except GateError as error:
        raise FieldError(("at", axis), error.message, error.hint, error.offset) from None
