"""Recorded run results whose relative gates were judged: measured in turns, against three runs, against none like it.

Fixed values, no chance.
"""

from __future__ import annotations

from dataclasses import replace

from llmload.baseline import Baseline, Design, Difference, Estimate, Estimates, Incomparable, PastRun
from llmload.domain import RunResult, StepResult
from llmload.planned import Look
from llmload.promises import At, Change, Gate, Level
from llmload.verdict import Evidence, Status, Verdict
from tests.recorded_runs import CLEAN, HOSTILE

_TTFT = Gate("ttft", Change(0.05, 1.0), stat="p95", id="ttft-vs-main", line=33)
_TPOT = Gate("tpot", Change(0.05), stat="p50", line=34)
_SPEED = Gate("output_tps", Change(0.1), at=At("concurrency", "==", 8), line=35)


def _estimates(factor: float) -> Estimates:
    return {
        "goodput": Estimate(1.0),
        "output_tps": Estimate(round(842.75 / factor, 6), 0.004),
        "p50(tpot)": Estimate(round(8.93 * factor, 6), 0.0021),
        "p95(ttft)": Estimate(round(37.35 * factor, 6), 0.0125),
        "p99(ttft)": Estimate(float("inf")),
    }


def _past(day: int, commit: str, label: str) -> PastRun:
    created = f"2026-02-{day:02}T08:00:00.000Z"
    return PastRun(f"01JY{day:022}", created, commit, {label: _estimates(0.99 + day / 1000)})


def _evidence(observed: float, low: float, high: float, target: float, n: int) -> Evidence:
    return Evidence(observed, target, low, high, n, None, None, 0.95, 1)


def _verdict(gate: Gate, step: StepResult, status: Status, told: tuple[str, str, str], seen: Evidence) -> Verdict:
    because, remedy, kind = told
    return Verdict(gate, step.step.label, status, because, remedy, kind, seen)


_BARE = replace(CLEAN, knee=None, timeline=None, gpus=(), server=None, recommendation=None, profile=None, analyses=())
_EIGHT, _THIRTY_TWO = (replace(step, gpu=None, server=None, checks=(), capacity=None) for step in CLEAN.steps[1:3])


_IN_TURN = "in those measured in turn with them"
_SLOWER = (
    f"p95(ttft) was 40.48ms in the middle of 5 runs, 37.4ms {_IN_TURN}: 8.2% worse;"
    " at 95% confidence between 6.1% and 10.4% worse, at most 5% allowed, and less than 1ms never counts"
)


def _in_turns() -> StepResult:
    step, repeats = _EIGHT.step, tuple(_estimates(1.08 + climb / 500) for climb in range(5))
    verdicts = (
        _verdict(
            _TTFT,
            _EIGHT,
            Status.FAIL,
            (_SLOWER, "Find what makes it worse than the side it was measured in turn with", "Regression"),
            _evidence(0.0824, 0.0611, 0.1041, 0.05, 5),
        ),
        _verdict(
            _TPOT,
            _EIGHT,
            Status.INCONCLUSIVE,
            (
                f"p50(tpot) was 9.263ms in the middle of 5 runs, 8.957ms {_IN_TURN}: 3.4% worse;"
                " at 95% confidence between 0.9% better and 8% worse, at most 5% allowed",
                "About 90 pairs decide it, if it is as it seems: raise decision.repeats",
                "TooFewRuns",
            ),
            _evidence(0.034, -0.0092, 0.08, 0.05, 5),
        ),
        _verdict(
            _SPEED,
            _EIGHT,
            Status.PASS,
            (
                f"output_tps was 860.6 tok/s in the middle of 5 runs, 842.8 tok/s {_IN_TURN}: 2.1% better;"
                " at 95% confidence between 1.2% and 3% better, at most 10% allowed",
                "",
                "",
            ),
            _evidence(-0.0214, -0.0302, -0.0125, 0.1, 5),
        ),
    )
    looks = (Look(step, 0, 200), *(Look(step, climb, 200, climb) for climb in range(1, 5)))
    return replace(_EIGHT, looks=looks, verdicts=verdicts, estimates=_estimates(1.084), repeats=repeats)


