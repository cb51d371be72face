"""How the figures of one scenario went over its stored runs, and where they shifted. Nothing here blocks anything."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmload.analysis.baselines import differences
from llmload.analysis.change_points import ChangePoint, change_points
from llmload.baseline import Difference, PastRun
from llmload.promises import LATENCIES, RATES, SHARES, STATS

FIGURES = ("p50(ttft)", "p50(tpot)", "goodput", "output_tps")
"""What a trend tells of where nobody asks for another figure."""

KNOWN = (*(f"{stat}({latency})" for latency in LATENCIES for stat in STATS), *SHARES, *RATES)
"""Every figure that a run is remembered by, in the words of a gate."""

NEAR = 2
"""Runs by which a shift may be found too early or too late, and still be the one that was accepted."""


@dataclass(frozen=True, slots=True)
class TrendRun:
    """One run of the history, and what it was measured under."""

    past: PastRun
    fingerprint: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A shift that people said was intended: runs from `since` (UTC, ISO 8601) on are of the new level."""

    since: str
    reason: str


@dataclass(frozen=True, slots=True)
class Shift:
    """A change of level. `run` is the first on the new one; `before` and `after` are the levels in the figure's unit:
    geometric means, or for shares plain ones. `differing` has what that run was measured under that the one before it
    was not; `accepted` the reason, None where nobody accepted it.
    """

    run: PastRun
    before: float
    after: float
    p: float
    differing: tuple[Difference, ...]
    accepted: str | None

    def change(self, figure: str) -> float:
        """As a ratio less one (0.1 = 10 % more), or for shares in points (0.1 = 10 points more)."""
        return self.after - self.before if figure in SHARES else self.after / self.before - 1


@dataclass(frozen=True, slots=True)
class Trend:
    """One figure at one step, oldest run first. `left_out` runs have no finite figure there."""

    step: str
    figure: str
    runs: tuple[PastRun, ...]
    values: tuple[float, ...]
    shifts: tuple[Shift, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Runs that a trend cannot have: of another `differing` ("workload", "load"), or where it is empty, unmeasured."""

    runs: int
    differing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScenarioTrends:
    """The runs of one scenario under one workload and load, and what was left out of them."""

    scenario: str
    runs: int
    trends: tuple[Trend, ...]
    others: tuple[LeftOut, ...] = ()


def series_of(runs: Sequence[TrendRun]) -> tuple[tuple[TrendRun, ...], ...]:
    """Runs of one workload and one load together, in their order; the series with the newest run first."""
    found: dict[tuple[str, str], list[TrendRun]] = {}
    for run in runs:
        key = (run.fingerprint.get("workload", ""), run.fingerprint.get("load", ""))
        found.setdefault(key, []).append(run)
    newest_first = sorted(found.values(), key=lambda each: each[-1].past.created, reverse=True)
    return tuple(tuple(each) for each in newest_first)


def trend_of(runs: Sequence[TrendRun], step: str, figure: str, accepted: Sequence[Accepted] = ()) -> Trend:
    """One figure over the runs of one series, oldest first."""
    with_values = [(run, value) for run in runs if (value := _value(run, step, figure)) is not None]
    kept, values = [run for run, _ in with_values], [value for _, value in with_values]
    is_share = figure in SHARES
    points = change_points(values if is_share else [math.log(value) for value in values])
    shifts = tuple(_shift(point, kept, accepted, is_share=is_share) for point in points)
    past = tuple(run.past for run in kept)
    return Trend(step, figure, past, tuple(values), shifts, len(runs) - len(kept))


def _value(run: TrendRun, step: str, figure: str) -> float | None:
    """None where the run does not have it, only failed attempts reach it, or nothing at all was done."""
    estimate = run.past.steps.get(step, {}).get(figure)
    if estimate is None or not math.isfinite(estimate.value):
        return None
    return estimate.value if figure in SHARES or estimate.value > 0 else None


def _shift(point: ChangePoint, runs: Sequence[TrendRun], accepted: Sequence[Accepted], *, is_share: bool) -> Shift:
    last, first = runs[point.index - 1], runs[point.index]
    before, after = (point.before, point.after) if is_share else (math.exp(point.before), math.exp(point.after))
    return Shift(
        run=first.past,
        before=before,
        after=after,
        p=point.p,
        differing=differences(last.fingerprint, first.fingerprint),
        accepted=_reason(point.index, runs, accepted),
    )


def _reason(index: int, runs: Sequence[TrendRun], accepted: Sequence[Accepted]) -> str | None:
    """Of the last acceptance that speaks of this place in the history."""
    earliest = runs[max(index - NEAR, 0)].past.created
    latest = runs[min(index + NEAR, len(runs) - 1)].past.created
    return next((each.reason for each in reversed(accepted) if earliest <= each.since <= latest), None)
