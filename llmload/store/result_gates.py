"""The verdicts of result.json, with their gates and the evidence behind them, as values again."""

from __future__ import annotations

from collections.abc import Iterator

from llmload.analysis.terms import in_judged_terms
from llmload.promises import LATENCIES, RATES, SHARES, STATS, At, Bound, Change, Gate, Level
from llmload.store.places import Place
from llmload.store.result_file import AXES
from llmload.verdict import Evidence, Status, Verdict

MOST_VERDICTS = 1_000
"""Of one step."""


def verdicts_of(place: Place, step: str) -> Iterator[Verdict]:
    """Those of the step with this label."""
    for each in place.each(MOST_VERDICTS):
        yield verdict_of(each, step)


def verdict_of(place: Place, step: str) -> Verdict:
    """One of them."""
    gate, evidence = _gate(place.at("gate")), place.at("evidence")
    return Verdict(
        gate,
        step,
        place.at("status").word(Status),
        place.at("because").text(),
        place.at("remedy").text(),
        place.at("kind").text(),
        _evidence(evidence, gate) if evidence.is_there() else None,
    )


def _gate(place: Place) -> Gate:
    """From its parts: a text that says something else than they do cannot lie then."""
    subject = place.at("subject").one_of(*LATENCIES, *SHARES, *RATES)
    at = place.at("at")
    return Gate(
        subject,
        _promise(place),
        stat=place.at("stat").one_of(*STATS) if subject in LATENCIES else None,
        at=_at(at) if at.is_there() else None,
        id=place.at("id").text(),
        level=place.at("level").word(Level),
        line=place.at("line").count_or_none(),
        traffic_class=place.at("class").text() if place.at("class").is_there() else None,
    )


def _promise(place: Place) -> Bound | Change:
    if place.at("op").is_there():
        return Bound(place.at("op").one_of("<=", ">="), place.at("value").number())
    return Change(place.at("max_worse").number(), place.at("floor").number_or_none() or 0.0)


def _at(place: Place) -> At:
    return At(place.at("axis").one_of(*AXES), place.at("op").one_of("==", "<=", ">="), place.at("value").number())


def _evidence(place: Place, gate: Gate) -> Evidence:
    """As it was judged. A figure that is infinite, since only failed attempts reach it, was told as null."""
    told = Evidence(
        observed=place.at("observed").signed_or_none(),
        target=place.at("target").signed(),
        low=place.at("low").signed_or_none(),
        high=place.at("high").signed_or_none(),
        n=place.at("n").count(),
        deff=place.at("deff").number_or_none(),
        effective_n=place.at("effective_n").number_or_none(),
        confidence=place.at("confidence").number(1.0),
        looks=place.at("looks").count(),
    )
    return in_judged_terms(gate, told)
