"""What our commands print in a job of GitHub Actions, where its runner obeys lines of the log."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from llmload.ci.outcome_folder import put_outcome
from llmload.errors import Problem
from llmload.outcome import Command, Entry, Outcome
from tests.command import llmload
from tests.reporters.test_annotations import read_log

HOSTILE = "##[add-mask]e"
JOB = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": "", "GITHUB_EVENT_PATH": "", "GITHUB_REPOSITORY": ""}


def obeyed(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Names of the commands in both of its logs."""
    return [name for log in (done.stdout, done.stderr) for name, _, _ in read_log(log.encode())]


def hostile_outcome(folder: Path) -> None:
    problem = Problem(HOSTILE, 1, 1, "::error::a", "::stop-commands::b", "\u3000::set-output name=c::d")
    entries = (Entry(HOSTILE, 2, problems=(problem,)), Entry("::warning::x", 2, message="::error::y"))
    put_outcome(folder, Outcome(Command.APPLY, 2, entries))


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("validate", f"{HOSTILE}.yaml"), id="a file that is not there"),
        pytest.param(("validate", "broken.yaml"), id="a document that cannot be read"),
        pytest.param(("ci", "summary", HOSTILE), id="an outcome that is not there"),
        pytest.param(("ci", "summary", "outcome"), id="a summary on stdout"),
        pytest.param(("ci", "comment", "outcome", "--dry-run"), id="a comment that is not sent"),
        pytest.param(("ci", "comment", "outcome", "--key", HOSTILE), id="a wrong option"),
        pytest.param((HOSTILE,), id="a wrong verb"),
    ],
)
def test_nothing_that_is_printed_is_a_command_to_the_runner(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "broken.yaml").write_text(f"kind: Scenario\nmetadata: {{name: {HOSTILE!r}, ::error::x: [}}\n")
    hostile_outcome(tmp_path / "outcome")
    done = llmload(*words, cwd=tmp_path, env=JOB)
    assert "add-mask" in done.stdout + done.stderr
    assert obeyed(done) == []


def test_what_is_printed_outside_of_a_job_is_as_it_is(tmp_path: Path) -> None:
    done = llmload("validate", f"{HOSTILE}.yaml", cwd=tmp_path, env={"GITHUB_ACTIONS": ""})
    assert HOSTILE in done.stdout


def test_annotations_are_the_only_commands(tmp_path: Path) -> None:
    hostile_outcome(tmp_path / "outcome")
    done = llmload("ci", "annotate", "outcome", cwd=tmp_path, env=JOB)
    assert obeyed(done) == ["error", "error"]
    assert done.stderr == ""
