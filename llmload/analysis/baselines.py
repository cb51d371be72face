"""Which earlier runs a run is compared with, and how well they go together."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from llmload.analysis.change_points import change_points
from llmload.baseline import Baseline, Difference, Estimate, Incomparable, NoBaseline, PastRun, Reference

Refer = Callable[[Mapping[str, str]], Reference]
"""Finds the baseline for a fingerprint among those that are known."""

_DIGITS = 6  # runs differ in the third
_DEEPEST = 3  # members within members that are told apart
_MOST_TOLD = 120  # characters of one side of a difference
_FAR = 8.0  # scaled median deviations: 3.5 is usual for one figure of many runs; of eight normal ones 5 % pass 5
_NOTABLE = math.log(1.2)  # what lies within 20 % of the others is not far out, however alike those are
_FEWEST = 6  # runs of which one may be said to lie out
_LOOKED_AT = (
    *("goodput", "rps", "output_tps"),
    *(f"{stat}({subject})" for subject in ("ttft", "tpot", "e2e") for stat in ("mean", "p50", "p95")),
)


def no_baseline(_: Mapping[str, str]) -> Reference:
    """For runs of which nobody looked for a baseline."""
    return NoBaseline("there is no baseline to compare with", "Record one with `llmload baseline update`")


def fingerprint_id(fingerprint: Mapping[str, str]) -> str:
    """The first 12 hex digits of the SHA-256 of the fingerprint's canonical JSON: the name of its baseline's file."""
    canonical = json.dumps(dict(fingerprint), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


# ---------------------------------------------------------------- which


def choose(candidates: Sequence[Baseline], fingerprint: Mapping[str, str], absent: NoBaseline) -> Reference:
    """The newest candidate with the same fingerprint; where there are only others, in what the nearest differs.

    A candidate without runs is none. `absent` says what was searched, for when there is no candidate at all.
    """
    full = sorted((each for each in candidates if each.runs), key=lambda each: each.runs[-1].created, reverse=True)
    if not full:
        return absent
    same = next((each for each in full if dict(each.fingerprint) == dict(fingerprint)), None)
    if same is not None:
        return same
    nearest = min(full, key=lambda each: len(differing_keys(each.fingerprint, fingerprint)))  # the first is the newest
    return Incomparable(nearest.source, differences(nearest.fingerprint, fingerprint))


def differing_keys(theirs: Mapping[str, str], ours: Mapping[str, str]) -> tuple[str, ...]:
    """The keys that one side tells otherwise than the other, or not at all."""
    return tuple(key for key in sorted({*theirs, *ours}) if theirs.get(key) != ours.get(key))


def differences(theirs: Mapping[str, str], ours: Mapping[str, str]) -> tuple[Difference, ...]:
    """What differs, key by key. Of a value that is a JSON object, only the members that differ, as `load.rate`."""
    found: list[Difference] = []
    for key in differing_keys(theirs, ours):
        found += _within(key, theirs.get(key, ""), ours.get(key, ""))
    return tuple(found)


def _within(key: str, theirs: str, ours: str) -> Iterator[Difference]:
    left, right = (_object(theirs), _object(ours)) if key.count(".") < _DEEPEST else (None, None)
    if left is None or right is None or left == right:  # equal ones are only spelled otherwise
        yield Difference(key, _short(theirs), _short(ours))
        return
    for name in sorted({*left, *right}):
        if left.get(name) != right.get(name):
            yield from _within(f"{key}.{name}", _word(left.get(name)), _word(right.get(name)))


def _object(told: str) -> dict[str, object] | None:
    """The object that a text spells; None for any other text, and for one that only a hostile file would hold."""
    try:
        value = json.loads(told) if told.startswith("{") else None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _word(value: object) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case _:
            return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _short(told: str) -> str:
    return told if len(told) <= _MOST_TOLD else f"{told[:_MOST_TOLD]}…"


def rounded(run: PastRun) -> PastRun:
    """Its figures to six digits, as files keep them: the same runs give the same verdict wherever they were found."""
    steps = {
        label: {
            name: Estimate(_digits(each.value), None if each.log_error is None else _digits(each.log_error))
            for name, each in estimates.items()
        }
        for label, estimates in run.steps.items()
    }
    return replace(run, steps=steps)


def _digits(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


# ---------------------------------------------------------------- how well they go together


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure over the runs of a baseline: `cv` is the coefficient of variation, None of a single run.

    Infinite where a run's figure is, which only its failed attempts reached.
    """

    runs: int
    mean: float
    cv: float | None


