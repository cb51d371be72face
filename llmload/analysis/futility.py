"""Whether a window that still runs has lost a goodput gate already, so that its other requests need not be sent.

This decides nothing: it only ends a window early, and the verdict engine judges what is there. Hence every doubt is
for the window going on. Whether that keeps false fails where they were is simulated (tests/analysis/test_futility.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from llmload.analysis.looks import gates_of
from llmload.analysis.search import capacity_gate
from llmload.analysis.stats import LEAST_BLOCKS, MOST_BLOCKS, Blocks, clopper_pearson, design_effect
from llmload.planned import Look
from llmload.progress import Tally
from llmload.promises import Bound, Level
from llmload.scenario.asked import Scenario

LEVEL = 0.001
"""Level of the upper bound. It is looked at again and again, hence far below any level that a verdict uses."""

CAUTION = 3.0
"""The design effect is known from a part of the window only: so many times what it seems to be."""

LEAST_FINISHED = 100


def futile_below(scenario: Scenario, look: Look) -> float | None:
    """The goodput that this window must be able to reach: the highest that a binding gate of its step asks for.

    None for every look but the first of a step: what a later one says is judged together with those before it. None
    where the ladder is climbed again: repeats are compared with each other, and so must be samples of one size.
    """
    if look.number or scenario.decision.repeats > 1:
        return None
    step = look.step
    capacity = capacity_gate(scenario)
    if capacity is not None and isinstance(capacity.promise, Bound) and not gates_of(scenario, step):
        return capacity.promise.value
    targets = [
        gate.promise.value
        for gate in scenario.gates
        if gate.is_on_goodput
        and gate.level is Level.FAIL
        and isinstance(gate.promise, Bound)
        and gate.promise.op == ">="
        and (gate.at is None or gate.at.covers(step.axis, step.value))
    ]
    return max(targets, default=None)


def is_futile(trail: Sequence[Tally], target: float, width: int) -> bool:
    """Whether the share of good requests is below `target` by a bound that holds at `LEVEL`.

    `trail` is how the window stood from its beginning until now, `width` how many requests share the server at a time.
    Those in flight are taken to become good.
    """
    now = trail[-1]
    if now.finished < max(LEAST_FINISHED, LEAST_BLOCKS * width):
        return False
    n, good = now.finished + now.in_flight, now.good + now.in_flight
    if good >= target * n:
        return False
    deff = design_effect(_blocks(trail, width), now.good / now.finished)
    if deff is None:
        return False
    deff *= CAUTION
    return clopper_pearson(good / deff, n / deff, LEVEL).high < target


def _blocks(trail: Sequence[Tally], width: int) -> Blocks:
    """Good shares of at most 20 stretches of at least `width` requests each, in the order in which they finished."""
    size = max(width, math.ceil(trail[-1].finished / MOST_BLOCKS))
    shares, finished, good = [], 0, 0
    for tally in trail:
        if tally.finished - finished >= size:
            shares.append((tally.good - good) / (tally.finished - finished))
            finished, good = tally.finished, tally.good
    return Blocks(size, np.array(shares))
