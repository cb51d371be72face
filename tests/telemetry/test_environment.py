"""Facts of the machine and the code, and of nobody."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import pytest

from llmload import __version__
from llmload.telemetry.environment import _CI_BRANCHES, _CI_TARGETS, environment_facts


@pytest.fixture(autouse=True)
def no_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "CIRCLECI", "JENKINS_URL", "TF_BUILD", "TRAVIS", "CI"):
        monkeypatch.delenv(name, raising=False)
    for name in (*_CI_BRANCHES, *_CI_TARGETS):
        monkeypatch.delenv(name, raising=False)


def git(*words: str) -> str:
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a"}
    done = subprocess.run(["git", *words], env={**os.environ, **who}, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_commit_and_whether_files_were_changed_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet", "--initial-branch", "trunk")
    Path("file").write_text("one")
    git("add", "file")
    git("commit", "--quiet", "--message", "one")
    commit = git("rev-parse", "HEAD")
    facts = environment_facts()
    assert (facts["git_commit"], facts["git_state"]) == (commit, "clean")
    assert facts["git_branch"] == "trunk"
    Path("file").write_text("two")
    assert environment_facts()["git_state"] == "changed"


@pytest.mark.parametrize(
    ("variables", "branch"),
    [
        pytest.param({}, None, id="nobody names one"),
        pytest.param({"GITHUB_REF_NAME": "main"}, "main", id="GitHub, a push"),
        pytest.param(
            {"GITHUB_HEAD_REF": "faster", "GITHUB_BASE_REF": "main", "GITHUB_REF_NAME": "12/merge"},
            "faster",
            id="GitHub, a pull request",
        ),
        pytest.param(
            {"GITHUB_HEAD_REF": "main", "GITHUB_BASE_REF": "main", "GITHUB_REF_NAME": "12/merge"},
            "12/merge",
            id="GitHub, a pull request out of the main of a fork",
        ),
        pytest.param({"CI_COMMIT_BRANCH": "main"}, "main", id="GitLab"),
        pytest.param({"BUILD_SOURCEBRANCH": "refs/heads/main"}, "main", id="Azure Pipelines"),
    ],
)
def test_ci_names_the_branch_where_a_commit_is_checked_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], branch: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message", "one")
    git("checkout", "--quiet", "--detach")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert environment_facts().get("git_branch") == branch


def test_outside_a_repository_nothing_is_said_of_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert not [name for name in environment_facts() if name.startswith("git")]


def test_without_git_the_rest_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    facts = environment_facts()
    assert facts["llmload"] == __version__
    assert facts["python"].endswith(platform.python_version())
    assert int(facts["cpu_count"]) >= 1


def test_the_ci_is_named_and_the_host_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "ci" not in environment_facts()
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    facts = environment_facts()
    assert facts["ci"] == "GitHub Actions"
    assert platform.node() not in facts.values()
