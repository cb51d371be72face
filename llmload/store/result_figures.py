"""The figures of a step of result.json, and what spoils them, read from a document that anybody may have written."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Literal

from llmload.baseline import Estimate, Estimates
from llmload.domain import PartFigures, StepMetrics
from llmload.latency import LatencySummary
from llmload.plain_text import plain
from llmload.store.places import Place
from llmload.store.plausibility import is_plausible_turn
from llmload.verdict import Caveat

MOST_REPEATS = 1_000
MOST_CAVEATS = 1_000
MOST_PARTS = 2_000

_FIGURE = re.compile(r"[a-z0-9_]{1,20}(\([a-z0-9_]{1,20}\))?")
_SHARES = ("goodput", "goodput_low", "goodput_high", "error_rate", "shared_reads")
_COUNTS = (
    "good", "cancelled", "dropped", "planned", "input_tokens", "output_tokens", "cached_tokens", "failed_output_tokens",
    "reasoned", "called_tools", "reasoning_tokens",
)  # fmt: skip
_AMOUNTS = ("window_s", "goodput_rps", "rps", "output_tps", "total_tps")


def caveats_of(place: Place) -> Iterator[Caveat]:
    """Whether each spoils what it stands at, and the rule that did not hold; the rest where it is told."""
    for each in place.each(MOST_CAVEATS):
        yield Caveat(
            plain(each.at("rule").text()),
            each.at("figure").text_or_none() or "",
            each.at("remedy").text_or_none() or "",
            is_fatal=each.at("is_fatal").truth(),
            kind=each.at("kind").text_or_none() or "",
        )


def metrics_of(place: Place) -> StepMetrics:
    """All but the histograms, of which the document has shortened ones at most."""
    if not isinstance(place.value, dict):
        place.wrong("is not an object")
    shares = {name: place.at(name).number_or_none(1.0) for name in _SHARES}
    amounts = {name: place.at(name).number_or_none() for name in _AMOUNTS}
    counts = {name: place.at(name).count_or_none() for name in _COUNTS}
    errors = place.at("errors")
    attempts, ok = place.at("attempts").count(), place.at("ok").count()
    if ok > attempts:
        place.at("ok").wrong("is more than attempts")
    return StepMetrics(
        window_s=amounts["window_s"],
        attempts=attempts,
        ok=ok,
        good=counts["good"],
        cancelled=counts["cancelled"],
        dropped=counts["dropped"],
        planned=counts["planned"],
        goodput=shares["goodput"],
        goodput_low=shares["goodput_low"],
        goodput_high=shares["goodput_high"],
        goodput_rps=amounts["goodput_rps"],
        error_rate=shares["error_rate"],
        rps=amounts["rps"],
        output_tps=amounts["output_tps"],
        total_tps=amounts["total_tps"],
        input_tokens=counts["input_tokens"],
        output_tokens=counts["output_tokens"],
        cached_tokens=counts["cached_tokens"],
        failed_output_tokens=counts["failed_output_tokens"],
        latency={name: _latency(each) for name, each in place.at("latency").members()},
        histograms={},
        errors={name: each.count() for name, each in errors.members()} if errors.is_there() else {},
        token_sources={name: each.count() for name, each in place.at("token_sources").members()},
        shared_reads=shares["shared_reads"],
        reasoned=counts["reasoned"],
        called_tools=counts["called_tools"],
        reasoning_tokens=counts["reasoning_tokens"],
    )


def parts_of(place: Place) -> Iterator[PartFigures]:
    """Of each class and turn; none where the traffic had no parts, or a file of an earlier version knows none."""
    for each in place.each_if_any(MOST_PARTS):
        axis: Literal["class", "turn"] = "turn" if each.at("axis").one_of("class", "turn") == "turn" else "class"
        name = plain(each.at("name").text())
        if axis == "turn" and not is_plausible_turn(name):
            each.at("name").wrong("is no turn of a conversation, counted from 1")
        yield PartFigures(axis, name, metrics_of(each.at("metrics")))


def _latency(place: Place) -> LatencySummary:
    return LatencySummary(
        count=place.at("count").count_or_none(),
        skipped=place.at("skipped").count_or_none(),
        mean_ms=place.at("mean_ms").number_or_none(),
        min_ms=place.at("min_ms").number_or_none(),
        max_ms=place.at("max_ms").number_or_none(),
        p50_ms=place.at("p50_ms").number(),
        p90_ms=place.at("p90_ms").number_or_none(),
        p95_ms=place.at("p95_ms").number(),
        p99_ms=place.at("p99_ms").number(),
    )


def repeats_of(place: Place) -> tuple[Estimates, ...]:
    """The estimates of each climb of the ladder; none where it was climbed once."""
    return () if place.value is None else tuple(estimates_of(each) for each in place.each(MOST_REPEATS))


def estimates_of(place: Place) -> Estimates:
    """Files of earlier versions have none."""
    if place.value is None:
        return {}
    return {name: _estimate(each) for name, each in place.members() if _FIGURE.fullmatch(name)}


def _estimate(place: Place) -> Estimate:
    """A value that is null is infinite: only failed attempts reach it."""
    value = place.at("value").number_or_none()
    log_error = place.at("log_error").number_or_none()
    if not isinstance(place.value, dict) or "value" not in place.value:
        place.wrong("is not an estimate")
    return Estimate(math.inf if value is None else value, log_error)
