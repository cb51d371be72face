"""GitLab's code quality report, held against what its documentation demands of each issue."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import jsonschema
import pytest

from llmload.domain import RunResult
from llmload.outcome import Outcome
from llmload.reporters.annotations import Locate
from llmload.reporters.code_quality import render
from tests.recorded_outcomes import COMPARED, HOSTILE_INVALID, INTERRUPTED, INVALID, MIXED, SERVER_DOWN, of_runs
from tests.recorded_runs import CLEAN, TROUBLE
from tests.reporters.goldens_on_disk import assert_golden

ISSUE = {
    "type": "object",
    "required": ["description", "check_name", "fingerprint", "severity", "location"],
    "additionalProperties": False,
    "properties": {
        "description": {"type": "string", "minLength": 1},
        "check_name": {"type": "string", "pattern": "^llmload/"},
        "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
        "location": {
            "type": "object",
            "required": ["path", "lines"],
            "properties": {
                "path": {"type": "string", "minLength": 1, "not": {"pattern": r"^(/|\./|\.\./)"}},
                "lines": {
                    "type": "object",
                    "required": ["begin"],
                    "properties": {"begin": {"type": "integer", "minimum": 1}},
                },
            },
        },
    },
}
"""docs.gitlab.com/ci/testing/code_quality: "Code Quality report format"."""


def as_named(source: str) -> str:
    return source


def nowhere(_: str) -> None:
    return None


def told(outcome: Outcome) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(render(outcome, as_named))
    return found


@pytest.mark.parametrize(
    ("outcome", "name"),
    [
        pytest.param(of_runs(CLEAN), "clean", id="clean"),
        pytest.param(of_runs(TROUBLE), "trouble", id="full of trouble"),
        pytest.param(INVALID, "invalid", id="invalid"),
        pytest.param(MIXED, "mixed", id="some of everything"),
    ],
)
def test_an_outcome_is_told_as_reviewed(outcome: Outcome, name: str, update_goldens: bool) -> None:
    assert_golden(f"{name}-code-quality.json", render(outcome, as_named), update=update_goldens)


@pytest.mark.parametrize(
    "outcome",
    [
        pytest.param(MIXED, id="some of everything"),
        pytest.param(HOSTILE_INVALID, id="hostile"),
        pytest.param(SERVER_DOWN, id="server down"),
        pytest.param(INTERRUPTED, id="interrupted"),
        pytest.param(COMPARED, id="compared"),
    ],
)
@pytest.mark.parametrize("locate", [as_named, nowhere], ids=["in the repository", "outside of it"])
def test_every_issue_is_one_that_gitlab_reads(outcome: Outcome, locate: Locate) -> None:
    rendered = render(outcome, locate)
    issues = json.loads(rendered)
    assert issues
    jsonschema.validate(issues, {"type": "array", "items": ISSUE})
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)
    assert not rendered.startswith(b"\xef\xbb\xbf")  # GitLab refuses a byte order mark


def test_where_nothing_is_wrong_the_list_is_empty() -> None:
    assert told(of_runs(CLEAN)) == []


def moved(run: RunResult) -> RunResult:
    """The same run, its gates two lines further down and its reasons in other figures."""
    steps = tuple(
        replace(
            step,
            verdicts=tuple(
                replace(v, gate=replace(v.gate, line=(v.gate.line or 0) + 2), because=re.sub(r"\d", "7", v.because))
                for v in step.verdicts
            ),
        )
        for step in run.steps
    )
    return replace(run, steps=steps, header=replace(run.header, run_id="01JZK5AAAAAAAAAAAAAAAAAAAA"))


def test_an_issue_keeps_its_fingerprint_when_its_gate_moves_or_fails_by_other_figures() -> None:
    before, after = told(of_runs(TROUBLE)), told(of_runs(moved(TROUBLE)))
    assert [issue["fingerprint"] for issue in before] == [issue["fingerprint"] for issue in after]
    assert [issue["location"] for issue in before] != [issue["location"] for issue in after]


def test_the_same_gate_at_two_steps_is_two_issues() -> None:
    tails = [issue for issue in told(of_runs(TROUBLE)) if issue["description"].startswith("ttft-tail")]
    assert [issue["severity"] for issue in tails] == ["critical", "major", "minor"]
    assert len({issue["fingerprint"] for issue in tails}) == 3


def test_the_same_scenario_twice_has_no_fingerprint_twice() -> None:
    issues = told(of_runs(TROUBLE, TROUBLE))
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)


def test_a_file_outside_of_the_repository_is_told_by_its_name() -> None:
    run = replace(TROUBLE, header=replace(TROUBLE.header, source="/home/me/chat.yaml"))
    issues = json.loads(render(of_runs(run), lambda _: None))
    assert {issue["location"]["path"] for issue in issues} == {"chat.yaml"}
