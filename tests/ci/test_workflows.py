"""What must hold of every file under .github that GitHub runs; the linters are those of `make check`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").iterdir())
ACTIONS = sorted(path for path in (GITHUB / "actions").rglob("action.*"))
SCRIPTS = sorted((GITHUB / "actions").rglob("*.sh"))

PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
OUR_OWN = re.compile(r"uses: \$/\.github/actions/[\w-]+$")


def named(path: Path) -> str:
    return path.name if path.parent.name == "workflows" else f"{path.parent.name}/{path.name}"


def every_file(*paths: Path) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=named)


def document(path: Path) -> Mapping[object, object]:
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def below(node: object) -> Iterator[Mapping[object, object]]:
    """Every mapping of a document, however deep."""
    match node:
        case dict():
            yield node
            for value in node.values():
                yield from below(value)
        case list():
            for value in node:
                yield from below(value)


def jobs(path: Path) -> Mapping[str, Mapping[str, object]]:
    found = document(path)["jobs"]
    assert isinstance(found, dict)
    return found


def tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A linter of this environment, over this repository."""
    program = str(Path(sys.executable).parent / name)
    return subprocess.run([program, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_there_is_something_to_hold() -> None:
    assert {"ci.yml", "gate.yml", "measure.yml", "publish.yml"} <= {path.name for path in WORKFLOWS}
    assert ACTIONS
    assert SCRIPTS


def test_workflows_and_actions_end_in_yml() -> None:
    assert {path.suffix for path in (*WORKFLOWS, *ACTIONS)} == {".yml"}


@every_file(*WORKFLOWS, *ACTIONS)
def test_no_expression_stands_in_a_script(path: Path) -> None:
    assert [each["run"] for each in below(document(path)) if "${{" in str(each.get("run", ""))] == []


@every_file(*ACTIONS)
def test_an_action_names_its_shells_and_describes_what_it_takes_and_gives(path: Path) -> None:
    action = document(path)
    assert [each for each in below(action["runs"]) if "run" in each and each.get("shell") != "bash"] == []
    for part in ("inputs", "outputs"):
        described = action[part]
        assert isinstance(described, dict)
        assert [name for name, each in described.items() if len(each["description"]) < 20] == []


@every_file(*ACTIONS)
def test_the_token_reaches_the_comment_and_nothing_else(path: Path) -> None:
    steps = [each for each in below(document(path)["runs"]) if "github.token" in str(each.get("env", ""))]
    assert [step["name"] for step in steps] == ["Comment on the pull request"]


@every_file(*WORKFLOWS, *ACTIONS)
def test_what_others_wrote_is_pinned_by_its_whole_sha_with_the_version_in_a_comment(path: Path) -> None:
    lines = [line.strip().removeprefix("- ") for line in path.read_text(encoding="utf-8").splitlines()]
    used = [line for line in lines if line.startswith("uses:")]
    assert [line for line in used if not PINNED.match(line) and not OUR_OWN.match(line)] == []


@every_file(*WORKFLOWS)
def test_rights_are_none_but_those_that_a_job_names(path: Path) -> None:
    assert document(path)["permissions"] == {}
    for name, job in jobs(path).items():
        assert isinstance(job.get("permissions"), dict), f"{name} names no rights, or all of a kind"


@every_file(*WORKFLOWS)
def test_every_job_ends_and_does_not_pile_up(path: Path) -> None:
    assert "concurrency" in document(path)
    assert [name for name, job in jobs(path).items() if not isinstance(job.get("timeout-minutes"), int)] == []


@every_file(*WORKFLOWS)
def test_code_of_a_pull_request_runs_without_rights_to_write(path: Path) -> None:
    """PyYAML reads the key `on` as true."""
    events = document(path)[True]
    named_events = set(events) if isinstance(events, dict | list) else {events}
    assert "pull_request_target" not in named_events
    if "pull_request" in named_events:
        granted = [right for job in jobs(path).values() for right in dict(job["permissions"]).values()]  # type: ignore[call-overload]
        assert set(granted) <= {"read"}


def test_who_may_write_to_pull_requests_checks_out_nothing_of_theirs() -> None:
    path = GITHUB / "workflows/publish.yml"
    steps = [each for each in below(jobs(path)) if "uses" in each]
    assert [step.get("with", {}) for step in steps if "actions/checkout@" in str(step["uses"])] == [
        {"persist-credentials": False}
    ]


def test_the_pair_agrees_on_what_is_handed_over() -> None:
    measure, publish = (document(GITHUB / "workflows" / name) for name in ("measure.yml", "publish.yml"))
    assert publish[True] == {"workflow_run": {"workflows": [measure["name"]], "types": ["completed"]}}
    upload = next(each for each in below(measure) if "upload-artifact@" in str(each.get("uses")))["with"]
    download = next(each for each in below(publish) if "download-artifact@" in str(each.get("uses")))["with"]
    assert isinstance(upload, dict)
    assert isinstance(download, dict)
    assert set(download) == {"artifact-ids", "path", "run-id", "github-token"}
    text = (GITHUB / "workflows/publish.yml").read_text(encoding="utf-8")
    assert f"/artifacts?name={upload['name']}" in text
    assert [path for path in upload["path"].split() if f"$RUNNER_TEMP/measured/{path}" not in text] == []


@every_file(*WORKFLOWS)
def test_a_checkout_keeps_no_credentials_unless_the_job_pushes(path: Path) -> None:
    for job in jobs(path).values():
        checkouts = [each for each in below(job) if "actions/checkout@" in str(each.get("uses", ""))]
        may_push = dict(job["permissions"]).get("contents") == "write"  # type: ignore[call-overload]
        kept = [each for each in checkouts if dict(each.get("with", {})).get("persist-credentials") is not False]  # type: ignore[call-overload]
        assert may_push or not kept


# ---------------------------------------------------------------- the linters


def test_the_schemas_of_github_hold() -> None:
    for schema, paths in (("vendor.github-workflows", WORKFLOWS), ("vendor.github-actions", ACTIONS)):
        done = tool("check-jsonschema", "--builtin-schema", schema, *map(str, paths))
        assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_finds_nothing() -> None:
    done = tool("zizmor", "--offline", "--strict-collection", "--no-progress", ".github")
    assert done.returncode == 0, done.stdout + done.stderr


def test_shellcheck_finds_nothing() -> None:
    done = tool("shellcheck", *map(str, SCRIPTS))
    assert done.returncode == 0, done.stdout


def test_what_is_ignored_of_a_linter_has_a_reason() -> None:
    ignored = [
        line.strip()
        for path in (*WORKFLOWS, *ACTIONS, *SCRIPTS)
        for line in path.read_text(encoding="utf-8").splitlines()
        if "zizmor: ignore" in line or "shellcheck disable" in line
    ]
    assert ignored
    assert [line for line in ignored if not re.search(r"(ignore\[[\w-]+\]|disable=\w+) .{20,}", line)] == []


def test_a_linter_would_have_found_something(tmp_path: Path) -> None:
    bad = tmp_path / ".github/workflows/bad.yml"
    bad.parent.mkdir(parents=True)
    bad.write_text(
        "on: pull_request_target\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n"
        "      - run: echo ${{ github.event.pull_request.title }}\n"
    )
    assert tool("zizmor", "--offline", "--no-progress", str(bad)).returncode != 0
