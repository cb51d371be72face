"""Claims about a proportion: the one mathematics behind goodput, error rate and percentile gates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llmload.analysis.attempts import Attempts
from llmload.analysis.stats import Bools, clopper_pearson, cut_blocks, design_effect, percentiles
from llmload.planned import Step
from llmload.verdict import Status

LEAST_EFFECTIVE = 59
"""A pass on fewer effective requests would be too hopeful where the window is short against the correlation."""


@dataclass(frozen=True, slots=True)
class ShareDecision:
    """What a sample says of "at least `target` of all requests hold"; bounds are None below four blocks."""

    status: Status
    target: float
    holding: int
    n: int
    blocks: int
    block_size: int
    deff: float | None
    effective_n: float | None
    low: float | None
    high: float | None

    @property
    def share(self) -> float:
        """Observed share; 0 for an empty sample, which decides nothing."""
        return self.holding / self.n if self.n else 0.0


def decide_share(windows: Sequence[Bools], target: float, *, block: int, alpha: float) -> ShareDecision:
    """Pass if the lower bound reaches `target`, fail if the upper one does not, each at level `alpha`.

    `windows` tell, in start order, which requests hold; `block` is the least number of requests in a block.
    """
    n, holding = sum(map(len, windows)), int(sum(int(window.sum()) for window in windows))
    blocks = cut_blocks(windows, block)
    count = len(blocks.shares)
    deff = design_effect(blocks, holding / n) if n else None
    if deff is None:
        return ShareDecision(Status.INCONCLUSIVE, target, holding, n, count, blocks.size, None, None, None, None)
    effective = n / deff
    bounds = clopper_pearson(holding / deff, effective, alpha)
    status = Status.INCONCLUSIVE
    if bounds.low >= target and effective >= LEAST_EFFECTIVE:
        status = Status.PASS
    elif bounds.high < target:
        status = Status.FAIL
    return ShareDecision(status, target, holding, n, count, blocks.size, deff, effective, bounds.low, bounds.high)


def replay_looks(windows: Sequence[Bools], target: float, *, block: int, alpha: float) -> ShareDecision:
    """Decide after each window in turn, on all so far; the first decision stays. `alpha` is the level of one look."""
    decision = decide_share(windows[:1], target, block=block, alpha=alpha)
    for upto in range(2, len(windows) + 1):
        if decision.status is not Status.INCONCLUSIVE:
            break
        decision = decide_share(windows[:upto], target, block=block, alpha=alpha)
    return decision


def clustered_bounds(windows: Sequence[Bools], block: int, alpha: float) -> tuple[float | None, float | None]:
    """Bounds of the true share, each at level `alpha`, for showing rather than judging."""
    decision = decide_share(windows, 0.5, block=block, alpha=alpha)
    return decision.low, decision.high


def least_block(step: Step, attempts: Attempts) -> int:
    """Requests that shared the server at one time: concurrency, or in open loop arrivals per second x p99 of e2e.

    Turns of one conversation are alike, since each sends what the one before did: a block holds whole conversations,
    so that what they have in common is between blocks and not hidden within neighbours.
    """
    if step.axis == "concurrency":
        return max(1, math.ceil(step.value)) * attempts.turns
    rate_per_s = step.value if step.axis == "rate" else _arrivals_per_s(attempts)
    e2e_ms = attempts.latency_ms["e2e"][attempts.is_ok]
    e2e_ms = e2e_ms[~np.isnan(e2e_ms)]
    return max(1, math.ceil(rate_per_s * percentiles(e2e_ms, (99,))[0] / 1000)) if len(e2e_ms) else 1


def _arrivals_per_s(attempts: Attempts) -> float:
    """Mean rate of the due instants, which a trace does not tell beforehand; 0 where they span no time."""
    due = [attempts.due_ns[attempts.window == number] for number in range(attempts.windows)]
    spans = [(len(instants) - 1, int(instants[-1] - instants[0])) for instants in due if len(instants)]
    gaps, elapsed_ns = (sum(column) for column in zip(*spans, strict=True)) if spans else (0, 0)
    return gaps / elapsed_ns * 1e9 if elapsed_ns else 0.0
