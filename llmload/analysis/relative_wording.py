"""What people read of a relative gate: the difference with its bounds, and what to do about it."""

from __future__ import annotations

import math
import statistics

from llmload.analysis.compared import Compared, Question
from llmload.analysis.power import least_gating, needed, reachable_margin
from llmload.analysis.ratios import LogDifference, far_out, geometric_mean, growth, log_margin, worse_share
from llmload.analysis.wording import counted, figure, level
from llmload.baseline import Design
from llmload.units import format_number, format_share
from llmload.verdict import Status

MOST_ADVISED = 100
"""Where more pairs or runs would be needed, their number is no advice."""

UPDATE = "`llmload baseline update`"
ACCEPT = "`llmload baseline accept`"


def because_of(question: Question, compared: Compared, found: LogDifference | None) -> str:
    """One sentence: both figures, the difference, its bounds (`found` None: unknown) and what is allowed."""
    parts = [_figures(question, compared), _bounds(question, found), _left_out(question, compared)]
    if not compared.may_gate:
        parts.append(_advisory(compared))
    return "; ".join(part for part in parts if part)


def nothing_to_compare(question: Question, compared: Compared) -> tuple[str, str]:
    """Why no run of the baseline gives a ratio, and what to do."""
    told = [theirs for _, theirs in compared.rows if theirs.estimate is not None]
    broken = [theirs for theirs in told if theirs.is_broken(question.gate.subject)]
    lead, record = "nothing to compare with", f"Record runs that have it with {UPDATE}"
    if not compared.rows:
        return f"{lead}: the baseline has no runs", record
    if not told:
        runs = counted(len(compared.rows), "baseline run")
        return f"{lead}: none of the {runs} has {question.figure} at {question.label}", record
    remedy = f"Write an absolute gate for {question.figure}, or record sound runs with {UPDATE}"
    if broken:
        was = figure(question.gate, broken[0].estimate.value) if broken[0].estimate else ""
        return f"{lead}: {question.figure} was {was} in {counted(len(broken), 'baseline run')}", remedy
    if any(theirs.estimate is not None and theirs.estimate.value <= 0 for theirs in told):
        return f"{lead}: {question.figure} was 0 before, to which nothing has a ratio", remedy
    return f"{lead}: no pair has {question.figure} on both sides", "Raise decision.repeats"


# ---------------------------------------------------------------- the reason


def _figures(question: Question, compared: Compared) -> str:
    gate = question.gate
    ours, theirs = geometric_mean(compared.ours), geometric_mean(compared.theirs)
    broken = [value for value in compared.ours if math.isinf(value)] or [v for v in compared.ours if v <= 0]
    count = len(compared.kept)
    was = figure(gate, broken[0] if broken else ours)
    if compared.design is Design.PAIRED and count > 1:
        was += f" in {len(broken)} of {count} runs" if broken else f" in the middle of {count} runs"
        against = f"{figure(gate, theirs)} in those measured in turn with them"
    elif compared.design is Design.PAIRED:
        against = f"{figure(gate, theirs)} in the run measured in turn with it"
    elif count == 1:
        against = f"the one baseline run had {figure(gate, theirs)}"
    else:
        against = f"the {count} baseline runs had {figure(gate, theirs)} in the middle"
    sentence = f"{question.figure} was {was}, {against}"
    if broken:
        return sentence
    return f"{sentence}: {_difference(question, worse_share(gate.subject, statistics.fmean(compared.differences)))}"


def _bounds(question: Question, found: LogDifference | None) -> str:
    allowed = f"at most {format_share(question.change.max_worse)} allowed"
    if question.change.floor:
        allowed += f", and less than {question.gate.format_value(question.change.floor)} never counts"
    if found is None or not (math.isfinite(found.low) and math.isfinite(found.high)):
        return allowed
    low, high = (worse_share(question.gate.subject, bound) for bound in (found.low, found.high))
    if not math.isfinite(high):
        return allowed
    return f"at {level(1 - question.alpha)} confidence {_range(question, low, high)}, {allowed}"


def _range(question: Question, low: float, high: float) -> str:
    if low < 0 <= high:
        return f"between {_percent(question, -low)} better and {_percent(question, high)} worse"
    near, far, word = (low, high, "worse") if low >= 0 else (-high, -low, "better")
    return f"between {_percent(question, near)} and {_percent(question, far)} {word}"


def _difference(question: Question, share: float) -> str:
    if abs(share) < 0.0005:
        return "no different"
    return f"{_percent(question, abs(share))} {'worse' if share > 0 else 'better'}"


def _percent(question: Question, share: float) -> str:
    """One decimal, and more where fewer would read as the margin without being it."""
    limit, percent = round(question.change.max_worse * 100, 9), share * 100
    for digits in range(1, 6):
        shown = round(percent, digits)
        if shown != limit:
            break
    return format_number(shown) + "%"


