"""The git repository that a commit of reports goes into: where it is, who commits, and git itself, in bounded time.

Reading for gates is `llmload.git`'s; here git also writes. Names reach git only once they are known to be names, and
paths only on its standard input, so that nothing of theirs is read as an option.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from llmload.errors import UsageError
from llmload.plain_text import plain

PATIENCE_S = 60.0
"""How long one command of git may take here; `REMOTE_PATIENCE_S` where it speaks with another machine."""

REMOTE_PATIENCE_S = 180.0

_QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_NO_REPLACE_OBJECTS": "1", "LC_ALL": "C", "LANGUAGE": ""}
_TOLD_BY_GIT = ("GIT_TRACE", "GIT_CURL_VERBOSE")
"""Variables that begin so make git write down what it does, its environment and headers with a token among it."""
_BOT = {"NAME": "github-actions[bot]", "EMAIL": "41898282+github-actions[bot]@users.noreply.github.com"}
"""Who GitHub says commits with a job's own token: https://github.com/actions/checkout#push-a-commit-using-the-built-in-token"""
_ENDING_S = 2.0
_LONGEST_NAME = 200
_UNDER_WAY = {"MERGE_HEAD": "a merge", "CHERRY_PICK_HEAD": "a cherry-pick", "REVERT_HEAD": "a revert"}
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


class GitRefusal(Exception):  # noqa: N818 - what git said, for who knows what it means
    """git said no, or took too long; `said` is what it told, as harmless text without credentials in addresses."""

    def __init__(self, command: str, said: str) -> None:
        super().__init__(f"git {command}: {said}")
        self.command, self.said = command, said


@dataclass(frozen=True, slots=True)
class Repository:
    """A checkout with at least one commit; `head` is the id of its commit, `branch` None where HEAD is detached."""

    top: Path
    head: str
    branch: str | None
    env: Mapping[str, str] = field(repr=False)  # may hold a token

    def ask(self, *words: str, told: bytes = b"", within_s: float = PATIENCE_S) -> bytes:
        """What git prints; GitRefusal where it says no."""
        return _ask(self.top, self.env, words, told, within_s)

    def line(self, *words: str, told: bytes = b"") -> str:
        """The same as text without the white space around it."""
        return self.ask(*words, told=told).decode("utf-8", "replace").strip()

    def told(self, *words: str) -> str | None:
        """The same; None where git says no."""
        try:
            return self.line(*words)
        except GitRefusal:
            return None

    def with_env(self, more: Mapping[str, str]) -> Repository:
        """The same repository, and git is given these variables too."""
        return replace(self, env={**self.env, **more})


