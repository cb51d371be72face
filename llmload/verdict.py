"""What became of a promise, and how far a measurement may be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from llmload.promises import Gate


class Status(StrEnum):
    """What a gate or a run came to. NOT_GATED is for a run without gates."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    INCOMPARABLE = "incomparable"
    ERROR = "error"
    NOT_GATED = "not gated"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The figures behind a verdict. For shares: `low`..`high` bound the true share of good requests at `confidence`
    (one-sided each), from `n` requests worth `effective_n` independent ones after the design effect `deff`.
    For means and rates all are in the gate's own unit.
    """

    observed: float | None
    target: float
    low: float | None
    high: float | None
    n: int
    deff: float | None
    effective_n: float | None
    confidence: float
    looks: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one gate at one step, with its reason and what to do about it.

    `kind` is the JUnit type: SloViolation, NoData, ClientSaturated, TooFewRequests and so on.
    """

    gate: Gate
    step: str
    status: Status
    because: str
    remedy: str = ""
    kind: str = ""
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class Caveat:
    """A validity rule that did not hold. Fatal ones make every verdict of the step an error ("could not measure")."""

    rule: str
    figure: str
    remedy: str
    is_fatal: bool = False
    kind: str = ""


ADVISORY = "Advisory"
"""Kind of a relative verdict that rests on too few runs to break a build."""

NO_BASELINE = "NoBaseline"
"""Kind of a relative verdict that had nothing to be held against; it has a policy of its own."""

GUARD_TRIPPED = "GuardTripped"
"""Kind of the caveat that a guard of the scenario leaves behind when it ends the run."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A disagreement between two sources of one figure, with its size and the likely cause.

    `step` is the label of the step that it speaks of, "" where it is the run; `kind` names the cause in one word of
    METRICS "Client-server cross-check", such as `other_traffic`, or is `declared` for a setting.
    """

    subject: str
    expected: str
    actual: str
    cause: str
    step: str = ""
    kind: str = ""