REGRESSED = replace(
    _BARE,
    header=replace(CLEAN.header, run_id="01JZK5B0000000000000000000", scenario="regression"),
    steps=(_in_turns(),),
    status=Status.FAIL,
    exit_code=3,
    because=f"p95(ttft) within 5% of baseline, floor 1ms at concurrency 8: {_SLOWER}",
    reference=Baseline(
        "run 01JZK5A0000000000000000000 (A: scenarios/a.yaml)",
        "regression",
        CLEAN.fingerprint,
        tuple(_past(day, "", _EIGHT.step.label) for day in range(1, 6)),
        Design.PAIRED,
    ),
)
"""Five climbs in turns with five of another target: one regression, one undecided, one better."""


_FIVE_MORE = "Record 5 more runs with `llmload baseline update`: from 8 on they may fail a build"
_NOT_THERE = "nothing to compare with: none of the 3 baseline runs has p95(ttft) at concurrency 32"


def _against_three() -> tuple[StepResult, StepResult]:
    as_warning = {"level": Level.WARN}
    known = (
        _verdict(
            replace(_TTFT, **as_warning),
            _EIGHT,
            Status.FAIL,
            (
                "p95(ttft) was 41.83ms, the 3 baseline runs had 37.35ms in the middle: 12% worse;"
                " at 95% confidence between 7.3% and 16.9% worse, at most 5% allowed, and less than 1ms never counts;"
                " advisory: 3 of 8 runs",
                _FIVE_MORE,
                "Advisory",
            ),
            _evidence(0.12, 0.0731, 0.169, 0.05, 3),
        ),
        _verdict(
            replace(_SPEED, **as_warning),
            _EIGHT,
            Status.PASS,
            (
                "output_tps was 842.8 tok/s, the 3 baseline runs had 842.8 tok/s in the middle: no different;"
                " at 95% confidence between 4% better and 4.2% worse, at most 10% allowed; advisory: 3 of 8 runs",
                _FIVE_MORE,
                "Advisory",
            ),
            _evidence(0.0, -0.04, 0.0417, 0.1, 3),
        ),
    )
    unknown = Verdict(
        _TTFT,
        _THIRTY_TWO.step.label,
        Status.INCOMPARABLE,
        _NOT_THERE,
        "Record runs that have it with `llmload baseline update`",
        "NoBaseline",
    )
    return (
        replace(_EIGHT, verdicts=known, estimates=_estimates(1.12)),
        replace(_THIRTY_TWO, verdicts=(unknown, *_THIRTY_TWO.verdicts[:1])),
    )


ADVISED = replace(
    _BARE,
    header=replace(CLEAN.header, run_id="01JZK5C0000000000000000000", scenario="regression"),
    steps=_against_three(),
    status=Status.INCOMPARABLE,
    because=f"p95(ttft) within 5% of baseline, floor 1ms at concurrency 32: {_NOT_THERE}",
    reference=Baseline(
        "reports/baselines/regression/0123456789ab.json",
        "regression",
        CLEAN.fingerprint,
        tuple(_past(day, "5f70bf18a086007016e948b04aed3b82103a36be", _EIGHT.step.label) for day in (3, 9, 27)),
    ),
)
"""Three earlier runs: a change that only warns, one that only seems kept, and a step that they do not have."""

_STORED = "the newest finished runs on main in llmload.db"

UNLIKE: RunResult = replace(
    ADVISED,
    steps=(
        replace(
            _EIGHT,
            verdicts=(
                Verdict(
                    _TTFT,
                    _EIGHT.step.label,
                    Status.INCOMPARABLE,
                    f"{_STORED} was measured under other conditions: gpu H100, now {HOSTILE}",
                    "Measure under the same conditions, or record a baseline for these with `llmload baseline update`",
                    "Incomparable",
                ),
            ),
        ),
    ),
    exit_code=4,
    because="p95(ttft) within 5% of baseline, floor 1ms at concurrency 8:"
    f" {_STORED} was measured under other conditions: gpu H100, now L4",
    fails_on=("incomparable",),
    reference=Incomparable(_STORED, (Difference("gpu", "H100", HOSTILE), Difference("driver", "", "570.1"))),
)
"""There are earlier runs, on another GPU, and the policy fails on that."""
