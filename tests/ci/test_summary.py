"""`llmload ci summary`, as a job runs it: where it writes, how much, and what it says of an outcome that was stored."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from llmload.ci.outcome_folder import put_outcome
from llmload.cli.ci_files import STEP_LIMIT
from llmload.outcome import Outcome
from llmload.reporters.step_summary import render
from llmload.reporters.texts import Language, texts_in
from tests.command import LLMLOAD, here
from tests.recorded_comparisons import REGRESSED
from tests.recorded_outcomes import COMPARED, INTERRUPTED, MIXED, SERVER_DOWN, of_runs
from tests.recorded_runs import CLEAN, TROUBLE

ENGLISH = texts_in(Language.EN)
OUTSIDE = {"GITHUB_STEP_SUMMARY": ""}
"""Of any job, also where these tests run in one."""


@pytest.mark.parametrize(
    "outcome",
    [
        pytest.param(of_runs(CLEAN, REGRESSED), id="runs"),
        pytest.param(COMPARED, id="compared"),
        pytest.param(SERVER_DOWN, id="server down"),
        pytest.param(INTERRUPTED, id="interrupted"),
    ],
)
def test_a_stored_outcome_is_told_as_the_command_left_it(tmp_path: Path, outcome: Outcome) -> None:
    put_outcome(tmp_path / "llmload-outcome", outcome)
    done = here("ci", "summary", cwd=tmp_path, env=OUTSIDE)
    assert (done.returncode, done.stdout.encode()) == (0, render(outcome, ENGLISH))


def test_a_folder_is_named_and_the_language_and_the_artifact_too(tmp_path: Path) -> None:
    put_outcome(tmp_path / "shard", MIXED)
    done = here("ci", "summary", "shard", "--lang", "ko", "--artifact", "llmload 1", cwd=tmp_path, env=OUTSIDE)
    assert done.stdout.startswith("## ⛔ 잘못된 입력: 시나리오 5개")
    assert "아티팩트 `llmload 1`" in done.stdout


def test_the_summary_of_a_step_is_added_to_and_never_replaced(tmp_path: Path) -> None:
    put_outcome(tmp_path / "llmload-outcome", of_runs(CLEAN))
    page = tmp_path / "page.md"
    page.write_text("| a table of another program |")
    for _ in range(2):
        done = here("ci", "summary", cwd=tmp_path, env={"GITHUB_STEP_SUMMARY": str(page)})
        assert (done.returncode, done.stdout) == (0, "")
    own = render(of_runs(CLEAN), ENGLISH).decode()
    assert page.read_text() == f"| a table of another program |\n\n{own}\n\n{own}"


def test_an_output_is_replaced_and_the_summary_of_the_step_left_alone(tmp_path: Path) -> None:
    put_outcome(tmp_path / "llmload-outcome", of_runs(CLEAN))
    (tmp_path / "own.md").write_text("old")
    here("ci", "summary", "--output", "own.md", cwd=tmp_path, env={"GITHUB_STEP_SUMMARY": str(tmp_path / "page.md")})
    assert (tmp_path / "own.md").read_bytes() == render(of_runs(CLEAN), ENGLISH)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["llmload-outcome", "own.md"]


@pytest.mark.parametrize("room", [0, 100, 3_000, 150_000])
def test_a_step_never_gets_more_than_github_keeps(tmp_path: Path, room: int) -> None:
    put_outcome(tmp_path / "llmload-outcome", of_runs(CLEAN, TROUBLE))
    page = tmp_path / "page.md"
    page.write_bytes(b"x" * (STEP_LIMIT - room))
    done = here("ci", "summary", cwd=tmp_path, env={"GITHUB_STEP_SUMMARY": str(page)})
    assert done.returncode == 0
    assert page.stat().st_size <= STEP_LIMIT
    is_told = page.stat().st_size > STEP_LIMIT - room
    assert is_told == (room > 1_000)
    assert ("no summary" in done.stderr) != is_told


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = here("ci", "summary", "nothing", cwd=tmp_path, env=OUTSIDE)
    assert done.returncode == 2
    assert "nothing" in done.stderr


@pytest.mark.parametrize("verb", ["summary", "annotate"])
def test_a_file_that_cannot_be_written_is_no_defect(tmp_path: Path, verb: str) -> None:
    put_outcome(tmp_path / "llmload-outcome", of_runs(TROUBLE))
    (tmp_path / "folder").mkdir()
    for output in ("folder", "no/such/folder/x.md"):
        done = here("ci", verb, "--output", output, cwd=tmp_path, env=OUTSIDE)
        assert done.returncode == 2
        assert "cannot be written" in done.stderr
    assert list((tmp_path / "folder").iterdir()) == []


@pytest.mark.parametrize("verb", ["summary", "annotate"])
def test_a_full_disk_is_no_defect(tmp_path: Path, verb: str) -> None:
    put_outcome(tmp_path / "llmload-outcome", of_runs(TROUBLE))
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [LLMLOAD, "ci", verb],
            cwd=tmp_path,
            env={**os.environ, **OUTSIDE},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0
    assert done.stderr == "llmload: the output cannot be written (No space left on device)\n"


def test_a_full_disk_under_the_summary_of_the_step_is_no_defect(tmp_path: Path) -> None:
    put_outcome(tmp_path / "llmload-outcome", of_runs(TROUBLE))
    done = here("ci", "summary", cwd=tmp_path, env={"GITHUB_STEP_SUMMARY": "/dev/full"})
    assert done.returncode == 2
    assert "/dev/full: cannot be written (No space left on device)" in done.stderr


def test_nobody_reads_and_nothing_breaks(tmp_path: Path) -> None:
    put_outcome(tmp_path / "llmload-outcome", of_runs(TROUBLE))
    done = subprocess.run(
        ["bash", "-c", '"$0" ci annotate >&-; echo $?; "$0" ci summary | true; echo ${PIPESTATUS[0]}', LLMLOAD],
        cwd=tmp_path,
        env={**os.environ, **OUTSIDE},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (done.stdout.split(), done.stderr) == (["0", "0"], "")