def open_repository(env: Mapping[str, str]) -> Repository:
    """The repository of the working directory, with an identity to commit as; UsageError says what is missing.

    Without an identity in the settings of git, a job of GitHub Actions commits as github-actions[bot].
    """
    variables = {name: value for name, value in env.items() if not name.startswith(_TOLD_BY_GIT)} | _QUIET
    try:
        top = Path(
            os.fsdecode(_ask(Path.cwd(), variables, ("rev-parse", "--show-toplevel"), b"", PATIENCE_S)).rstrip("\n")
        )
    except GitRefusal as refusal:
        remedy = "Run this in a checkout; `llmload report` and `llmload baseline update` write the files alone"
        raise UsageError(str(Path.cwd()), f"is in no checkout of git ({refusal.said})", remedy) from None
    repository = Repository(top, "", None, variables)
    head = repository.told("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if head is None:
        raise UsageError(str(top), "has no commit yet", "Commit something first, such as the scenario")
    named = repository.told("symbolic-ref", "--quiet", "HEAD")
    branch = None if named is None else named.removeprefix("refs/heads/")
    return replace(repository, head=head, branch=branch, env={**variables, **_identity(repository, env)})


def _identity(repository: Repository, env: Mapping[str, str]) -> dict[str, str]:
    """Variables that say who commits, where git does not know; a guess from the host's name is no identity."""
    found: dict[str, str] = {}
    for role in ("AUTHOR", "COMMITTER"):
        if repository.told("-c", "user.useConfigOnly=true", "var", f"GIT_{role}_IDENT") is None:
            found |= {f"GIT_{role}_{part}": value for part, value in _BOT.items()}
    if found and env.get("GITHUB_ACTIONS") != "true":
        remedy = (
            'git config user.name "…" and git config user.email "…", or the variables GIT_AUTHOR_… and GIT_COMMITTER_…'
        )
        raise UsageError("git", "does not know who commits", f"Set them: {remedy}")
    return found


def check_branch_name(repository: Repository, name: str) -> None:
    """UsageError for what is no name of a branch."""
    is_name = (
        len(name) <= _LONGEST_NAME
        and not name.startswith("-")
        and name != "HEAD"
        and "\0" not in name
        and repository.told("check-ref-format", f"refs/heads/{name}") is not None
    )
    if not is_name:
        raise UsageError(f"--branch {plain(name, 60)!r}", "is not a name of a branch", "Write one like llmload/reports")


def check_own_branch(repository: Repository) -> str:
    """The branch that is checked out, where a commit may go onto it now; UsageError where none may."""
    if repository.branch is None:
        remedy = "Name a branch for the commit: --branch llmload/reports"
        raise UsageError("HEAD", "is detached, so that the commit would belong to no branch", remedy)
    for file, what in _UNDER_WAY.items():
        path = repository.told("rev-parse", "--git-path", file)
        if path is not None and (repository.top / path).exists():
            raise UsageError(str(repository.top), f"{what} is under way", "Finish it first, or name a --branch")
    return repository.branch


def path_in(repository: Repository, path: Path) -> str:
    """How git calls a file: from the top of the repository, with slashes. UsageError where it lies elsewhere."""
    try:
        inside = path.resolve().relative_to(repository.top.resolve())
    except (OSError, ValueError):
        raise UsageError(
            str(path), f"is not in the repository {repository.top}", "Name a folder of it: --dir"
        ) from None
    if any(part.lower() == ".git" for part in inside.parts):
        raise UsageError(str(path), "is git's own", "Name another folder: --dir")
    return inside.as_posix()


# ---------------------------------------------------------------- the process


def _ask(folder: Path, env: Mapping[str, str], words: tuple[str, ...], told: bytes, within_s: float) -> bytes:
    """One command in a session of its own, whose children end with it: git sends others to speak with servers."""
    command = next((word for word in words if not word.startswith("-") and "=" not in word), "")
    try:
        process = subprocess.Popen(  # noqa: S603 - git itself; see above for what outsiders said
            ["git", *words],  # noqa: S607 - the git of the PATH is the user's git
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise GitRefusal(command, f"git cannot be run: {plain(str(error), 200)}") from None
    with process:
        try:
            out, err = process.communicate(told, timeout=within_s)
        except BaseException as error:
            _end(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise GitRefusal(command, f"did not end within {within_s:g} s") from None
            raise
    if process.returncode:
        raise GitRefusal(command, _said(out, err))
    return out


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM first, at which git removes its lock files."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, signum)
        except ProcessLookupError:
            return
        try:
            process.wait(_ENDING_S)
        except subprocess.TimeoutExpired:
            continue


def _said(out: bytes, err: bytes) -> str:
    """Of what went wrong the lines that tell: refused references of `push --porcelain`, and stderr without its tips."""
    refused = [line for line in out.decode("utf-8", "replace").splitlines() if line.startswith("!")]
    tips = ("hint:", "To ", "remote: Resolving", "remote: Counting", "remote: Compressing")
    lines = [line for line in err.decode("utf-8", "replace").splitlines() if line.strip() and not line.startswith(tips)]
    return plain(_CREDENTIALS.sub("", "; ".join((*refused, *lines))), 500) or "it failed without a word"
