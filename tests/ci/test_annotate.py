"""`llmload ci annotate`, as a job runs it: files are named from the root of the repository, wherever it runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from llmload.ci.outcome_folder import put_outcome
from llmload.domain import RunResult
from llmload.outcome import Command, Entry, Outcome, own_source
from tests.command import here
from tests.recorded_outcomes import INVALID, of_runs
from tests.recorded_runs import TROUBLE

OUTSIDE = {"GITHUB_WORKSPACE": "", "CI_PROJECT_DIR": ""}


def named(source: str) -> Outcome:
    run: RunResult = replace(TROUBLE, header=replace(TROUBLE.header, source=source))
    return of_runs(run)


def files_of(printed: str) -> set[str]:
    places = [line.partition("file=")[2].partition(",")[0] for line in printed.splitlines() if "file=" in line]
    return set(places)


@pytest.mark.parametrize(
    ("cwd", "source", "file"),
    [
        pytest.param(".", "s.yaml", {"s.yaml"}, id="at the root"),
        pytest.param("sub/folder", "s.yaml", {"sub/folder/s.yaml"}, id="in a folder"),
        pytest.param("sub/folder", "../../scenarios/./s.yaml", {"scenarios/s.yaml"}, id="beside the folder"),
        pytest.param("sub/folder", "../../../s.yaml", set(), id="outside of the repository"),
        pytest.param(".", "/etc/s.yaml", set(), id="anywhere else"),
        pytest.param(".", "..s.yaml", {"..s.yaml"}, id="a name that begins with dots"),
        pytest.param(".", "a:b,c%.yaml", {"a%3Ab%2Cc%25.yaml"}, id="a name with what commands are made of"),
    ],
)
@pytest.mark.parametrize("told_by", ["GITHUB_WORKSPACE", "CI_PROJECT_DIR", "--root"])
def test_a_file_is_named_from_the_root(tmp_path: Path, cwd: str, source: str, file: set[str], told_by: str) -> None:
    root = tmp_path / "repository"
    (root / "sub/folder").mkdir(parents=True)
    put_outcome(root / cwd / "llmload-outcome", named(source))
    option = ["--root", str(root)] if told_by == "--root" else []
    done = here("ci", "annotate", *option, cwd=root / cwd, env={**OUTSIDE, told_by: str(root)})
    assert done.returncode == 0
    assert files_of(done.stdout) == file
    assert ("line=31" in done.stdout) == bool(file)


def test_a_scenario_that_the_checkout_no_longer_has_is_named_in_the_title(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "there.yaml").touch()
    for source, files in (("there.yaml", {"there.yaml"}), ("moved.yaml", set[str]())):
        put_outcome(tmp_path / "llmload-outcome", named(source))
        done = here("ci", "annotate", cwd=tmp_path, env={**OUTSIDE, "GITHUB_WORKSPACE": str(tmp_path)})
        assert files_of(done.stdout) == files
        assert ("title=qwen3-14b-chat" in done.stdout) != bool(files)


def test_an_absolute_name_below_a_root_that_is_a_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for start in ("real", "link"):
        put_outcome(tmp_path / "real" / "llmload-outcome", named(str(tmp_path / start / "s.yaml")))
        env = {**OUTSIDE, "GITHUB_WORKSPACE": str(tmp_path / "link")}
        assert files_of(here("ci", "annotate", cwd=tmp_path / "real", env=env).stdout) == {"s.yaml"}


def test_problems_of_a_document_are_annotated_from_the_folder(tmp_path: Path) -> None:
    put_outcome(tmp_path / "llmload-outcome", INVALID)
    first = here("ci", "annotate", cwd=tmp_path, env=OUTSIDE).stdout.splitlines()[0]
    assert first.startswith("::error file=scenarios/chat.yaml,line=7,col=15,title=spec.slo.ttft%3A invalid::")


@pytest.mark.parametrize("verb", ["ci run", "apply", "validate"])
def test_a_command_line_that_was_refused_is_at_no_file(tmp_path: Path, verb: str) -> None:
    refused = Entry(own_source(verb), 2, message="scenario: is empty. Name scenario files.")
    put_outcome(tmp_path / "llmload-outcome", Outcome(Command.APPLY, 2, (refused,)))
    told = here("ci", "annotate", cwd=tmp_path, env=OUTSIDE).stdout
    assert told == f"::error title=llmload {verb}%3A invalid::scenario: is empty. Name scenario files.\n"


def test_code_quality_goes_to_a_file_that_is_replaced(tmp_path: Path) -> None:
    put_outcome(tmp_path / "llmload-outcome", named("sub/s.yaml"))
    (tmp_path / "gl.json").write_text("old")
    done = here("ci", "annotate", "--format", "code-quality", "--output", "gl.json", cwd=tmp_path, env=OUTSIDE)
    assert (done.returncode, done.stdout) == (0, "")
    assert {issue["location"]["path"] for issue in json.loads((tmp_path / "gl.json").read_text())} == {"sub/s.yaml"}
