"""The search for the capacity against servers whose true limit is known, and which answer by chance.

The share of good requests falls smoothly around the limit, where it is just the target: 99.6% are good at a tenth
less load, and 74% at a tenth more. Each request is good or bad by a latent quality that drifts (AR(1)), as it does
where requests share queues and batches. Steps, looks, levels and decisions are those of a run.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.signal import lfilter

from llmload.analysis.looks import first_sizes, look_level
from llmload.analysis.search import MOST_STEPS, cap_of, next_load
from llmload.analysis.shares import replay_looks
from llmload.planned import Step
from llmload.scenario.asked import Scenario
from llmload.verdict import Status
from tests.analysis.test_search import asked

TARGET, Z95, STEEPNESS = 0.95, 1.6448536269514722, 10.0
RUNS = 100


def status_at(load: float, limit: float, rho: float, wanted: Scenario, chance: np.random.Generator) -> Status:
    """What the looks at one load come to on a server with this limit."""
    sizes = first_sizes(wanted, Step(0, "concurrency", load))
    noise = chance.standard_normal(sum(sizes)) * np.sqrt(1 - rho**2)
    noise[0] /= np.sqrt(1 - rho**2)
    quality = lfilter([1.0], [1.0, -rho], noise)
    good = quality <= Z95 + STEEPNESS * (1 - load / limit)
    windows = np.split(good, np.cumsum(sizes)[:-1])
    return replay_looks(windows, TARGET, block=int(load), alpha=look_level(wanted, len(sizes))).status


def capacity_of(
    ladder: Sequence[int], limit: float, rho: float, wanted: Scenario, chance: np.random.Generator
) -> float:
    """The highest load that surely holds, with none below it that surely breaks; 0 where there is none."""
    found = [(float(load), status_at(load, limit, rho, wanted, chance)) for load in ladder]
    while len(found) - len(ladder) < MOST_STEPS and (load := next_load(sorted(found), cap_of(wanted))) is not None:
        found.append((load, status_at(load, limit, rho, wanted, chance)))
    found.sort()
    breaks = min((load for load, status in found if status is Status.FAIL), default=float("inf"))
    return max((load for load, status in found if status is Status.PASS and load < breaks), default=0.0)


@pytest.mark.parametrize(
    ("limit", "rho"),
    [
        pytest.param(11.0, 0.0, id="a small server, independent requests"),
        pytest.param(37.0, 0.8, id="correlated requests"),
        pytest.param(120.0, 0.0, id="independent requests"),
        pytest.param(120.0, 0.9, id="strongly correlated requests"),
        pytest.param(290.0, 0.9, id="a limit beyond the ladder"),
    ],
)
def test_the_capacity_found_is_within_a_tenth_of_the_true_one(limit: float, rho: float) -> None:
    ladder = (1, 10, 50, 100, 200)
    wanted, chance = asked(peak=500, concurrency=ladder), np.random.default_rng(20261121)
    found = np.array([capacity_of(ladder, limit, rho, wanted, chance) for _ in range(RUNS)])
    near = np.abs(found - limit) <= np.maximum(0.1 * limit, 1)
    assert near.mean() >= 0.95, sorted(found)
    assert np.mean(found > 1.05 * limit) <= 0.05, sorted(found)
