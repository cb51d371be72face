"""Recorded outcomes: what a command in CI came to, of the recorded runs and of files that never ran."""

from __future__ import annotations

from dataclasses import replace

from llmload.domain import RunResult
from llmload.errors import Problem
from llmload.outcome import Command, Entry, Outcome
from tests.analysis.compared import estimates
from tests.recorded_comparisons import REGRESSED
from tests.recorded_runs import CLEAN, HOSTILE, TROUBLE

PROBLEM = Problem(
    "scenarios/chat.yaml",
    7,
    15,
    "spec.slo.ttft",
    "a time needs a unit, and 500 has none",
    "Did you mean 500ms?",
    "        ttft: 500",
)
HOSTILE_PROBLEM = Problem(
    f"scenarios/{HOSTILE}.yaml", 3, 9, HOSTILE, HOSTILE, HOSTILE, f"팀: 서빙 ``` {HOSTILE}\t````` <b>"
)


def of_runs(*runs: RunResult, command: Command = Command.APPLY) -> Outcome:
    """What a command that measured or judged these runs leaves."""
    entries = tuple(Entry(run.header.source, run.exit_code, run) for run in runs)
    codes = {run.exit_code for run in runs}
    return Outcome(command, next(code for code in (3, 5, 4, 0) if code in codes), entries)


INVALID = Outcome(
    Command.APPLY,
    2,
    (
        Entry(PROBLEM.file, 2, problems=(PROBLEM, replace(PROBLEM, line=12, column=5, path="spec.gates[0]"))),
        Entry("scenarios/quickstart.yaml", 0, CLEAN),
    ),
)
HOSTILE_INVALID = Outcome(
    Command.VALIDATE, 2, (Entry(HOSTILE_PROBLEM.file, 2, problems=(HOSTILE_PROBLEM,), message=HOSTILE),)
)
SERVER_DOWN = Outcome(
    Command.APPLY,
    5,
    (
        Entry(
            "scenarios/quickstart.yaml",
            5,
            message="http://127.0.0.1:8000: nothing listens there. Start the server, or correct spec.target.url",
        ),
    ),
)
INTERRUPTED = Outcome(
    Command.APPLY, 130, (Entry("scenarios/quickstart.yaml", 130, CLEAN, message="interrupted by Ctrl-C"),)
)
MIXED = Outcome(
    Command.APPLY, 2, (*of_runs(CLEAN, TROUBLE, REGRESSED).entries, *SERVER_DOWN.entries, *INVALID.entries[:1])
)


def _with(figures: dict[str, float], run_id: str) -> RunResult:
    """The clean run with other estimates at two of its steps."""
    steps = tuple(replace(step, estimates=estimates(figures)) for step in CLEAN.steps[1:3])
    return replace(CLEAN, header=replace(CLEAN.header, run_id=run_id), steps=steps)


COMPARED = Outcome(
    Command.COMPARE,
    1,
    (
        Entry("main", 0, _with({"p50(ttft)": 100.0, "p95(ttft)": 150.0, "rps": 10.0}, "01JZK3AAAAAAAAAAAAAAAAAAAA")),
        Entry("branch", 0, _with({"p50(ttft)": 120.0, "p95(ttft)": 151.0, "rps": 12.0}, CLEAN.header.run_id)),
    ),
)
"""Slower to begin, and faster in all, at both steps."""
