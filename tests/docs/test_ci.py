"""docs/ci.md: its tables are the action's, its YAML is what GitHub and GitLab read, its commands exist."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from llmload.analysis.conclusions import PRECEDENCE
from llmload.outcome import Conclusion
from tests.command import here
from tests.docs.action_tables import PAGE, ROOT, declared, written
from tests.docs.command_help import lacks
from tests.docs.migration_tables import Command

TEXT = PAGE.read_text(encoding="utf-8")
GROUPS = ("ci", "store", "baseline")
ACTION = "OWNER/llmload/.github/actions/apply@"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


GITLAB = [block for block in _blocks("yaml") if block.startswith("# .gitlab-ci.yml")]
WORKFLOWS = [block for block in _blocks("yaml") if block not in GITLAB]
_FIRST = WORKFLOWS[0]


def _title(block: str) -> str:
    name = re.match(r"name: (.+)", block)
    return name[1] if name else "the ten lines"


def _steps(workflow: str) -> Iterator[Mapping[str, object]]:
    for job in yaml.safe_load(workflow)["jobs"].values():
        yield from job["steps"]


ACTION_STEPS = [
    pytest.param(step, id=_title(block))
    for block in WORKFLOWS
    for step in _steps(block)
    if str(step.get("uses", "")).startswith(ACTION)
]


def test_the_page_begins_with_ten_lines_that_gate_a_pull_request() -> None:
    assert TEXT.startswith("# Gates in CI\n\n```yaml\non: pull_request\n")
    assert len(_FIRST.splitlines()) == 10
    assert f"uses: {ACTION}" in _FIRST


def test_its_tables_are_what_the_action_declares() -> None:
    assert written(TEXT) == TEXT, "run `make docs`"


def test_every_word_of_the_output_verdict_is_told() -> None:
    told = set(re.findall(r"`([a-z-]+)`", declared("outputs")["verdict"]["description"]))
    assert {conclusion.value for conclusion in Conclusion} <= told


# ---------------------------------------------------------------- its YAML


def _check(tmp_path: Path, schema: str, block: str) -> None:
    (tmp_path / "snippet.yml").write_text(block)
    checker = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    transform = ["--data-transform", "gitlab-ci"] if schema == "gitlab-ci" else []
    done = subprocess.run(
        [*checker, *transform, "snippet.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("block", WORKFLOWS, ids=_title)
def test_its_workflows_are_valid(tmp_path: Path, block: str) -> None:
    _check(tmp_path, "github-workflows", block)


def test_what_it_says_for_gitlab_is_valid(tmp_path: Path) -> None:
    (block,) = GITLAB
    _check(tmp_path, "gitlab-ci", block)


@pytest.mark.parametrize("step", ACTION_STEPS)
def test_it_gives_the_action_no_input_that_it_does_not_have(step: Mapping[str, Mapping[str, str]]) -> None:
    assert set(step["with"]) <= set(declared("inputs"))


def test_it_reads_no_output_that_the_action_does_not_have() -> None:
    read = set(re.findall(r"steps\.NAME\.outputs\.([a-z-]+)", TEXT))
    assert read
    assert read <= set(declared("outputs"))


@pytest.mark.parametrize("block", WORKFLOWS, ids=_title)
def test_its_workflows_have_few_rights_and_paste_nothing_into_scripts(block: str) -> None:
    workflow = yaml.safe_load(block)
    assert workflow["permissions"] in ({}, {"contents": "read"})
    assert "pull_request_target" not in block
    for step in _steps(block):
        assert "${{" not in str(step.get("run", "")), step
        if str(step.get("uses", "")).startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False  # type: ignore[index]
    for job in workflow["jobs"].values():
        rights = job.get("permissions", workflow["permissions"])
        assert rights["contents"] == "read"
        assert ("pull-requests" in rights) == ("comment" in str(job["steps"]))


def test_a_linter_of_workflows_finds_nothing_but_tags_in_place_of_commit_ids(tmp_path: Path) -> None:
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    for number, block in enumerate(WORKFLOWS):
        (folder / f"{number}.yml").write_text(block)
    linter = [str(Path(sys.executable).parent / "zizmor"), "--offline", "--no-progress", "--format", "json"]
    done = subprocess.run([*linter, str(tmp_path)], capture_output=True, text=True, check=False)
    assert {finding["ident"] for finding in json.loads(done.stdout)} == {"unpinned-uses"}, done.stdout


@pytest.mark.parametrize("block", WORKFLOWS, ids=_title)
def test_no_two_jobs_measure_one_server_of_ours_at_once(block: str) -> None:
    for job in yaml.safe_load(block)["jobs"].values():
        if "self-hosted" in job["runs-on"]:
            assert job["concurrency"] == {"group": "gpu-1", "queue": "max"}
            assert job["timeout-minutes"] <= 120


# ---------------------------------------------------------------- its commands


def _lines() -> Iterator[str]:
    """Every piece of the page that may be a command: lines of scripts, texts in quotes, code spans."""
    for step in (step for block in WORKFLOWS for step in _steps(block)):
        yield from str(step.get("run", "")).splitlines()
    for block in GITLAB:
        (job,) = yaml.safe_load(block).values()
        yield from (*job["script"], *job["after_script"])
    for block in _blocks("groovy"):
        yield from re.findall(r"'(llmload [^']*)'", block)
    for block in _blocks("sh"):
        yield from (line.partition("#")[0] for line in block.splitlines())
    prose = re.sub(r"^```.*?^```", "", TEXT, flags=re.DOTALL | re.MULTILINE)
    yield from re.findall(r"`(llmload [^`]*)`", " ".join(prose.split("\n")))


def _commands() -> Iterator[Command]:
    for line in _lines():
        words = shlex.split(line)
        starts = [place for place, word in enumerate(words[:-1]) if word.rpartition("/")[2] == "llmload"]
        for verb, *rest in (words[place + 1 :] for place in starts if words[place + 1][0].isalpha()):
            whole = (verb, *rest[:1]) if verb in GROUPS and rest and not rest[0].startswith("-") else (verb,)
            options = tuple(word.partition("=")[0] for word in rest if word.startswith("--"))
            format_ = rest[rest.index("--format") + 1] if "--format" in rest else None
            yield Command(line.strip(), whole, options, format_)


COMMANDS = {command.text: command for command in _commands()}


def test_commands_are_found_in_every_kind_of_place() -> None:
    verbs = {command.verb for command in COMMANDS.values()}
    assert {("apply",), ("ab",), ("ci", "summary"), ("ci", "annotate"), ("ci", "comment"), ("report",)} <= verbs


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_its_commands_exist_with_their_options(command: Command) -> None:
    assert lacks(command) is None


def test_what_it_says_for_gitlab_tells_of_a_file_that_is_invalid(tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios/chat.yaml").write_text("apiVersion: llmload/v1\nkind: Scenario\nspec: {}\n")
    (job,) = yaml.safe_load(GITLAB[0]).values()
    (gate,) = (line for line in job["script"] if "llmload apply" in line)
    done = [_run(line, tmp_path) for line in (gate, *job["after_script"])]
    assert [each.returncode for each in done] == [2, 0, 0], [each.stderr for each in done]
    (*_, issue) = json.loads((tmp_path / job["artifacts"]["reports"]["codequality"]).read_bytes())
    assert issue["location"]["path"] == "scenarios/chat.yaml"
    assert "scenarios/chat.yaml" in (tmp_path / "summary.md").read_text(encoding="utf-8")


def _run(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A line of a script, as its shell would run it in the folder."""
    _, *words = shlex.split(line)
    names = [[str(path.relative_to(folder)) for path in folder.glob(word)] if "*" in word else [word] for word in words]
    return here(*itertools.chain.from_iterable(names), cwd=folder)


