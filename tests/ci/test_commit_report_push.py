"""`llmload ci commit-report --push --pull-request`: to a bare repository, to a server that refuses, and to GitHub."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from llmload.ci.proposal import Moved, Recorded, RecordedBaseline, commit_message, pull_request_body, title_of
from llmload.ci.report_commit import with_token
from llmload.ci.repository import open_repository
from llmload.plain_text import plain
from tests.ci.scripted_github import REPOSITORY, TOKEN, ScriptedGithub, Trouble, refusal
from tests.cli.stored_history import fill, many
from tests.command import here
from tests.repositories import commit_all, run_git
from tests.scripted_server import Piece, Request, Script, ScriptedServer, head

OURS = "llmload/baseline"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two runs, for copies."""
    path = tmp_path_factory.mktemp("stores") / "two.db"
    fill(path, many(2, branch=""))
    return path


@pytest.fixture
def checkout(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of a bare repository, beside which the store lies; it is the working directory."""
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    for name in ("GITHUB_ACTIONS", "GITHUB_SERVER_URL", "GITHUB_TOKEN", "GITHUB_REPOSITORY", "GITHUB_API_URL"):
        monkeypatch.delenv(name, raising=False)
    shutil.copyfile(runs, tmp_path / "llmload.db")
    monkeypatch.setenv("LLMLOAD_STORE", str(tmp_path / "llmload.db"))
    folder = tmp_path / "checkout"
    folder.mkdir()
    monkeypatch.chdir(folder)
    run_git("init", "--quiet", "--bare", "--initial-branch", "main", "../origin.git")
    run_git("init", "--quiet", "--initial-branch", "main")
    run_git("config", "user.name", "Some One")
    run_git("config", "user.email", "one@example.org")
    run_git("remote", "add", "origin", str(tmp_path / "origin.git"))
    (folder / "file").write_text("one\n")
    commit_all("begin")
    run_git("push", "--quiet", "origin", "main")
    return folder


def record(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return here("ci", "commit-report", "--format", "csv", "--push", *words, cwd=checkout)


def at_origin(branch: str) -> str:
    return run_git("ls-remote", "origin", f"refs/heads/{branch}").partition("\t")[0]


def hook(checkout: Path, name: str, script: str) -> None:
    path = checkout.parent / "origin.git/hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


# ---------------------------------------------------------------- pushing


def test_the_branch_that_is_checked_out_is_pushed(checkout: Path) -> None:
    done = record(checkout)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("Pushed main to origin.\n")
    assert at_origin("main") == run_git("rev-parse", "HEAD")


def test_a_branch_of_ours_takes_the_place_of_its_last_commit_also_from_a_new_clone(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert record(checkout, "--branch", OURS).returncode == 0
    first = at_origin(OURS)
    clone = checkout.parent / "clone"
    run_git("clone", "--quiet", "--depth", "1", f"file://{checkout.parent}/origin.git", str(clone))
    monkeypatch.chdir(clone)
    run_git("config", "user.name", "Some One")
    run_git("config", "user.email", "one@example.org")
    done = here("ci", "commit-report", "--push", "--branch", OURS, "--format", "json", cwd=clone)
    assert done.returncode == 0, done.stderr
    assert at_origin(OURS) == run_git("rev-parse", OURS) != first
    assert run_git("rev-parse", f"{OURS}~1") == run_git("rev-parse", "HEAD")


def test_what_was_committed_and_not_pushed_is_pushed_later(checkout: Path) -> None:
    hook(checkout, "pre-receive", "exit 1")
    assert record(checkout).returncode == 5
    hook(checkout, "pre-receive", "exit 0")
    done = record(checkout)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Nothing changed since ")
    assert at_origin("main") == run_git("rev-parse", "HEAD")


def test_the_same_report_on_the_same_commit_moves_no_branch(checkout: Path) -> None:
    record(checkout, "--branch", OURS)
    first = at_origin(OURS)
    assert record(checkout, "--branch", OURS, "--message", "again").returncode == 0
    assert at_origin(OURS) == first
    run_git("branch", "--quiet", "--delete", "--force", OURS)
    assert record(checkout, "--branch", OURS, "--message", "again").returncode == 0
    assert at_origin(OURS) == first


def test_what_someone_added_to_a_branch_of_ours_at_origin_is_not_overwritten(checkout: Path) -> None:
    record(checkout, "--branch", OURS)
    run_git("checkout", "--quiet", "--detach", OURS)
    (checkout / "file").write_text("by hand\n")
    tip = commit_all("by hand")
    run_git("push", "--quiet", "origin", f"HEAD:{OURS}")
    run_git("checkout", "--quiet", "main")
    done = record(checkout, "--branch", OURS)
    assert done.returncode == 2
    assert f"has commits at origin that HEAD does not have, and that llmload did not make ({tip[:12]})" in done.stderr
    assert at_origin(OURS) == tip


def test_a_branch_that_moved_on_at_origin_is_not_overwritten(checkout: Path) -> None:
    (checkout / "file").write_text("two\n")
    tip = commit_all("of someone else")
    run_git("push", "--quiet", "origin", "main")
    run_git("reset", "--quiet", "--hard", "HEAD~1")
    done = record(checkout)
    assert done.returncode == 5
    assert "Someone pushed meanwhile: pull, and run this again" in done.stderr
    assert at_origin("main") == tip


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        pytest.param(
            "error: GH006: Protected branch update failed for refs/heads/main.", "--pull-request", id="protected"
        ),
        pytest.param("error: GH013: Repository rule violations found", "--pull-request", id="a ruleset"),
        pytest.param("fatal: no space left on device", "pull request", id="a full disk there"),
    ],
)
def test_what_origin_says_when_it_refuses_is_told_with_what_to_do(checkout: Path, said: str, remedy: str) -> None:
    hook(checkout, "pre-receive", f"echo '{said}' >&2; exit 1")
    done = record(checkout)
    assert done.returncode == 5
    assert said in done.stderr
    assert remedy in done.stderr
    assert (
        run_git("log", "-1", "--format=%s") == "Record report of chat"
    )  # the commit is there, and can be pushed later


def test_an_origin_that_is_not_there_is_told(checkout: Path) -> None:
    run_git("remote", "set-url", "origin", str(checkout.parent / "nowhere.git"))
    done = record(checkout)
    assert done.returncode == 5
    assert "git push origin main" in done.stderr
    assert "nowhere.git" in done.stderr


# ---------------------------------------------------------------- the token


def not_allowed(_: Request) -> Script:
    body = b"Permission to acme/serving.git denied to github-actions[bot]."
    return Script([Piece(0, head("403 Forbidden", "text/plain", f"Content-Length: {len(body)}\r\n") + body)])


def headers_of(request: Request) -> list[str]:
    lines = request.head.decode().splitlines()
    return [line.partition(": ")[2] for line in lines if line.lower().startswith("authorization:")]


def test_the_token_is_shown_once_to_its_own_server_and_told_to_nobody(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
    with ScriptedServer(not_allowed) as server:
        run_git("remote", "set-url", "origin", f"{server.url}/acme/serving.git")
        run_git("config", f"http.{server.url}/.extraheader", "AUTHORIZATION: basic left-by-the-checkout")
        monkeypatch.setenv("GITHUB_SERVER_URL", server.url)
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        done = record(checkout)
        assert [headers_of(request) for request in server.requests] == [[f"basic {shown}"]]
    assert done.returncode == 5
    assert "permissions: contents: write" in done.stderr
    assert TOKEN not in done.stdout + done.stderr
    assert shown not in done.stdout + done.stderr


def test_another_server_is_not_shown_the_token(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(not_allowed) as server:
        run_git("remote", "set-url", "origin", f"{server.url}/acme/serving.git")
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        assert record(checkout).returncode == 5
        assert [headers_of(request) for request in server.requests] == [[]]


@pytest.mark.parametrize("tracing", ["GIT_CURL_VERBOSE", "GIT_TRACE_CURL", "GIT_TRACE2_EVENT", "GIT_TRACE"])
def test_no_trace_of_git_has_the_token(checkout: Path, monkeypatch: pytest.MonkeyPatch, tracing: str) -> None:
    shown = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
    trace = checkout.parent / "trace"
    with ScriptedServer(not_allowed) as server:
        run_git("remote", "set-url", "origin", f"{server.url}/acme/serving.git")
        monkeypatch.setenv("GITHUB_SERVER_URL", server.url)
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        monkeypatch.setenv(tracing, "1" if tracing == "GIT_CURL_VERBOSE" else str(trace))
        monkeypatch.setenv("GIT_TRACE_REDACT", "0")
        monkeypatch.setenv("GIT_TRACE2_ENV_VARS", "GIT_CONFIG_VALUE_0,GIT_CONFIG_VALUE_1,GIT_CONFIG_VALUE_2")
        done = record(checkout)
        assert server.requests
    assert done.returncode == 5
    told = done.stdout + done.stderr + (trace.read_text() if trace.exists() else "")
    assert shown not in told
    assert "authorization" not in told.lower()


@pytest.mark.parametrize("server", ["http://git.example", "http://192.0.2.1:8080", "git://git.example"])
def test_no_token_is_shown_where_others_on_the_way_could_read_it(checkout: Path, server: str) -> None:
    run_git("remote", "set-url", "origin", f"{server}/acme/serving.git")
    repository = open_repository(os.environ)
    assert with_token(repository, TOKEN, server).env == repository.env


def test_credentials_in_the_address_of_origin_are_not_told(checkout: Path) -> None:
    run_git("remote", "set-url", "origin", "http://someone:s3cr3t@127.0.0.1:1/acme/serving.git")
    done = record(checkout)
    assert done.returncode == 5
    assert "s3cr3t" not in done.stdout + done.stderr


# ---------------------------------------------------------------- the pull request


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> ScriptedGithub:
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.setenv("GITHUB_REPOSITORY", REPOSITORY)
    return ScriptedGithub(pulls=[])


def propose(checkout: Path, github: ScriptedGithub, *words: str) -> subprocess.CompletedProcess[str]:
    env = {"GITHUB_API_URL": github.url}
    words = ("--baseline", "--reason", "nightly", "--branch", OURS, "--push", "--pull-request", *words)
    return here("ci", "commit-report", "--format", "csv", *words, cwd=checkout, env=env)


def test_a_pull_request_is_opened_once_and_then_kept_up_to_date(checkout: Path, github: ScriptedGithub) -> None:
    with github:
        done = propose(checkout, github)
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith(f"Pull request 100 proposes it: https://github.com/{REPOSITORY}/pull/100\n")
        (made,) = github.pulls
        assert (made["title"], made["base"]["ref"], made["head"]["ref"]) == (  # type: ignore[index]  # JSON
            "Record baseline and report of chat",
            "main",
            OURS,
        )
        assert "**Why:** nightly\n" in str(made["body"])
        assert "2 of 8 runs: advisory" in str(made["body"])
        assert propose(checkout, github, "--title", "Another").returncode == 0
        assert [each["title"] for each in github.pulls] == ["Another"]
        assert github.written() == [f"POST /repos/{REPOSITORY}/pulls", f"PATCH /repos/{REPOSITORY}/pulls/100"]


def test_a_job_that_may_not_open_pull_requests_is_told_what_to_allow(checkout: Path, github: ScriptedGithub) -> None:
    message = "GitHub Actions is not permitted to create or approve pull requests."
    github.troubles.append(Trouble("POST", refusal(403, message)))
    with github:
        done = propose(checkout, github)
    assert done.returncode == 5
    assert "GitHub Actions is not permitted to create or approve pull requests" in done.stderr
    assert "pull-requests: write" in done.stderr
    assert at_origin(OURS)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        pytest.param("GITHUB_TOKEN", "", "GITHUB_TOKEN: holds no token", id="no token"),
        pytest.param("GITHUB_REPOSITORY", "../x", "--repo: ", id="no repository"),
        pytest.param("GITHUB_API_URL", "http://example.org", "GITHUB_API_URL", id="an address that gets no token"),
    ],
)
def test_what_a_pull_request_lacks_is_said_before_anything_is_pushed(
    checkout: Path, github: ScriptedGithub, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    words = ("--push", "--pull-request", "--branch", OURS)
    done = here("ci", "commit-report", "--format", "csv", *words, cwd=checkout)
    assert done.returncode == 2
    assert said in done.stderr
    assert at_origin(OURS) == ""


def test_a_dry_run_asks_nobody_and_says_what_it_would_ask(checkout: Path, github: ScriptedGithub) -> None:
    with github:
        done = propose(checkout, github, "--dry-run")
        assert github.requests == []
    assert done.returncode == 0, done.stderr
    assert f"A pull request of {REPOSITORY} into the default branch would say:" in done.stdout
    assert "  | **Why:** nightly" in done.stdout
    assert at_origin(OURS) == ""
    assert run_git("branch", "--list", OURS) == ""


# ---------------------------------------------------------------- words

EVIL = "a|b\n\n# <img src=x> @team [x](http://x) `y` ::error::\x1b[31m"


def test_no_name_or_reason_is_markup_in_a_pull_request_or_a_second_line_in_a_commit() -> None:
    recorded = [
        Recorded(
            EVIL, EVIL, EVIL, EVIL, RecordedBaseline(EVIL, 2, 1, 0, (EVIL,), (Moved(EVIL, EVIL, "", "1 ms", "", ""),))
        )
    ]
    body = pull_request_body(recorded, EVIL)
    assert "<img" not in body
    assert "[x](" not in body
    assert "@team" not in body
    assert "\x1b" not in body
    assert "\n#" not in body
    assert len([line for line in body.splitlines() if line.startswith("| ")]) == 6
    message = commit_message(recorded, title_of(recorded, EVIL), EVIL)
    assert message.count("\n") == 9
    assert "\x1b" not in message
    names = message.replace(title_of(recorded, EVIL), "").replace(f"Why: {plain(EVIL)}", "").replace(plain(EVIL), "")
    assert "@" not in names  # the reason and the verdict are words of ours or of the user
    assert "[" not in names


def test_many_scenarios_are_counted_in_the_title() -> None:
    recorded = [Recorded(name, "r", "pass", "p") for name in "abcde"]
    assert title_of(recorded, None) == "Record report of a, b, c and 2 more"