def _left_out(question: Question, compared: Compared) -> str:
    out = len(compared.rows) - len(compared.kept)
    if not out or not compared.kept:
        return ""
    broken = sum(theirs.is_broken(question.gate.subject) for _, theirs in compared.rows)
    runs = counted(len(compared.rows), "pair" if compared.design is Design.PAIRED else "baseline run")
    why, how = "without this figure", "in which it was as bad as can be"
    if 0 < broken < out:
        return f"{out} of {runs} left out, {out - broken} {why} and {broken} {how}"
    return f"{out} of {runs} left out, {how if broken else why}"


def _advisory(compared: Compared) -> str:
    alone = ", and one does not tell how far runs lie apart" if len(compared.kept) == 1 else ""
    what = "pairs" if compared.design is Design.PAIRED else "runs"
    return f"advisory: {len(compared.kept)} of {least_gating(compared.design)} {what}{alone}"


# ---------------------------------------------------------------- the remedy


def advice(question: Question, compared: Compared, found: LogDifference | None, status: Status) -> tuple[str, str]:
    """Remedy and kind of a verdict; a run that stands out is named first, whatever was decided."""
    remedy, kind = _remedy(question, compared, found, status)
    noticed = _stands_out(question, compared)
    return ". ".join(part for part in (noticed, remedy) if part), kind


def _remedy(question: Question, compared: Compared, found: LogDifference | None, status: Status) -> tuple[str, str]:
    if not compared.may_gate:
        return _more_runs(compared), "Advisory"
    match status:
        case Status.PASS:
            return "", ""
        case Status.FAIL:
            if compared.design is Design.PAIRED:
                return "Find what makes it worse than the side it was measured in turn with", "Regression"
            return f"Find what made it worse; where that is meant, say so with {ACCEPT}", "Regression"
        case _:
            return _undecided(question, compared, found)


def _more_runs(compared: Compared) -> str:
    least = least_gating(compared.design)
    if compared.design is Design.PAIRED:
        return f"Measure {least} pairs or more (--pairs): fewer do not tell well enough how far runs lie apart"
    missing = counted(least - len(compared.kept), "more run")
    return f"Record {missing} with {UPDATE}: from {least} on they may fail a build"


def _undecided(question: Question, compared: Compared, found: LogDifference | None) -> tuple[str, str]:
    if found is None or not (math.isfinite(found.low) and math.isfinite(found.high)):
        remedy = "So many requests failed that there is no figure: see why, and gate error_rate or goodput instead"
        return remedy, "TooNoisy"
    more = _needed(question, compared.design, _cv(compared.design, found), found.middle)
    if compared.design is Design.PAIRED and more is not None and more > len(compared.kept):
        return f"About {more} pairs decide it, if it is as it seems: raise decision.repeats", "TooFewRuns"
    if more is not None and more > len(compared.kept):
        return f"About {more} baseline runs decide it, if it is as it seems: record more with {UPDATE}", "TooFewRuns"
    return _too_noisy(question, compared, found), "TooNoisy"


def _needed(question: Question, design: Design, cv: float, middle: float) -> int | None:
    """How many decide it in nine of ten cases where spread and difference are as observed; None where too many."""
    margin = growth(log_margin(question.gate.subject, question.change.max_worse))
    count = needed(design, cv, margin, growth(middle), alpha=question.alpha)
    return count if count is not None and count <= MOST_ADVISED else None


def _cv(design: Design, found: LogDifference) -> float:
    """Of single runs: a pair differs by the noise of two."""
    return found.spread / math.sqrt(2) if design is Design.PAIRED else found.spread


def _too_noisy(question: Question, compared: Compared, found: LogDifference) -> str:
    """Where no number of runs of this kind is advice: pairs, a wider margin, or nothing at all."""
    if compared.design is Design.HISTORY:
        pairs = _needed(question, Design.PAIRED, found.spread, found.middle)
        if pairs is not None:
            return f"One run against earlier ones is too noisy: `llmload ab` with about {pairs} pairs decides it"
    count = len(compared.kept)
    reached = reachable_margin(_cv(compared.design, found), count, compared.design, alpha=question.alpha)
    share = worse_share(question.gate.subject, math.log1p(reached)) if reached is not None else math.inf
    if share <= question.change.max_worse or not math.isfinite(share):
        return "The difference is almost exactly what is allowed, and no sensible number of runs decides that"
    what = "pairs" if compared.design is Design.PAIRED else "baseline runs"
    least = f"{format_number(math.ceil(share * 1000) / 10)}%"
    return f"Runs vary too much: with {count} {what} like these, {least} is the least margin that holds 9 times in 10"


def _stands_out(question: Question, compared: Compared) -> str:
    """Never dropped in silence: who looks at the run decides."""
    is_paired = compared.design is Design.PAIRED
    place = far_out(compared.differences if is_paired else [math.log(value) for value in compared.theirs])
    if place is None:
        return ""
    _, theirs, name = compared.kept[place]
    if is_paired:
        return f"{name.capitalize()} stands out from all others: see what disturbed it"
    others = geometric_mean([value for i, value in enumerate(compared.theirs) if i != place])
    had, rest = figure(question.gate, theirs.value), figure(question.gate, others)
    return f"Baseline {name} stands out with {had}, where the others had {rest} in the middle: see what disturbed it"
