"""What a relative gate was held against, and how far off that it is, in words."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import assert_never

from llmload.baseline import Baseline, Design, Difference, Incomparable, NoBaseline, PastRun, Reference
from llmload.domain import RunResult
from llmload.reporters.figures import MISSING, percent
from llmload.reporters.reasons import in_language
from llmload.reporters.texts import Texts

_SHORT_COMMIT = 12


def change(ratio: float | None, limit: float, texts: Texts) -> str:
    """A relative change, positive = worse: "6.1% worse", "2% better"; with more digits where it is nearly `limit`."""
    if ratio is None or not isfinite(ratio):
        return MISSING
    if ratio == 0:
        return texts["change.none"]
    return texts[f"change.{_side(ratio)}"].format(change=percent(abs(ratio), limit))


def _side(ratio: float) -> str:
    return "worse" if ratio > 0 else "better"


def interval(low: float | None, high: float | None, limit: float, texts: Texts) -> str:
    """From the best to the worst that it may be: "1.2% to 8.4% worse", "0.5% better to 3% worse"."""
    ends = change(low, limit, texts), change(high, limit, texts)
    if low is None or high is None or MISSING in ends:
        return MISSING
    if low == high:
        return ends[0]
    if low * high > 0:
        shares = between(percent(abs(low), limit), percent(abs(high), limit), texts)
        return texts[f"change.{_side(high)}"].format(change=shares)
    return between(*ends, texts)


def between(low: str, high: str, texts: Texts) -> str:
    """Two ends of an interval: "88% to 94%"."""
    return texts["interval.between"].format(low=low, high=high)


def sample(n: int, reference: Reference | None, texts: Texts) -> str:
    """What a change rests on: "12 runs" of the baseline, or "5 pairs"."""
    is_paired = isinstance(reference, Baseline) and reference.design is Design.PAIRED
    return texts.counted("counted.pair" if is_paired else "counted.run", n)


def compared_with(run: RunResult, texts: Texts) -> str:
    """What the relative gates of the run were held against, or why against nothing; "" where there are none."""
    match run.reference:
        case None:
            return ""
        case Baseline(source=source, design=Design.PAIRED, runs=runs):
            pairs = sample(len(runs), run.reference, texts)
            return texts["reference.paired"].format(source=in_language(source, texts), pairs=pairs)
        case Baseline(source=source, runs=runs):
            count = texts.counted("counted.earlier_run", len(runs))
            return texts["reference.history"].format(runs=count, source=in_language(source, texts)) + _newest(
                runs, texts
            )
        case Incomparable(source, differing):
            told = "; ".join(_difference(each, texts) for each in differing)
            return texts["reference.unlike"].format(source=in_language(source, texts)) + (told and f": {told}")
        case NoBaseline(because, remedy):
            return texts["reference.none"].format(
                because=in_language(because, texts), remedy=in_language(remedy, texts)
            )
        case _:
            assert_never(run.reference)


def _newest(runs: Sequence[PastRun], texts: Texts) -> str:
    if not runs:
        return ""
    newest = runs[-1]
    key = "reference.newest_commit" if newest.commit else "reference.newest"
    return texts[key].format(date=newest.created[:10], commit=newest.commit[:_SHORT_COMMIT])


def _difference(each: Difference, texts: Texts) -> str:
    unknown = texts["reference.unknown"]
    return texts["reference.difference"].format(key=each.key, theirs=each.theirs or unknown, ours=each.ours or unknown)


def climbs(run: RunResult, texts: Texts) -> str:
    """How often the ladder was climbed; "" for once."""
    most = max((look.repeat for step in run.steps for look in step.looks), default=0) + 1
    return texts["reference.climbs"].format(count=most) if most > 1 else ""
