"""What one run says of each figure that runs may be compared by: over attempts, as gates judge, and how surely."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from llmload.analysis.attempts import Attempts, Ints
from llmload.analysis.bootstrap import OUTSIDE, blocks_of, percentile_errors, ratio_error
from llmload.analysis.claims import PERCENTILES, judged_ms
from llmload.analysis.folded import Folded, fold
from llmload.analysis.metrics import measure_folded
from llmload.analysis.shares import least_block
from llmload.analysis.slices import rate_amounts, rate_slices
from llmload.analysis.stats import Bools, Floats, percentiles
from llmload.baseline import Estimate, Estimates
from llmload.domain import StepMetrics
from llmload.promises import LATENCIES, RATES, Promised

_NEEDS_TOKENS = ("tpot", "output_tps", "total_tps")
_LASTS_AS_LONG = ("ttft", "ttfo", "e2e")
"""Latencies that a failed attempt had lasted for, when it ended."""


def estimates_of(folded: Folded, metrics: StepMetrics, slo: Promised) -> Estimates:
    """Every figure that these windows of one step have, by the words of a gate; `metrics` are theirs.

    Tokens that were only estimated from characters give no figure, as they decide no gate. Where attempts were made and
    none succeeded, no latency was ever reached and every rate is zero.
    """
    if not len(folded.attempts):
        return {}
    blocks = _blocks(folded)
    found = [*_rates(folded, metrics), *_shares(folded.attempts, blocks, slo), *_latencies(folded.attempts, blocks)]
    return dict(sorted(found))


def estimates_by_repeat(folded: Folded, slo: Promised) -> tuple[Estimates, ...]:
    """The same of each climb of the ladder by itself, in order; none where there was only one."""
    climbs = sorted({observation.look.repeat for observation in folded.observations})
    if climbs in ([], [0]):
        return ()
    parts = [fold([o for o in folded.observations if o.look.repeat == climb]) for climb in climbs]
    return tuple(estimates_of(part, measure_folded(part, slo), slo) for part in parts)


def _blocks(folded: Folded) -> Ints:
    """Block of each attempt: as many as shared the server at one time, in due order, none across two windows."""
    attempts = folded.attempts
    lengths = np.bincount(attempts.window, minlength=attempts.windows)
    return blocks_of([int(length) for length in lengths], least_block(folded.observations[0].look.step, attempts))


# ---------------------------------------------------------------- shares and rates


def _shares(attempts: Attempts, blocks: Ints, slo: Promised) -> Iterator[tuple[str, Estimate]]:
    """Of all attempts."""
    for name, holds in (("goodput", attempts.good(slo)), ("error_rate", ~attempts.is_ok)):
        yield name, Estimate(float(holds.sum()) / len(holds), ratio_error(*_by_block(holds, blocks)))


def _rates(folded: Folded, metrics: StepMetrics) -> Iterator[tuple[str, Estimate]]:
    """Per second of the windows, whose time slices tell how sure they are."""
    values = {"rps": metrics.rps, "output_tps": metrics.output_tps, "total_tps": metrics.total_tps}
    for name in RATES:
        value = values[name]
        if not metrics.ok:
            yield name, Estimate(0.0)
        elif value is not None and not (name in _NEEDS_TOKENS and _is_estimated(folded.attempts)):
            amounts = rate_amounts(name, folded.traffic)
            yield name, Estimate(value, ratio_error(*rate_slices(amounts, folded.observations)))


def _is_estimated(attempts: Attempts) -> bool:
    return bool((attempts.is_estimated & attempts.is_ok).any())


def _by_block(values: Floats | Bools, blocks: Ints) -> tuple[Floats, Floats]:
    """Sum and number of values of each block; those in none are left out."""
    kept, count = blocks != OUTSIDE, int(blocks.max(initial=OUTSIDE)) + 1
    mine = blocks[kept]
    sums = np.bincount(mine, weights=values[kept].astype(np.float64), minlength=count)
    return sums.astype(np.float64), np.bincount(mine, minlength=count).astype(np.float64)


# ---------------------------------------------------------------- latencies


def _latencies(attempts: Attempts, blocks: Ints) -> Iterator[tuple[str, Estimate]]:
    is_dead = not attempts.is_ok.any()
    for subject in LATENCIES:
        is_guessed = subject in _NEEDS_TOKENS and _is_estimated(attempts)
        if is_dead or (attempts.term_has_data(subject) and not is_guessed):
            yield from _of_latency(subject, attempts, blocks)


def _of_latency(subject: str, attempts: Attempts, blocks: Ints) -> Iterator[tuple[str, Estimate]]:
    """A failed attempt is beyond every limit; so the largest latency of a run in which one failed is infinite too."""
    values = judged_ms(subject, attempts)
    applies = ~np.isnan(values)
    values, mine = values[applies], blocks[applies]
    points = [point * 100 for point in PERCENTILES.values()]
    figures, errors = percentiles(values, points), percentile_errors(values, mine, points)
    for stat, value, error in zip(PERCENTILES, figures, errors, strict=True):
        yield f"{stat}({subject})", Estimate(value, error if np.isfinite(value) else None)
    lasted = _as_long_as_it_took(subject, values, attempts, applies)
    is_finite = bool(np.isfinite(lasted).all())
    error = ratio_error(*_by_block(lasted, mine)) if is_finite else None
    yield f"mean({subject})", Estimate(float(lasted.mean()), error)
    yield f"max({subject})", Estimate(float(values.max()))


def _as_long_as_it_took(subject: str, values: Floats, attempts: Attempts, applies: Bools) -> Floats:
    """For a mean, a failed attempt counts what it lasted, and never less than the slowest one that completed.

    A quick refusal is no quick answer, and one that was given up after a minute took that minute at least. Where
    nothing completed there is no such figure.
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return values
    slowest = float(finite.max())
    if subject not in _LASTS_AS_LONG:
        return np.where(np.isfinite(values), values, slowest)
    begun = attempts.due_ns if attempts.judged(subject) != subject else attempts.sent_ns
    elapsed_ms = np.where(begun >= 0, (attempts.done_ns - begun) / 1e6, 0.0)[applies]
    return np.where(np.isfinite(values), values, np.maximum(elapsed_ms, slowest))
