"""What a relative gate was held against, and how far off that it is, in words."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import assert_never

from llmload.baseline import Baseline, Design, Difference, Incomparable, NoBaseline, PastRun, Reference
from llmload.domain import RunResult
from llmload.reporters.figures import MISSING, percent

_SHORT_COMMIT = 12


def change(ratio: float | None, limit: float) -> str:
    """A relative change, positive = worse: "6.1% worse", "2% better"; with more digits where it is nearly `limit`."""
    if ratio is None or not isfinite(ratio):
        return MISSING
    if ratio == 0:
        return "no change"
    return f"{percent(abs(ratio), limit)} {'worse' if ratio > 0 else 'better'}"


def interval(low: float | None, high: float | None, limit: float) -> str:
    """From the best to the worst that it may be: "1.2% to 8.4% worse", "0.5% better to 3% worse"."""
    ends = change(low, limit), change(high, limit)
    if MISSING in ends:
        return MISSING
    if low == high:
        return ends[0]
    _, _, side = ends[1].rpartition(" ")
    return f"{ends[0].removesuffix(f' {side}')} to {ends[1]}"


def sample(n: int, reference: Reference | None) -> str:
    """What a change rests on: "12 runs" of the baseline, or "5 pairs"."""
    is_paired = isinstance(reference, Baseline) and reference.design is Design.PAIRED
    unit = "pair" if is_paired else "run"
    return f"{n:,} {unit}{'' if n == 1 else 's'}"


def compared_with(run: RunResult) -> str:
    """What the relative gates of the run were held against, or why against nothing; "" where there are none."""
    match run.reference:
        case None:
            return ""
        case Baseline(source=source, design=Design.PAIRED, runs=runs):
            return f"Measured in turns with {source}: {sample(len(runs), run.reference)}"
        case Baseline(source=source, runs=runs):
            count = f"{len(runs):,} earlier run{'' if len(runs) == 1 else 's'}"
            return f"Compared with {count} ({source}){_newest(runs)}"
        case Incomparable(source, differing):
            told = "; ".join(_difference(each) for each in differing)
            return f"Compared with nothing: {source} was measured under other conditions" + (told and f": {told}")
        case NoBaseline(because, remedy):
            return f"Compared with nothing: {because}. To do: {remedy}"
        case _:
            assert_never(run.reference)


def _newest(runs: Sequence[PastRun]) -> str:
    if not runs:
        return ""
    newest = runs[-1]
    return f", the newest of {newest.created[:10]}" + (
        f" at commit {newest.commit[:_SHORT_COMMIT]}" if newest.commit else ""
    )


def _difference(each: Difference) -> str:
    return f"{each.key} was {each.theirs or 'unknown'} and is {each.ours or 'unknown'}"


def climbs(run: RunResult) -> str:
    """How often the ladder was climbed; "" for once."""
    most = max((look.repeat for step in run.steps for look in step.looks), default=0) + 1
    return f"The ladder was climbed {most} times; the figures are of all climbs together" if most > 1 else ""
