"""Which pull request a comment is for, whatever a stranger's job claims."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import orjson
import pytest

from llmload.ci.github_job import GithubJob
from llmload.ci.pull_request import Chosen, Wanted, choose, confirm
from llmload.errors import ForgeError, UsageError
from tests.ci.scripted_github import HEAD_SHA, REPOSITORY, ScriptedGithub, pull


def event_of(folder: Path, event: object) -> GithubJob:
    """A job that was started by this event."""
    path = folder / "event.json"
    path.write_bytes(event if isinstance(event, bytes) else orjson.dumps(event))
    return GithubJob(repository=REPOSITORY, event=path)


def claim(folder: Path, content: bytes) -> Wanted:
    """What the publishing job says, of a file with this content."""
    (folder / "number").write_bytes(content)
    return Wanted(file=folder / "number", head_sha=HEAD_SHA)


# ---------------------------------------------------------------- told by the command line or the event


def test_the_event_tells_number_and_commit(tmp_path: Path) -> None:
    assert choose(Wanted(), event_of(tmp_path, {"pull_request": pull()})) == Chosen(7, HEAD_SHA)


def test_a_number_on_the_command_line_wins(tmp_path: Path) -> None:
    job = event_of(tmp_path, {"pull_request": pull()})
    assert choose(Wanted(number=8), job) == Chosen(8)
    assert choose(Wanted(number=7), job) == Chosen(7, HEAD_SHA)


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({"ref": "refs/heads/main"}, id="a push"),
        pytest.param({"issue": {"number": 7, "pull_request": {}}}, id="a comment of an issue"),
        pytest.param({"workflow_run": {"id": 5}}, id="another workflow"),
        pytest.param({"pull_request": {"number": True}}, id="a number that is none"),
        pytest.param({"pull_request": [7]}, id="a list"),
    ],
)
def test_an_event_of_no_pull_request_is_none(tmp_path: Path, event: object) -> None:
    assert choose(Wanted(), event_of(tmp_path, event)) is None


def test_nobody_telling_is_an_error_that_says_how() -> None:
    with pytest.raises(UsageError, match="--pull-request 12"):
        choose(Wanted(), GithubJob())


@pytest.mark.parametrize(
    ("content", "told"), [(b"no JSON", "no JSON"), (b"[]", "no event"), (b"", "no JSON"), (b"\xff\xfe", "no JSON")]
)
def test_an_event_that_is_none_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        choose(Wanted(), event_of(tmp_path, content))


def test_an_event_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        choose(Wanted(), GithubJob(event=tmp_path / "gone"))


FORK = {"repo": {"full_name": "mallory/serving"}, "ref": "x", "sha": HEAD_SHA}


@pytest.mark.parametrize(
    ("event", "told"),
    [
        pytest.param({"pull_request": pull(head=FORK)}, "fork", id="a fork"),
        pytest.param({"pull_request": pull(head={**FORK, "repo": None})}, "fork", id="a fork that is gone"),
        pytest.param({"pull_request": pull(), "sender": {"login": "dependabot[bot]"}}, "Dependabot", id="Dependabot"),
    ],
)
def test_jobs_that_may_not_write_are_known_by_their_event(
    tmp_path: Path, event: Mapping[str, object], told: str
) -> None:
    chosen = choose(Wanted(), event_of(tmp_path, event))
    assert chosen is not None
    assert told in chosen.read_only


# ---------------------------------------------------------------- told by a stranger's file


@pytest.mark.parametrize("content", [b"7", b"7\n", b"4294967295", b"9999999999\n"])
def test_a_file_with_a_number_tells_it(tmp_path: Path, content: bytes) -> None:
    chosen = choose(claim(tmp_path, content), GithubJob())
    assert chosen == Chosen(int(content), HEAD_SHA, is_claimed=True)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\n", id="a line end"),
        pytest.param(b"0", id="zero"),
        pytest.param(b"007", id="leading zeros"),
        pytest.param(b"-7", id="negative"),
        pytest.param(b"+7", id="signed"),
        pytest.param(b"7.0", id="a fraction"),
        pytest.param(b"7e3", id="an exponent"),
        pytest.param(b"0x7", id="hexadecimal"),
        pytest.param(b" 7", id="white space before"),
        pytest.param(b"7\r\n", id="a carriage return"),
        pytest.param(b"7\n\n", id="two line ends"),
        pytest.param(b"7\n8\n", id="two numbers"),
        pytest.param(b"12345678901", id="eleven digits"),
        pytest.param(b"7" * 100_000, id="a long row of digits"),
        pytest.param("٧".encode(), id="a digit of another script"),
        pytest.param(b"7\x00", id="a zero byte"),
        pytest.param(b"\xef\xbb\xbf7", id="a byte order mark"),
        pytest.param(b"7/../8", id="a path"),
        pytest.param(b"7?x=1", id="a query"),
        pytest.param(b"$(id)", id="a command"),
        pytest.param(b"null", id="no number"),
    ],
)
def test_a_file_with_anything_else_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UsageError, match="holds no number of a pull request") as found:
        choose(claim(tmp_path, content), GithubJob())
    assert found.value.exit_code == 2


def test_a_file_that_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("7")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "folder", "pipe", "gone"):
        with pytest.raises(UsageError, match="cannot be read"):
            choose(Wanted(file=tmp_path / name, head_sha=HEAD_SHA), GithubJob())


@pytest.mark.parametrize("sha", ["abc", HEAD_SHA[:-1], HEAD_SHA.upper(), HEAD_SHA + "\n", "main", f"{HEAD_SHA}0"])
def test_a_commit_is_named_in_full(tmp_path: Path, sha: str) -> None:
    (tmp_path / "number").write_text("7")
    with pytest.raises(UsageError, match="--head-sha"):
        choose(Wanted(file=tmp_path / "number", head_sha=sha), GithubJob())


def test_the_file_and_the_commit_go_together_and_alone(tmp_path: Path) -> None:
    wanted = claim(tmp_path, b"7")
    for wrong in (
        Wanted(file=wanted.file),
        Wanted(head_sha=HEAD_SHA),
        Wanted(number=7, head_sha=HEAD_SHA),
        Wanted(7, wanted.file, HEAD_SHA),
    ):
        with pytest.raises(UsageError, match="--pull-request"):
            choose(wrong, GithubJob())


def test_the_run_that_measured_is_that_of_the_event(tmp_path: Path) -> None:
    wanted = claim(tmp_path, b"7")
    for event, run_id in (({"workflow_run": {"id": 42}}, "42"), ({"workflow_run": {"id": "4/2"}}, ""), ({}, "")):
        assert choose(wanted, event_of(tmp_path, event)) == Chosen(7, HEAD_SHA, run_id, is_claimed=True)


# ---------------------------------------------------------------- confirmed by GitHub

CLAIMED = Chosen(7, HEAD_SHA, is_claimed=True)


def test_github_confirms_an_open_pull_request_at_the_commit_that_was_measured() -> None:
    for found in (pull(), pull(head=FORK)):
        with ScriptedGithub(pulls=[found]) as github, github.api() as api:
            assert confirm(api, REPOSITORY, CLAIMED).number == 7


@pytest.mark.parametrize(
    ("found", "told"),
    [
        pytest.param(pull(state="closed"), "is closed", id="closed"),
        pytest.param(pull(head={**FORK, "sha": "e" * 40}), f"{HEAD_SHA} was measured", id="another commit"),
        pytest.param(pull(head={**FORK, "sha": None}), f"{HEAD_SHA} was measured", id="no commit"),
        pytest.param(pull(base={**FORK, "ref": "main"}), "not of acme/serving", id="another repository"),
        pytest.param(pull(base={"repo": None, "ref": "main"}), "not of acme/serving", id="no repository"),
    ],
)
def test_anything_else_is_refused(found: dict[str, object], told: str) -> None:
    with ScriptedGithub(pulls=[found]) as github, github.api() as api, pytest.raises(ForgeError, match=told) as error:
        confirm(api, REPOSITORY, CLAIMED)
    assert "Nothing was posted" in str(error.value)
    assert error.value.exit_code == 5
    assert github.written() == []


def test_a_pull_request_that_does_not_exist_is_refused() -> None:
    with ScriptedGithub() as github, github.api() as api, pytest.raises(ForgeError, match="404"):
        confirm(api, REPOSITORY, Chosen(12, HEAD_SHA, is_claimed=True))
