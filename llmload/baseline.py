"""What one run says of each figure that runs may be compared by, and the earlier runs that it is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

SIDE_LABEL = "llmload.side"
"""Label of a run that was measured in turns with another one, "A" or "B": it is of its pairs, and of no history."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """One run's word on one figure over attempts, in the figure's own unit (ms, share 0..1, per second).

    A failed attempt is beyond every limit, so that a percentile which only failed attempts reach is infinite.
    `log_error` is the standard error of ln(value) within the run, by block bootstrap; None where the run has too few
    blocks to know, or the logarithm does not exist. It knows nothing of what differs between runs.
    """

    value: float
    log_error: float | None = None


Estimates = Mapping[str, Estimate]
"""By the words of a gate: `p95(ttft)`, `goodput`, `output_tps`. A figure that could not be had is left out."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run of a baseline: its estimates by the label of the step. `commit` is "" where nobody knew it."""

    run_id: str
    created: str  # UTC, ISO 8601
    commit: str
    steps: Mapping[str, Estimates]


class Design(StrEnum):
    """How the runs of a baseline stand to the candidate."""

    HISTORY = "history"  # earlier runs of their own
    PAIRED = "paired"  # the i-th one was measured beside the candidate's i-th repeat, in one job


@dataclass(frozen=True, slots=True)
class Baseline:
    """Earlier runs with one fingerprint, oldest first. `source` says in words where they were found."""

    source: str
    scenario: str
    fingerprint: Mapping[str, str]
    runs: tuple[PastRun, ...]
    design: Design = Design.HISTORY


@dataclass(frozen=True, slots=True)
class Difference:
    """One key of the fingerprint that differs; "" is for what that side did not tell."""

    key: str
    theirs: str
    ours: str


@dataclass(frozen=True, slots=True)
class Incomparable:
    """There are baselines of this scenario, and none of them was measured like this run."""

    source: str
    differing: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class NoBaseline:
    """Nothing to compare with: why, and what to do."""

    because: str
    remedy: str


Reference = Baseline | Incomparable | NoBaseline
"""What the relative gates of a run were judged against."""
