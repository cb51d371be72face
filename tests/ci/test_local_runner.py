"""The local runner itself: a tool that tests others must fail where they do."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.ci.expressions import ExpressionError
from tests.ci.local_runner import Job, Machine, assignments, obeyed, run_action, uploaded

HERE = {"shell": "bash"}


def run(folder: Path, *steps: Mapping[str, object], broken: str = "", **inputs: str) -> Job:
    action = {
        "inputs": {"name": {"default": "nobody"}},
        "outputs": {"told": {"value": "${{ steps.tell.outputs.told }}"}},
        "runs": {"using": "composite", "steps": [dict(step) for step in steps]},
    }
    (folder / "action.yml").write_text(yaml.safe_dump(action, sort_keys=False))
    (folder / "temp").mkdir()
    where = Machine(folder, folder / "temp", {"PATH": os.environ["PATH"]})
    return run_action(folder, replace(where, broken=frozenset({broken})), **inputs)


def test_inputs_reach_a_script_through_its_environment_and_outputs_leave_it(tmp_path: Path) -> None:
    tell = {**HERE, "id": "tell", "env": {"WHO": "${{ inputs.name }}"}, "run": 'echo "told=<$WHO>" >>"$GITHUB_OUTPUT"'}
    assert run(tmp_path, tell, name="$(id) ''").outputs == {"told": "<$(id) ''>"}


def test_after_a_failure_only_those_steps_run_that_always_do(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        {**HERE, "name": "fails", "run": "exit 7"},
        {**HERE, "name": "usual", "run": "true"},
        {**HERE, "name": "said so", "run": "true", "if": "'a' == 'a'"},
        {**HERE, "name": "always", "run": "true", "if": "always()"},
        {**HERE, "name": "after failures", "run": "exit 3", "if": "always() && failure()"},
    )
    assert [step.outcome for step in done.steps.values()] == ["failure", "skipped", "skipped", "success", "failure"]
    assert done.code == 3


def test_a_failure_that_is_continued_from_is_none_to_those_behind(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        {**HERE, "name": "a", "run": "exit 7", "continue-on-error": True},
        {**HERE, "name": "b", "run": "true"},
    )
    assert [(step.outcome, step.conclusion) for step in done.steps.values()] == [
        ("failure", "success"),
        ("success", "success"),
    ]
    assert done.code == 0


def test_a_script_ends_at_the_first_command_that_fails(tmp_path: Path) -> None:
    done = run(tmp_path, {**HERE, "name": "a", "run": "false | true\necho never"})
    assert (done.log, done.code) == ("", 1)


def test_variables_and_paths_of_one_step_are_there_in_the_next(tmp_path: Path) -> None:
    first = {**HERE, "name": "a", "run": 'echo "NAME=x=y" >>"$GITHUB_ENV"; echo /odd/place >>"$GITHUB_PATH"'}
    second = {**HERE, "name": "b", "run": 'echo "$NAME ${PATH%%:*}"'}
    assert run(tmp_path, first, second).steps["b"].out == "x=y /odd/place\n"


def test_an_upload_lists_what_its_paths_match(tmp_path: Path) -> None:
    for name in ("reports/a/x.json", "reports/b/.hidden", "other/y.json", "z.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert uploaded(f"{tmp_path}/reports\n\n*.json\nnothing", tmp_path) == ("reports/a/x.json", "z.json")


def test_an_action_that_fails_gives_nothing(tmp_path: Path) -> None:
    step: dict[str, object] = {"name": "a", "uses": "some/thing@v1", "with": {"key": "${{ inputs.name }}"}}
    done = run(tmp_path, step, broken="some/thing")
    assert (done.steps["a"].outcome, done.steps["a"].inputs, done.code) == ("failure", {"key": "nobody"}, 1)


def test_what_is_not_known_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ExpressionError):
        run(tmp_path, {**HERE, "name": "a", "run": "true", "if": "hashFiles('x') != ''"})


@pytest.mark.parametrize(
    ("content", "found"),
    [
        pytest.param("a=1\nb=x=y\n", {"a": "1", "b": "x=y"}, id="lines"),
        pytest.param("a<<END\n1\nb=2\nEND\nc=3", {"a": "1\nb=2", "c": "3"}, id="a block"),
        pytest.param("a<<END\nEND\n", {"a": ""}, id="an empty block"),
        pytest.param("a=<<b", {"a": "<<b"}, id="a line that only looks like a block"),
    ],
)
def test_outputs_are_read_as_github_reads_them(content: str, found: dict[str, str]) -> None:
    assert assignments(content) == found


@pytest.mark.parametrize("content", ["a<<END\n1\n", "no assignment"])
def test_a_broken_file_of_outputs_is_an_error(content: str) -> None:
    with pytest.raises(ValueError, match=r"no (line|assignment)"):
        assignments(content)


def test_commands_are_obeyed_unless_a_token_stops_them() -> None:
    log = "::error::a\n ::warning::b\nno ::error::c\n::stop-commands::t\n::error::d\n::x::\n::t::\n::notice::e\n"
    assert obeyed(log) == ["::error::a", "::warning::b", "::notice::e"]
