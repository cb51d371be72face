"""`llmload ci run` as a job calls it: outputs, the outcome for the steps behind it, and the code of the job."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from llmload.ci.outcome_folder import held, put_outcome, read_all
from llmload.outcome import Command, Entry, Outcome
from llmload.store.database import open_store
from tests.ci.test_job_outputs import read_outputs
from tests.cli.stored_runs import put_run, scenario_of, whole
from tests.cli.watching import rows, slow_ladder, wait_for, windows_of
from tests.command import here, llmload, measured_apart, start, write_scenario
from tests.recorded_runs import CLEAN

FOLDER = "llmload-outcome"


def in_job(tmp_path: Path, **more: str) -> dict[str, str]:
    """The variables of a job whose outputs are a file beside the working directory's own ones."""
    return {"GITHUB_OUTPUT": str(tmp_path / "outputs"), "GITHUB_ACTIONS": "", "LLMLOAD_STORE": "", **more}


def asked_here(tmp_path: Path, *arguments: str) -> tuple[int, dict[str, str], str]:
    """`ci run` within this process: its code, its outputs, and what it said."""
    done = here("ci", "run", *arguments, cwd=tmp_path, env=in_job(tmp_path))
    return done.returncode, read_outputs((tmp_path / "outputs").read_text()), done.stderr


def told(tmp_path: Path) -> Outcome:
    """The outcome for the steps behind it."""
    return read_all([tmp_path / FOLDER])


def test_what_is_valid_is_told_in_outputs_and_in_the_outcome_of_its_shard(tmp_path: Path) -> None:
    for name in "abc":
        write_scenario(tmp_path, name)
    code, outputs, _ = asked_here(tmp_path, "--command=validate", "--scenario=*.yaml", "--shard=1/2")
    assert (code, outputs["verdict"], outputs["exit-code"], outputs["job-code"]) == (0, "valid", "0", "0")
    assert outputs["artifact-suffix"] == "-1-of-2"
    assert [entry.source for entry in told(tmp_path).entries] == ["a.yaml", "c.yaml"]


def test_what_is_invalid_fails_the_job_whatever_may_fail_it(tmp_path: Path) -> None:
    write_scenario(tmp_path, gates="[goodput >= lots]")
    code, outputs, _ = asked_here(tmp_path, "--command=validate", "--scenario=chat.yaml", "--fail-on=never")
    assert (code, outputs["verdict"], outputs["job-code"]) == (2, "invalid", "2")
    assert told(tmp_path).entries[0].problems


