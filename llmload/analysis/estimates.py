"""What one run says of each figure that runs may be compared by: over attempts, as gates judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from llmload.analysis.attempts import Attempts, attempts_of
from llmload.analysis.claims import PERCENTILES, judged_ms
from llmload.analysis.metrics import measure_attempts
from llmload.analysis.stats import Floats, percentiles
from llmload.baseline import Estimate, Estimates
from llmload.domain import Observation
from llmload.promises import LATENCIES, Slo

_NEEDS_TOKENS = ("tpot", "output_tps", "total_tps")


def estimates_of(observations: Sequence[Observation], slo: Slo | None) -> Estimates:
    """Every figure that these windows of one step have, by the words of a gate.

    Tokens that were only estimated from characters give no figure, as they decide no gate.
    """
    attempts = attempts_of(observations)
    if not len(attempts):
        return {}
    return dict(sorted(_estimates(attempts, observations, slo)))


def estimates_by_repeat(observations: Sequence[Observation], slo: Slo | None) -> tuple[Estimates, ...]:
    """The same of each climb of the ladder by itself, in order; none where there was only one."""
    climbs = sorted({observation.look.repeat for observation in observations})
    if climbs in ([], [0]):
        return ()
    return tuple(estimates_of([o for o in observations if o.look.repeat == climb], slo) for climb in climbs)


def _estimates(
    attempts: Attempts, observations: Sequence[Observation], slo: Slo | None
) -> Iterator[tuple[str, Estimate]]:
    metrics = measure_attempts(attempts, observations, slo)
    is_estimated = bool((attempts.is_estimated & attempts.is_ok).any())
    for name in ("goodput", "error_rate", "rps", "output_tps", "total_tps"):
        value = getattr(metrics, name)
        if value is not None and not (is_estimated and name in _NEEDS_TOKENS):
            yield name, Estimate(value)
    for subject in LATENCIES:
        if attempts.term_has_data(subject) and not (is_estimated and subject in _NEEDS_TOKENS):
            yield from _of_latency(subject, attempts)


def _of_latency(subject: str, attempts: Attempts) -> Iterator[tuple[str, Estimate]]:
    values = judged_ms(subject, attempts)
    values = values[~np.isnan(values)]
    for stat, point in PERCENTILES.items():
        yield f"{stat}({subject})", Estimate(percentiles(values, (point * 100,))[0])
    as_long_as_it_took = _finite(values, attempts)
    yield f"mean({subject})", Estimate(float(as_long_as_it_took.mean()))
    yield f"max({subject})", Estimate(float(values.max()))


def _finite(values: Floats, attempts: Attempts) -> Floats:
    """For a mean, a failed attempt counts as the slowest one that completed: a quick refusal is not a quick answer."""
    finite = values[np.isfinite(values)]
    return np.where(np.isfinite(values), values, finite.max())
