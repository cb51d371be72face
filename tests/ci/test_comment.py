"""`llmload ci comment` as a job calls it, against a scripted GitHub."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from llmload.ci.outcome_folder import put_outcome
from llmload.outcome import Outcome
from tests.ci.scripted_github import (
    FORBIDDEN,
    HEAD_SHA,
    PERSON,
    REPOSITORY,
    TOKEN,
    ScriptedGithub,
    Trouble,
    pull,
    refusal,
)
from tests.command import here, llmload
from tests.recorded_outcomes import HOSTILE_INVALID, INVALID, of_runs
from tests.recorded_runs import CLEAN, TROUBLE

OURS: dict[str, object] = {"pull_request": pull()}
FORK: dict[str, object] = {
    "pull_request": pull(head={"repo": {"full_name": "mallory/serving"}, "ref": "x", "sha": HEAD_SHA})
}
COMMENTS = f"/repos/{REPOSITORY}/issues/7/comments"


@dataclass
class Job:
    """A job of GitHub Actions in a folder, started by an event, with an outcome in it."""

    folder: Path
    url: str = "http://127.0.0.1:9"
    token: str = TOKEN

    def comments(
        self, *arguments: str, outcome: Outcome, event: Mapping[str, object] | None = OURS
    ) -> subprocess.CompletedProcess[str]:
        """`llmload ci comment` over this outcome."""
        put_outcome(self.folder / "llmload-outcome", outcome)
        env = {
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_RUN_ID": "42",
            "GITHUB_SHA": "f" * 40,
            "GITHUB_API_URL": self.url,
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_EVENT_PATH": "",
            "GITHUB_TOKEN": self.token,
        }
        if event is not None:
            (self.folder / "event.json").write_bytes(orjson.dumps(event))
            env["GITHUB_EVENT_PATH"] = str(self.folder / "event.json")
        done = here("ci", "comment", *arguments, cwd=self.folder, env=env)
        assert TOKEN not in done.stdout + done.stderr
        return done


PASSED, FAILED = of_runs(CLEAN), of_runs(TROUBLE)


def test_one_comment_follows_a_pull_request_through_its_runs(tmp_path: Path) -> None:
    with ScriptedGithub() as github:
        job = Job(tmp_path, github.url)
        said = [job.comments(outcome=each) for each in (PASSED, PASSED, FAILED)]
        said.append(job.comments("--when", "always", outcome=FAILED))
    assert [done.returncode for done in said] == [0, 0, 0, 0]
    words = [done.stderr.split(": ")[1] for done in said]
    assert words == ["comment posted", "comment left as it is", "comment rewritten", "comment rewritten"]
    assert "/pull/7#issuecomment-1000" in said[0].stderr
    body = str(github.comments[0]["body"])
    assert body.splitlines()[0].startswith("<!-- llmload:comment key=llmload digest=")
    assert body.splitlines()[1].startswith("## ❌ FAIL: qwen3-14b-chat")
    assert f"`{HEAD_SHA[:12]}`" in body
    assert f"https://github.com/{REPOSITORY}/actions/runs/42" in body
    assert len(github.comments) == 1


def test_never_neither_reads_nor_sends_anything(tmp_path: Path) -> None:
    with ScriptedGithub() as github:
        done = here("ci", "comment", "gone", "--when", "never", cwd=tmp_path, env={"GITHUB_API_URL": github.url})
    assert done.returncode == 0
    assert github.requests == []


def test_keys_keep_several_comments_apart(tmp_path: Path) -> None:
    with ScriptedGithub() as github:
        job = Job(tmp_path, github.url)
        for key in ("gpu-a", "gpu-b", "gpu-a"):
            assert job.comments("--key", key, outcome=PASSED).returncode == 0
    assert [str(each["body"]).split()[2] for each in github.comments] == ["key=gpu-a", "key=gpu-b"]


def test_a_korean_comment_is_korean(tmp_path: Path) -> None:
    with ScriptedGithub() as github:
        Job(tmp_path, github.url).comments("--lang", "ko", outcome=FAILED)
    assert "## ❌ 실패: qwen3-14b-chat" in str(github.comments[0]["body"])


# ---------------------------------------------------------------- rights


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(FORK, id="a fork"),
        pytest.param(OURS | {"sender": {"login": "dependabot[bot]"}}, id="Dependabot"),
    ],
)
def test_a_job_that_may_not_write_says_why_and_what_to_use_instead(tmp_path: Path, event: dict[str, object]) -> None:
    with ScriptedGithub(troubles=[Trouble("POST", FORBIDDEN, path=COMMENTS)]) as github:
        done = Job(tmp_path, github.url).comments(outcome=FAILED, event=event)
    assert done.returncode == 0
    assert "may not write" in done.stderr
    assert "Resource not accessible by integration" in done.stderr
    assert "workflow_run" in done.stderr
    assert "docs/ci.md" in done.stderr
    assert github.comments == []


def test_a_fork_without_any_token_says_the_same(tmp_path: Path) -> None:
    done = Job(tmp_path, token="").comments(outcome=FAILED, event=FORK)
    assert done.returncode == 0
    assert "comes from a fork" in done.stderr


def test_a_fork_whose_jobs_may_write_has_its_comment(tmp_path: Path) -> None:
    with ScriptedGithub() as github:
        assert Job(tmp_path, github.url).comments(outcome=FAILED, event=FORK).returncode == 0
    assert len(github.comments) == 1


def test_missing_rights_elsewhere_are_an_error_that_names_them(tmp_path: Path) -> None:
    with ScriptedGithub(troubles=[Trouble("POST", FORBIDDEN, path=COMMENTS)]) as github:
        done = Job(tmp_path, github.url).comments(outcome=FAILED)
    assert done.returncode == 5
    assert "permissions: pull-requests: write" in done.stderr
    assert "Workflow permissions" in done.stderr


def test_a_fork_excuses_no_other_refusal(tmp_path: Path) -> None:
    locked = refusal(422, "Validation failed")
    with ScriptedGithub(troubles=[Trouble("POST", locked, path=COMMENTS)]) as github:
        done = Job(tmp_path, github.url).comments(outcome=FAILED, event=FORK)
    assert done.returncode == 5
    assert "Validation failed" in done.stderr


def test_a_fork_excuses_no_rate_limit(tmp_path: Path) -> None:
    limit = refusal(403, "API rate limit exceeded", x_ratelimit_remaining="0", x_ratelimit_reset="99999999999")
    with ScriptedGithub(troubles=[Trouble("POST", limit, path=COMMENTS)]) as github:
        done = Job(tmp_path, github.url).comments(outcome=FAILED, event=FORK)
    assert done.returncode == 5
    assert "rate limit" in done.stderr


def test_a_missing_token_is_asked_for_by_its_variable(tmp_path: Path) -> None:
    done = Job(tmp_path).comments("--token-env", "LLMLOAD_NO_SUCH_TOKEN", outcome=FAILED)
    assert done.returncode == 2
    assert "LLMLOAD_NO_SUCH_TOKEN: holds no token" in done.stderr


def test_a_wrong_token_is_refused_without_being_told(tmp_path: Path) -> None:
    with ScriptedGithub() as github:
        done = Job(tmp_path, github.url, token="ghs_wrongwrong").comments(outcome=FAILED)
    assert done.returncode == 5
    assert "GITHUB_TOKEN holds a token of this repository" in done.stderr
    assert "ghs_wrongwrong" not in done.stderr


def test_a_token_does_not_go_to_plain_http(tmp_path: Path) -> None:
    done = Job(tmp_path, "http://api.example.com").comments(outcome=FAILED)
    assert done.returncode == 2
    assert "is not https" in done.stderr


# ---------------------------------------------------------------- which pull request


def test_a_push_has_no_comment_and_no_error(tmp_path: Path) -> None:
    with ScriptedGithub() as github:
        done = Job(tmp_path, github.url).comments(outcome=FAILED, event={"ref": "refs/heads/main"})
    assert done.returncode == 0
    assert "of no pull request" in done.stderr
    assert github.requests == []


def test_a_published_comment_names_the_commit_and_the_run_that_measured(tmp_path: Path) -> None:
    (tmp_path / "number").write_text("7\n")
    asked = ("--pull-request-file", "number", "--head-sha", HEAD_SHA)
    with ScriptedGithub(pulls=[FORK["pull_request"]]) as github:  # type: ignore[list-item]
        done = Job(tmp_path, github.url).comments(*asked, outcome=FAILED, event={"workflow_run": {"id": 41}})
    assert done.returncode == 0
    body = str(github.comments[0]["body"])
    assert f"Measured at `{HEAD_SHA[:12]}`" in body
    assert "/actions/runs/41" in body
    assert "/actions/runs/42" not in body


@pytest.mark.parametrize(
    ("number", "found", "code"),
    [
        pytest.param("7; id", pull(), 2, id="a file with more than a number"),
        pytest.param("7", pull(state="closed"), 5, id="a closed pull request"),
        pytest.param("7", pull(head={**pull()["head"], "sha": "e" * 40}), 5, id="another commit"),  # type: ignore[dict-item]
        pytest.param("8", pull(), 5, id="a pull request that does not exist"),
    ],
)
def test_what_a_stranger_claims_wrongly_is_not_posted(
    tmp_path: Path, number: str, found: dict[str, object], code: int
) -> None:
    (tmp_path / "number").write_text(number)
    asked = ("--pull-request-file", "number", "--head-sha", HEAD_SHA)
    with ScriptedGithub(pulls=[found]) as github:
        done = Job(tmp_path, github.url).comments(*asked, outcome=FAILED, event=None)
    assert done.returncode == code, done.stderr
    assert github.written() == []


def test_a_strangers_comment_with_our_marker_stays(tmp_path: Path) -> None:
    with ScriptedGithub() as github:
        job = Job(tmp_path, github.url)
        job.comments(outcome=PASSED)
        forged = str(github.comments.pop()["body"])
        github.comment(forged, PERSON)
        assert job.comments(outcome=FAILED).returncode == 0
    assert len(github.comments) == 2
    assert github.comments[0]["body"] == forged


# ---------------------------------------------------------------- rehearsed


def test_a_rehearsal_prints_request_and_comment_and_sends_nothing(tmp_path: Path) -> None:
    with ScriptedGithub() as github:
        done = Job(tmp_path, github.url, token="").comments("--dry-run", outcome=INVALID)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == f"POST {COMMENTS}"
    assert lines[3].startswith("<!-- llmload:comment key=llmload digest=")
    assert lines[4] == "## ⛔ INVALID: 2 scenarios · 1 invalid, 1 pass"
    assert github.requests == []


def test_a_rehearsal_needs_no_github_at_all(tmp_path: Path) -> None:
    put_outcome(tmp_path / "here", PASSED)
    env = dict.fromkeys(("GITHUB_REPOSITORY", "GITHUB_EVENT_PATH", "GITHUB_TOKEN", "GITHUB_API_URL"), "")
    done = here("ci", "comment", "here", "--dry-run", cwd=tmp_path, env=env)
    assert done.returncode == 0
    assert done.stdout.startswith("POST /repos/OWNER/NAME/issues/NUMBER/comments\n")


def test_a_rehearsal_gives_a_runner_no_commands(tmp_path: Path) -> None:
    entry = HOSTILE_INVALID.entries[0]
    problem = entry.problems[0]
    commands = Outcome(
        HOSTILE_INVALID.command,
        2,
        (type(entry)("::error::a", 2, problems=(type(problem)("a", 1, 1, "::b", "::stop-commands::c", "::d"),)),),
    )
    done = Job(tmp_path).comments("--dry-run", outcome=commands)
    assert "stop-commands" in done.stdout
    assert not [line for line in done.stdout.splitlines() if line.lstrip().startswith("::")]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(("--key", "a b"), "--key", id="no key"),
        pytest.param(("--when", "sometimes"), "--when", id="no such time"),
        pytest.param(("--pull-request", "0"), "--pull-request", id="no number"),
        pytest.param(("--pull-request", "12345678901"), "--pull-request", id="a number too long"),
        pytest.param(("--repo", "acme/../x"), "--repo", id="no repository"),
        pytest.param(("--head-sha", "abc"), "--head-sha", id="a commit alone"),
        pytest.param(("no-such-folder",), "no-such-folder", id="no outcome"),
    ],
)
def test_a_wrong_command_line_is_refused_before_anything_is_sent(
    tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    with ScriptedGithub() as github:
        done = Job(tmp_path, github.url).comments(*arguments, outcome=PASSED)
    assert done.returncode == 2
    assert told in done.stderr
    assert github.requests == []


def test_the_command_is_there_for_a_shell(tmp_path: Path) -> None:
    done = llmload("ci", "comment", "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "Example: llmload ci comment --dry-run" in done.stdout
