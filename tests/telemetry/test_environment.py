"""Facts of the machine and the code, and of nobody."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from pathlib import Path

import pytest

from llmload import __version__
from llmload.telemetry.ci import _SYSTEMS, ci_facts
from llmload.telemetry.environment import _CI_BRANCHES, _CI_TARGETS, environment_facts


@pytest.fixture(autouse=True)
def no_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (system.mark for system in _SYSTEMS):
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


COMMIT = "5f2c9d3b1e0a4c8f9b7d6e5a4c3b2a1f0e9d8c7b"


@pytest.mark.parametrize(
    ("variables", "facts"),
    [
        pytest.param({}, {}, id="nobody"),
        pytest.param({"BUILD_NUMBER": "7", "GIT_COMMIT": COMMIT}, {}, id="variables of Jenkins without Jenkins"),
        pytest.param(
            {
                "CI": "true",
                "GITHUB_ACTIONS": "true",
                "GITHUB_RUN_ID": "123456",
                "GITHUB_RUN_ATTEMPT": "2",
                "GITHUB_WORKFLOW": "load",
                "GITHUB_JOB": "gate",
                "GITHUB_REF": "refs/pull/12/merge",
                "GITHUB_SHA": COMMIT,
                "GITHUB_ACTOR": "somebody",
                "RUNNER_NAME": "host-7",
            },
            {
                "ci": "GitHub Actions",
                "ci_run": "123456.2",
                "ci_job": "load / gate",
                "ci_pull_request": "12",
                "ci_commit": COMMIT,
            },
            id="GitHub, the second attempt at a pull request",
        ),
        pytest.param(
            {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "9", "GITHUB_RUN_ATTEMPT": "1", "GITHUB_REF": "refs/heads/12"},
            {"ci": "GitHub Actions", "ci_run": "9", "ci_job": "", "ci_pull_request": "", "ci_commit": ""},
            id="GitHub, a push",
        ),
        pytest.param(
            {
                "CI": "true",
                "GITLAB_CI": "true",
                "CI_PIPELINE_ID": "77",
                "CI_JOB_NAME": "load test",
                "CI_MERGE_REQUEST_IID": "5",
                "CI_COMMIT_SHA": COMMIT.upper(),
                "GITLAB_USER_EMAIL": "somebody@example.org",
            },
            {
                "ci": "GitLab CI",
                "ci_run": "77",
                "ci_job": "load test",
                "ci_pull_request": "5",
                "ci_commit": COMMIT,
            },
            id="GitLab, a merge request",
        ),
        pytest.param(
            {
                "JENKINS_URL": "http://user:password@jenkins/",
                "BUILD_NUMBER": "31",
                "JOB_NAME": "llm/main",
                "CHANGE_ID": "8",
                "GIT_COMMIT": COMMIT,
                "NODE_NAME": "host-7",
            },
            {"ci": "Jenkins", "ci_run": "31", "ci_job": "llm/main", "ci_pull_request": "8", "ci_commit": COMMIT},
            id="Jenkins, a pull request",
        ),
        pytest.param(
            {"JENKINS_URL": "x", "JOB_NAME": "a\x1b[2J\nb" * 200, "GIT_COMMIT": "$(reboot)", "CHANGE_ID": "PR; rm"},
            {"ci": "Jenkins", "ci_run": "", "ci_job": None, "ci_pull_request": "", "ci_commit": ""},
            id="what no CI would say",
        ),
    ],
)
def test_ci_tells_its_run_and_its_commit_and_nobody_by_name(
    variables: dict[str, str], facts: dict[str, str | None]
) -> None:
    found = ci_facts(variables)
    assert found.keys() == facts.keys()
    for name, value in facts.items():
        assert value in (None, found[name])
        assert found[name].isprintable()
        assert len(found[name]) < 200
    assert not any(word in told for told in found.values() for word in ("somebody", "host-7", "password"))


def test_facts_of_the_machine_cost_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # without git
    took = []
    for _ in range(5):
        began = time.perf_counter()
        environment_facts()
        took.append(time.perf_counter() - began)
    assert min(took) < 0.05


def test_every_fact_is_one_printable_line() -> None:
    for name, value in environment_facts().items():
        assert value.isprintable(), name
