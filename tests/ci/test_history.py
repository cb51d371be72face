"""What the action fetches so that a baseline can be found, in real git repositories, one of which is shallow."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from llmload import git
from tests.ci.local_runner import obeyed
from tests.ci.machines import ACTION
from tests.repositories import commit_all, run_git

BASE = "release"  # neither main nor master, which llmload would find by itself


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository in which `topic` left `release` two commits ago; it is merged as GitHub merges for a check."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    folder = tmp_path / "remote"
    folder.mkdir()
    monkeypatch.chdir(folder)
    run_git("init", "--quiet", "--initial-branch", BASE)
    for number in range(3):
        Path("file").write_text(str(number))
        commit_all(f"base {number}")
    run_git("branch", "topic")
    run_git("switch", "--quiet", "topic")
    for number in range(2):
        Path("other").write_text(str(number))
        commit_all(f"topic {number}")
    return folder


def checkout(remote: Path, into: Path, *options: str, branch: str = "topic") -> None:
    """What actions/checkout leaves: a detached commit, of which `--depth=1` has no parents."""
    run_git("clone", "--quiet", "--branch", branch, *options, f"file://{remote}", str(into))
    os.chdir(into)
    run_git("switch", "--quiet", "--detach")
    run_git("remote", "set-head", "origin", "--delete")


def fetch(baseline: str = "", base: str = BASE) -> list[str]:
    """The warnings of the step, which never fails."""
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(ACTION / "fetch_history.sh")],
        env={**os.environ, "BASELINE": baseline, "BASE_BRANCH": base},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return obeyed(done.stdout)


@pytest.mark.parametrize("options", [("--depth=1",), ()], ids=["shallow", "whole"])
def test_the_commit_is_known_at_which_the_branch_left_its_base(remote: Path, options: tuple[str, ...]) -> None:
    left = run_git("rev-parse", BASE)
    checkout(remote, remote.parent / "checkout", *options)
    assert fetch() == []
    default = git.default_branch()
    assert (default and default[0], git.merge_base()) == (BASE, left)


def test_a_shallow_checkout_alone_would_not_know_it(remote: Path) -> None:
    checkout(remote, remote.parent / "checkout", "--depth=1")
    assert git.merge_base() is None


def test_on_the_base_branch_it_is_the_commit_itself(remote: Path) -> None:
    checkout(remote, remote.parent / "checkout", "--depth=1", branch=BASE)
    assert fetch() == []
    assert git.merge_base() == run_git("rev-parse", "HEAD")


def test_a_baseline_that_is_named_needs_no_history(remote: Path) -> None:
    checkout(remote, remote.parent / "checkout", "--depth=1")
    assert fetch(baseline="reports/baselines") == []
    assert git.is_shallow()


@pytest.mark.parametrize(
    ("base", "words"),
    [
        pytest.param("gone", "could not be fetched", id="no such branch"),
        pytest.param("", "Nobody says", id="no branch at all"),
        pytest.param("a..b", "impossible name", id="no name of a branch"),
        pytest.param("--upload-pack=touch pwned", "impossible name", id="an option"),
        pytest.param("-x", "could not be fetched", id="a name that begins like an option"),
    ],
)
def test_what_cannot_be_had_is_a_warning_that_says_what_to_do(remote: Path, base: str, words: str) -> None:
    checkout(remote, remote.parent / "checkout", "--depth=1")
    warnings = fetch(base=base)
    assert len(warnings) == 1
    assert words in warnings[0]
    assert "fetch-depth: 0" in warnings[0]
    assert not list(remote.parent.rglob("pwned"))


def test_where_there_is_no_git_that_is_all_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    assert ["no git checkout" in warning for warning in fetch()] == [True]


def test_no_program_that_bounds_the_time_is_needed(
    remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS, where coreutils are not there unless somebody installed them."""
    checkout(remote, tmp_path / "here", "--depth=1")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("bash", "git"):
        (programs / name).symlink_to(shutil.which(name) or name)
    monkeypatch.setenv("PATH", str(programs))
    assert fetch() == []
    assert git.merge_base() == run_git("rev-parse", f"origin/{BASE}").strip()
