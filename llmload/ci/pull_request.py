"""Which pull request a comment is for: named on the command line, told by the event, or by a file of a stranger's job.

A workflow that publishes (`workflow_run`) has rights, and what it publishes was measured by a job that has none and
runs a stranger's code. So the number that such a job leaves behind is never believed: GitHub must say that it is an
open pull request of this repository whose head is the commit that was measured.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from llmload.ci.github_api import GithubApi
from llmload.ci.github_job import GithubJob
from llmload.ci.github_resources import PullRequest, pull_request
from llmload.errors import ForgeError, UsageError
from llmload.plain_text import plain

_NUMBER = re.compile(rb"[1-9][0-9]{0,9}\n?")
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_EVENT_LIMIT = 32 * 2**20  # bytes; GitHub's events have 25 MB at most
_DEPENDABOT = "dependabot[bot]"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line says; `file` and `head_sha` go together."""

    number: int | None = None
    file: Path | None = None
    head_sha: str = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A pull request, the commit of it that was measured, and the run of the workflow that did, both "" if untold.

    `read_only` says in a sentence why the token of this job cannot write, "" where it may. `is_claimed` is for a number
    that came from a stranger's job: GitHub has to confirm it before anything is written.
    """

    number: int
    head_sha: str = ""
    run_id: str = ""
    read_only: str = ""
    is_claimed: bool = False


def choose(wanted: Wanted, job: GithubJob) -> Chosen | None:
    """The pull request that this is for; None where the event is of none, such as a push.

    UsageError where nobody tells, or what tells is unusable.
    """
    event = _event(job.event) if job.event is not None else None
    if (wanted.file is None) != (not wanted.head_sha):
        remedy = "Give both: --head-sha is github.event.workflow_run.head_sha"
        raise UsageError("--pull-request-file", "goes with --head-sha, and --head-sha with it", remedy)
    if wanted.file is not None and wanted.number is not None:
        raise UsageError("--pull-request", "and --pull-request-file name one each", "Give one of them")
    if wanted.file is not None:
        run_id = _run_id(event) if event is not None else ""
        return Chosen(_number_in(wanted.file), _checked_sha(wanted.head_sha), run_id, is_claimed=True)
    found = None if event is None else _of_event(event)
    if wanted.number is not None:
        return found if found is not None and found.number == wanted.number else Chosen(wanted.number)
    if event is None:
        problem = "is not named, and there is no event of GitHub that names it (GITHUB_EVENT_PATH)"
        raise UsageError("--pull-request", problem, "Give its number: --pull-request 12")
    return found


def confirm(api: GithubApi, repository: str, chosen: Chosen) -> PullRequest:
    """The pull request as GitHub tells it, where all that was claimed of it is so; ForgeError else."""
    found = pull_request(api, repository, chosen.number)
    where = f"pull request {chosen.number}"
    if found.number != chosen.number or found.base_repository.lower() != repository.lower():
        of = plain(found.base_repository, 100)
        raise ForgeError(where, f"is one of {of}, not of {repository}", "Nothing was posted; see who made the artifact")
    if not found.is_open:
        raise ForgeError(where, "is closed", "Nothing was posted, since nobody waits for it")
    if found.head_sha != chosen.head_sha:
        problem = f"has the head {plain(found.head_sha, 64)}, and {chosen.head_sha} was measured"
        remedy = "Nothing was posted: either it has newer commits, which are measured too, or the number was forged"
        raise ForgeError(where, problem, remedy)
    return found


def _number_in(file: Path) -> int:
    """The number in a file that a stranger's job wrote: digits, at most one line end, and nothing else.

    UsageError for anything else, a link or a pipe included.
    """
    remedy = "The measuring job writes github.event.pull_request.number and nothing else into it"
    try:
        content = _read_regular(file, 64)
    except OSError as error:
        raise UsageError(str(file), f"cannot be read ({error.strerror})", remedy) from None
    if not _NUMBER.fullmatch(content):
        raise UsageError(str(file), "holds no number of a pull request", remedy)
    return int(content)


def _read_regular(file: Path, most: int) -> bytes:
    """So many bytes of a regular file, one more at most; OSError for what is none."""
    opened = os.open(file, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0))
    try:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise OSError(None, "no regular file")
        return os.read(opened, most + 1)
    finally:
        os.close(opened)


def _checked_sha(sha: str) -> str:
    if not _SHA.fullmatch(sha):
        remedy = "Give all of it, as in github.event.workflow_run.head_sha"
        raise UsageError("--head-sha", f"{plain(sha, 80)!r} is no commit's full SHA", remedy)
    return sha


def _event(path: Path) -> Mapping[str, object]:
    """What made GitHub start this job."""
    remedy = "It is GitHub's own file: unset GITHUB_EVENT_PATH outside of a job, and give --pull-request"
    try:
        if path.stat().st_size > _EVENT_LIMIT:
            raise UsageError(str(path), "is too large for an event of GitHub", remedy)
        event = orjson.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(str(path), f"cannot be read ({error.strerror})", remedy) from None
    except orjson.JSONDecodeError:
        raise UsageError(str(path), "is no JSON", remedy) from None
    if not isinstance(event, Mapping):
        raise UsageError(str(path), "is no event of GitHub", remedy)
    return event


def _of_event(event: Mapping[str, object]) -> Chosen | None:
    found = event.get("pull_request")
    if not isinstance(found, Mapping):
        return None
    number, sha = found.get("number"), _at(found, "head", "sha")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        return None
    head_sha = sha if isinstance(sha, str) and _SHA.fullmatch(sha) else ""
    return Chosen(number, head_sha, read_only=_why_read_only(event, found))


def _why_read_only(event: Mapping[str, object], found: Mapping[str, object]) -> str:
    """Of a fork (that may be deleted by now) and of Dependabot, GitHub hands the job a token that only reads."""
    base, head = (_at(found, side, "repo", "full_name") for side in ("base", "head"))
    if head is None or head != base:
        return "the pull request comes from a fork, whose jobs may not write"
    return "Dependabot's jobs may not write" if _at(event, "sender", "login") == _DEPENDABOT else ""


def _run_id(event: Mapping[str, object]) -> str:
    """Of the run that measured, where this job publishes what another one measured."""
    found = _at(event, "workflow_run", "id")
    return str(found) if isinstance(found, int) and not isinstance(found, bool) and found > 0 else ""


def _at(document: object, *keys: str) -> object:
    for key in keys:
        document = document.get(key) if isinstance(document, Mapping) else None
    return document
