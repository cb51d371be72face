"""The action's steps, one after another as GitHub runs them: what a job gets of each verdict, whatever else breaks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.ci.local_runner import Job, Machine
from tests.ci.machines import HOSTILE, UPLOAD, apply, assert_harmless, keyword, machine
from tests.command import LLMLOAD, write_scenario

pytestmark = pytest.mark.measuring

RUN, SUMMARY, ANNOTATE = "Run llmload", "Write the summary", "Annotate the scenario files"
KEEP, COMMENT = "Keep reports and results", "Comment on the pull request"

BROKEN: dict[str, object] = {"slo": "{e2e: 1ms}"}
UNDECIDED: dict[str, object] = {
    "gates": "[goodput >= 95%]",
    "load__requests": 120,
    "decision": "{max_requests: 120}",
    "target__simulator__faults": "{error_rate: 4%}",
    "target__simulator__seed": 3,
}
"""One request in 25 fails, and 120 of them do not tell that from one in twenty."""
DOWN: dict[str, object] = {"target": "{url: 'http://127.0.0.1:1', model: tiny, framework: vllm}"}
INVALID: dict[str, object] = {"gates": "[goodputt >= 95%]"}

BUSY = "could not keep up", "was late", "stalled", "used its whole core"


def job(where: Machine, changes: dict[str, object], **inputs: str) -> Job:
    """The action on one scenario; again where this machine was too busy to measure, as `tests.command.measured`."""
    name = write_scenario(where.workspace / inputs.get("working_directory", ""), "chat", **changes).name
    for _ in range(3):
        done = apply(where, scenario=name, **inputs)
        if done.outputs["exit-code"] != "5" or not any(words in done.log for words in BUSY):
            break
    return done


# ---------------------------------------------------------------- the verdict


@pytest.mark.parametrize(
    ("changes", "verdict", "code", "other", "other_code"),
    [
        pytest.param({}, "pass", 0, "never", 0, id="kept"),
        pytest.param(BROKEN, "fail", 3, "never", 0, id="broken"),
        pytest.param(UNDECIDED, "inconclusive", 0, "inconclusive", 4, id="open, of which the policy only warns"),
    ],
)
def test_a_job_ends_with_the_verdict_unless_it_fails_on_something_else(
    tmp_path: Path, changes: dict[str, object], verdict: str, code: int, other: str, other_code: int
) -> None:
    """Measured once, and judged again in a later step that has another `fail-on`."""
    where = machine(tmp_path)
    done = job(where, changes)
    assert (done.outputs["verdict"], done.outputs["exit-code"], done.code) == (verdict, str(code), code), done.log
    assert done.summary
    assert set(done.steps[KEEP].files) >= {"llmload-outcome/outcome.json", "reports/chat/junit.xml"}
    assert done.steps[COMMENT].outcome == "skipped"
    again = apply(replace(where, temp=_fresh(tmp_path / "again")), command="gate", fail_on=other)
    assert (again.outputs["verdict"], again.outputs["exit-code"], again.code) == (verdict, str(code), other_code), (
        again.log
    )


@pytest.mark.parametrize(
    ("changes", "verdict", "code"),
    [pytest.param(INVALID, "invalid", 2, id="a bad file"), pytest.param(DOWN, "not-measured", 5, id="no server")],
)
def test_what_cannot_be_measured_says_so(tmp_path: Path, changes: dict[str, object], verdict: str, code: int) -> None:
    done = apply(machine(tmp_path), scenario=write_scenario(tmp_path / "checkout", "chat", **changes).name)
    assert (done.outputs["verdict"], done.outputs["exit-code"], done.code) == (verdict, str(code), code), done.log
    assert done.outputs["goodput"] == ""
    assert done.summary
    assert "llmload-outcome/outcome.json" in done.steps[KEEP].files


def test_a_broken_promise_reaches_everyone_who_reads_of_it(tmp_path: Path) -> None:
    done = job(machine(tmp_path), BROKEN)
    assert {name: done.outputs[name] for name in ("failed-gates", "regressions", "goodput")} == {
        "failed-gates": "1", "regressions": "0", "goodput": "0"}  # fmt: skip
    assert done.outputs["report-dir"] == "reports/chat"
    assert done.outputs["junit-path"] == "reports/chat/junit.xml"
    assert done.outputs["json-path"] == "reports/chat/result.json"
    told = json.loads((tmp_path / "checkout/reports/chat/result.json").read_text())
    assert told["run_id"] == done.outputs["run-id"]
    assert "goodput" in done.summary
    errors = [line for line in done.commands if line.startswith("::error ")]
    assert any("file=chat.yaml,line=" in line for line in errors), done.commands
    assert set(done.steps[KEEP].files) >= {"reports/chat/result.json", "reports/chat/junit.xml"}


def test_a_bad_file_is_annotated_where_it_is_bad(tmp_path: Path) -> None:
    done = job(machine(tmp_path), INVALID, command="validate")
    assert (done.outputs["verdict"], done.code) == ("invalid", 2), done.log
    assert any("file=chat.yaml,line=" in line and "goodputt" in line for line in done.commands), done.commands


def test_paths_are_those_of_the_working_directory_and_the_artifact_finds_them(tmp_path: Path) -> None:
    where = machine(tmp_path)
    (where.workspace / "load tests").mkdir()
    done = job(where, {}, working_directory="load tests", shard="1/1")
    assert (done.outputs["report-dir"], done.code) == ("reports/chat", 0), done.log
    assert "load tests/reports/chat/result.json" in done.steps[KEEP].files
    assert "load tests/llmload-outcome/outcome.json" in done.steps[KEEP].files
    assert done.steps[KEEP].inputs["name"] == "llmload-1-of-1"
    assert "reports of the artifact `llmload-1-of-1`" in done.summary


def test_a_summary_names_no_artifact_where_none_is_kept(tmp_path: Path) -> None:
    done = job(machine(tmp_path), {}, artifact_name="", shard="1/1")
    assert done.code == 0, done.log
    assert "PASS" in done.summary
    assert "artifact" not in done.summary


# ---------------------------------------------------------------- hostile inputs, to the real llmload


@pytest.mark.parametrize("name", ["scenario", "command", "args", "set", "env-file", "baseline", "fail-on", "shard"])
def test_an_input_that_means_nothing_is_refused_and_harms_nobody(tmp_path: Path, name: str) -> None:
    """Everything at once in one input: `test_action_inputs` has the shells, here it reaches the end."""
    where = machine(tmp_path)
    write_scenario(where.workspace)
    text = " ".join(HOSTILE.values())
    done = apply(where, **{"command": "validate", "scenario": "chat.yaml", "summary": "false", keyword(name): text})
    assert (done.outputs["verdict"], done.outputs["exit-code"], done.code) == ("invalid", "2", 2), done.log
    assert_harmless(tmp_path, done)


def test_a_name_of_the_artifact_is_text_wherever_it_is_told(tmp_path: Path) -> None:
    where = machine(tmp_path)
    write_scenario(where.workspace)
    done = apply(where, command="validate", scenario="chat.yaml", artifact_name=" ".join(HOSTILE.values()))
    assert (done.outputs["verdict"], done.code) == ("valid", 0), done.log
    assert done.steps[SUMMARY].outcome == "success"
    assert_harmless(tmp_path, done)


# ---------------------------------------------------------------- what else may break


@pytest.mark.parametrize(("changes", "code"), [pytest.param({}, 0, id="good"), pytest.param(INVALID, 2, id="bad")])
def test_publishing_that_fails_changes_no_verdict(tmp_path: Path, changes: dict[str, object], code: int) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"number": 7, "pull_request": {"number": 7, "head": {"sha": "a" * 40}}}))
    where = machine(tmp_path, env={"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(event)})
    where = replace(where, broken=frozenset({UPLOAD, "GITHUB_STEP_SUMMARY"}))
    done = job(where, changes, command="validate", comment="always")
    failed = {name: done.steps[name].outcome for name in (SUMMARY, KEEP, COMMENT)}
    assert failed == dict.fromkeys((SUMMARY, KEEP, COMMENT), "failure"), done.log
    assert done.code == code


def test_a_run_that_dies_ends_the_job_as_a_defect(tmp_path: Path) -> None:
    """The kernel kills what takes too much memory, and leaves no word behind."""
    where = machine(tmp_path, path=_that_dies(tmp_path))
    done = job(where, {}, fail_on="never")
    assert done.steps[RUN].code == -9
    assert (done.code, done.outputs["exit-code"], done.outputs["verdict"]) == (70, "70", "")
    assert any("without a verdict" in line for line in done.commands)


def test_a_cancelled_job_keeps_what_was_measured(tmp_path: Path) -> None:
    where = machine(tmp_path)
    slow = {
        "load": "{concurrency: [2, 3], requests: 120, warmup: {requests: 2}}",
        "target__simulator__decode_base": "6ms",
    }
    write_scenario(where.workspace, **slow)
    done = apply(replace(where, cancelled={RUN: where.workspace / "llmload.db-wal"}), scenario="chat.yaml")
    assert (done.outputs["verdict"], done.code) == ("interrupted", 130), done.log
    assert "llmload-outcome/outcome.json" in done.steps[KEEP].files


def _that_dies(folder: Path) -> Path:
    """A folder with an llmload that is killed in the middle of `ci run`, and is itself else."""
    path = folder / "dying"
    path.mkdir()
    script = path / "llmload"
    script.write_text(
        f'#!/usr/bin/env bash\nif [[ "$1 $2" == "ci run" ]]; then kill -KILL $$; fi\nexec {LLMLOAD} "$@"\n'
    )
    script.chmod(0o755)
    return path


def _fresh(folder: Path) -> Path:
    folder.mkdir()
    return folder