EMPTY = [f"--{name}=" for name in ("command", "set", "env-file", "baseline", "args", "shard", "fail-on", "store")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param([*EMPTY, "--scenario=", "--outcome="], "scenario: is empty", id="all inputs, and all empty"),
        pytest.param(["--scenario=z*.yaml"], "'z*.yaml' matches no file", id="a pattern without a match"),
        pytest.param(["--scenario=chat.yaml", "--args='"], "args: cannot be split", id="an open quote"),
        pytest.param(["--scenario=chat.yaml", "--fail-on=maybe"], "fail-on: 'maybe'", id="a policy that nobody knows"),
        pytest.param(["--command=rm -rf /"], "command: 'rm -rf /'", id="a command that nobody knows"),
        pytest.param(["--scenario=chat.yaml", "--shard=3/2"], "shard: '3/2' is no shard", id="a shard out of range"),
    ],
)
def test_inputs_that_cannot_be_still_have_outputs_and_an_outcome(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    write_scenario(tmp_path)
    code, outputs, err = asked_here(tmp_path, *arguments)
    assert (code, outputs["verdict"], outputs["exit-code"], outputs["job-code"]) == (2, "invalid", "2", "2")
    assert said in err
    assert said in told(tmp_path).entries[0].message


def test_an_empty_shard_of_runs_is_no_green_job(tmp_path: Path) -> None:
    """The verb that is run knows the cells of each file, and so which shard has none."""
    write_scenario(tmp_path)
    code, outputs, _ = asked_here(tmp_path, "--scenario=chat.yaml", "--shard=2/2")
    assert (code, outputs["verdict"], outputs["exit-code"], outputs["job-code"]) == (2, "invalid", "2", "2")
    assert "shard 2/2: has no run: there is 1 run" in told(tmp_path).entries[0].message


def test_a_word_that_the_verb_does_not_know_is_told_by_a_message(tmp_path: Path) -> None:
    write_scenario(tmp_path)
    code, outputs, _ = asked_here(tmp_path, "--scenario=chat.yaml", "--args=--no-such-option")
    assert (code, outputs["verdict"]) == (2, "invalid")
    (entry,) = told(tmp_path).entries
    assert "command line was refused" in entry.message


def test_the_outcome_of_an_earlier_command_never_counts(tmp_path: Path) -> None:
    put_outcome(tmp_path / FOLDER, Outcome(Command.APPLY, 0, (Entry("chat.yaml", 0, CLEAN),)))
    write_scenario(tmp_path)
    code, outputs, _ = asked_here(tmp_path, "--scenario=chat.yaml", "--args=--help")
    assert (code, outputs["verdict"], outputs["run-id"]) == (70, "defect", "")
    assert told(tmp_path).exit_code == 70


def test_an_outcome_that_cannot_be_written_is_said_before_any_load(tmp_path: Path) -> None:
    write_scenario(tmp_path)
    (tmp_path / "file").write_text("mine")
    code, outputs, err = asked_here(tmp_path, "--scenario=chat.yaml", "--outcome=file")
    assert (code, outputs["verdict"]) == (5, "not-measured")
    assert "the outcome cannot be written" in err
    assert (tmp_path / "file").read_text() == "mine"


def test_two_jobs_in_one_folder_never_read_the_outcome_of_one_another(tmp_path: Path) -> None:
    write_scenario(tmp_path)
    put_outcome(tmp_path / FOLDER, Outcome(Command.APPLY, 0, (Entry("chat.yaml", 0, CLEAN),)))
    with held(tmp_path / FOLDER):
        code, outputs, err = asked_here(tmp_path, "--command=validate", "--scenario=chat.yaml")
        assert (code, outputs["verdict"], outputs["job-code"]) == (2, "invalid", "2")
        assert "llmload-outcome: another `llmload ci run` is at work there" in err
        assert told(tmp_path).entries[0].result is not None  # that of the job that holds it
        (tmp_path / "outputs").unlink()
        assert asked_here(tmp_path, "--command=validate", "--scenario=chat.yaml", "--outcome=mine")[0] == 0
    (tmp_path / "outputs").unlink()
    assert asked_here(tmp_path, "--command=validate", "--scenario=chat.yaml")[0] == 0


def test_outputs_that_cannot_be_written_change_no_code(tmp_path: Path) -> None:
    write_scenario(tmp_path)
    env = in_job(tmp_path, GITHUB_OUTPUT=str(tmp_path))
    done = here("ci", "run", "--command=validate", "--scenario=chat.yaml", cwd=tmp_path, env=env)
    assert (done.returncode, "the outputs cannot be written" in done.stderr) == (0, True)


def test_what_the_verb_prints_is_no_command_to_githubs_runner_and_outputs_without_a_file_follow_it(
    tmp_path: Path,
) -> None:
    write_scenario(tmp_path)
    env = in_job(tmp_path, GITHUB_OUTPUT="", GITHUB_ACTIONS="true")
    done = llmload("ci", "run", "--command=validate", "--scenario=chat.yaml", cwd=tmp_path, env=env)
    stopped, printed, resumed, *outputs = done.stdout.splitlines()
    token = re.fullmatch("::stop-commands::([0-9a-f]{32})", stopped)
    assert token
    assert (printed, resumed) == ("chat.yaml: valid", f"::{token[1]}::")
    assert {"verdict=valid", "exit-code=0", "job-code=0", "goodput="} <= set(outputs)


SHELL = "$(touch owned) `touch owned`; touch owned && touch owned | touch owned > owned"


@pytest.mark.parametrize(
    "names",
    [
        *(pytest.param([name], id=name) for name in ("command", "scenario", "baseline", "shard", "fail-on")),
        pytest.param(["set", "env-file", "args"], id="what reaches the verb"),
    ],
)
def test_no_input_is_a_command_of_a_shell(tmp_path: Path, names: list[str]) -> None:
    write_scenario(tmp_path)
    options = {"command": "validate", "scenario": "chat.yaml", **dict.fromkeys(names, SHELL)}
    code, outputs, _ = asked_here(tmp_path, *(f"--{option}={value}" for option, value in options.items()))
    assert (code, outputs["verdict"]) == (2, "invalid")
    assert not (tmp_path / "owned").exists()


def test_a_stored_run_is_judged_again_by_a_file(tmp_path: Path) -> None:
    with open_store(tmp_path / "runs.db") as store:
        run_id = put_run(store, 1, scenario_of(), whole())
    (tmp_path / "strict.yaml").write_text(write_scenario(tmp_path, slo="{ttft: 1us}").read_text())
    strict = ["--command=gate", "--scenario=strict.yaml", "--store=runs.db"]
    code, outputs, _ = asked_here(tmp_path, *strict, "--fail-on=never")
    assert (code, outputs["verdict"], outputs["exit-code"], outputs["run-id"]) == (0, "fail", "3", run_id)
    assert int(outputs["failed-gates"]) > 0


def test_runs_that_are_alike_are_the_same(tmp_path: Path) -> None:
    with open_store(tmp_path / "runs.db") as store:
        first, second = (put_run(store, number, scenario_of(), whole()) for number in (1, 2))
    code, outputs, _ = asked_here(tmp_path, "--command=compare", f"--args={first} {second}", "--store=runs.db")
    assert (code, outputs["verdict"], outputs["regressions"]) == (0, "same", "0")
    assert outputs["run-id"] == f"{first} {second}"


@pytest.mark.measuring
def test_a_run_that_keeps_its_promises_is_a_job_that_passes(tmp_path: Path) -> None:
    write_scenario(tmp_path)
    done = measured_apart(
        "ci", "run", "--scenario=*.yaml", "--args=--no-progress", cwd=tmp_path, env=in_job(tmp_path, GITHUB_OUTPUT="")
    )
    assert done.returncode == 0, done.stderr
    outputs = dict(line.split("=", 1) for line in done.stdout.splitlines() if re.match("[a-z-]+=", line))
    assert (outputs["verdict"], outputs["failed-gates"], outputs["report-dir"]) == ("pass", "0", "reports/chat")
    assert 0.9 <= float(outputs["goodput"]) <= 1
    assert (tmp_path / outputs["junit-path"]).is_file()
    assert json.loads((tmp_path / outputs["json-path"]).read_bytes())["run_id"] == outputs["run-id"]


@pytest.mark.measuring
def test_a_server_that_is_down_is_not_measured(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        write_scenario(tmp_path, target__simulator=None, target__url="http://127.0.0.1:9")
        code, outputs, _ = asked_here(tmp_path, "--scenario=chat.yaml", f"--set=spec.target.url={url}")
    assert (code, outputs["verdict"], outputs["goodput"]) == (5, "not-measured", "")
    (entry,) = told(tmp_path).entries
    assert entry.result is not None
    assert url in entry.result.because


def running_in(folder: Path) -> set[str]:
    """The processes that stand in a folder; one that has ended stands nowhere."""
    found = set()
    for place in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):  # ended meanwhile, or not ours
            if place.readlink() == folder:
                found.add(place.parent.name)
    return found


@pytest.mark.measuring
def test_sigterm_keeps_what_was_measured_tells_it_and_leaves_nothing_running(tmp_path: Path) -> None:
    slow_ladder(tmp_path)
    with start("ci", "run", "--scenario=*.yaml", "--args=--no-progress", cwd=tmp_path, env=in_job(tmp_path)) as job:
        wait_for(lambda: (tmp_path / "llmload.db").exists() and windows_of(tmp_path / "llmload.db") >= 1)
        begun = running_in(tmp_path)
        os.kill(job.pid, signal.SIGTERM)
        _, err = job.communicate(timeout=30)
    assert (job.returncode, len(begun) >= 3) == (143, True), err
    outputs = read_outputs((tmp_path / "outputs").read_text())
    assert (outputs["verdict"], outputs["job-code"]) == ("interrupted", "143")
    assert told(tmp_path).exit_code == 143
    assert rows(tmp_path / "llmload.db", "select count(*) from windows")[0] >= (1,)
    wait_for(lambda: not running_in(tmp_path), within_s=10)