def test_every_exit_code_is_told_what_to_do_with() -> None:
    (section,) = re.findall(r"^## What to do with the answer\n(.*?)^## ", TEXT, re.DOTALL | re.MULTILINE)
    headings = " ".join(re.findall(r"^### .*", section, re.MULTILINE))
    assert set(map(int, re.findall(r"\d+", headings))) == set(PRECEDENCE)
    (table,) = re.findall(r"^## Any other CI\n.*?^\| code(.*?)\n\n", TEXT, re.DOTALL | re.MULTILINE)
    rows = re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE)
    assert {int(code) for row in rows for code in row.split(",")} == set(PRECEDENCE)


def test_our_workflows_pin_as_it_says_that_they_do() -> None:
    texts = [path.read_text(encoding="utf-8") for path in sorted((ROOT / ".github").glob("**/*.yml"))]
    used = re.findall(r"^\s*(?:- )?uses: (\S+)", "\n".join(texts), re.MULTILINE)
    assert used
    assert [name for name in used if not re.match(r"[.$]/|[\w/-]+@[0-9a-f]{40}$", name)] == []


def test_its_tags_are_the_releases_that_our_workflows_pin() -> None:
    told = dict(re.findall(r"uses: (actions/[\w-]+)@(v\d+)", TEXT))
    pinned = [path.read_text(encoding="utf-8") for path in sorted((ROOT / ".github").glob("**/*.yml"))]
    ours = dict(re.findall(r"uses: (actions/[\w-]+)@[0-9a-f]{40} # (v\d+)", "\n".join(pinned)))
    assert told == {name: ours[name] for name in told}