def spread_of(runs: Sequence[PastRun], step: str, figure: str) -> Spread | None:
    """How a figure of a step spreads from run to run (standard deviation with n - 1); None where no run has it."""
    values = [run.steps[step][figure].value for run in runs if figure in run.steps.get(step, {})]
    if not values:
        return None
    if not all(math.isfinite(value) for value in values):
        return Spread(len(values), math.inf, None)
    mean = float(np.mean(values))
    cv = float(np.std(values, ddof=1)) / mean if len(values) > 1 and mean > 0 else None
    return Spread(len(values), mean, cv)


@dataclass(frozen=True, slots=True)
class Outlier:
    """A run whose figure lies far from the others of its baseline; `ratio` is to their median."""

    run_id: str
    step: str
    figure: str
    ratio: float


def outliers(runs: Sequence[PastRun]) -> tuple[Outlier, ...]:
    """The runs that lie far out, each with its worst figure, by the modified z-score of ln(value).

    Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993): |x - median| / (1.4826 MAD). Medians are not drawn
    along by the runs that they are to find. Only the chief figures are looked at: of all forty, one of a healthy run
    nearly always lies out, and far tails do so by their nature.
    """
    worst: dict[str, tuple[float, Outlier]] = {}
    for step, figure in sorted({(s, f) for run in runs for s, figures in run.steps.items() for f in figures}):
        if figure in _LOOKED_AT:
            for score, found in _far_out(runs, step, figure):
                if score > worst.get(found.run_id, (0.0, found))[0]:
                    worst[found.run_id] = score, found
    return tuple(worst[run.run_id][1] for run in runs if run.run_id in worst)


def shift_of(runs: Sequence[PastRun]) -> Outlier | None:
    """The run from which on the surest of the chief figures has another level; None where none changed (oldest first).

    `ratio` is the later level to the earlier one.
    """
    found: list[tuple[float, Outlier]] = []
    for step in sorted({label for run in runs for label in run.steps}):
        for figure in _LOOKED_AT:
            told = [run.steps[step][figure].value for run in runs if figure in run.steps.get(step, {})]
            if len(told) < len(runs) or not all(0 < value < math.inf for value in told):
                continue
            for each in change_points([math.log(value) for value in told]):
                ratio = math.exp(each.after - each.before)
                found.append((each.p, Outlier(runs[each.index].run_id, step, figure, ratio)))
    return min(found, key=lambda each: each[0])[1] if found else None


def _far_out(runs: Sequence[PastRun], step: str, figure: str) -> Iterator[tuple[float, Outlier]]:
    told = {run.run_id: run.steps[step][figure].value for run in runs if figure in run.steps.get(step, {})}
    logs = {run_id: math.log(value) for run_id, value in told.items() if 0 < value < math.inf}
    if len(told) < _FEWEST or not logs:
        return
    middle = float(np.median(list(logs.values())))
    deviation = 1.4826 * float(np.median([abs(each - middle) for each in logs.values()]))
    for run_id, value in told.items():
        away = abs(logs[run_id] - middle) if run_id in logs else math.inf if value == math.inf else 0.0
        if away > max(_FAR * deviation, _NOTABLE):
            yield away / max(deviation, 1e-9), Outlier(run_id, step, figure, value / math.exp(middle))
