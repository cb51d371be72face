"""Reports and baselines as one commit, made beside the checkout and then given a branch.

The commit is built by git's plumbing in an index of its own: what else is staged or changed stays as it is, ignored
folders are no obstacle, and a commit for another branch never touches the checkout. Its parent is always HEAD. A branch
moves only where nothing is lost: forward, or, of a branch below `llmload/`, from an earlier commit of ours.

Hooks of commits (`pre-commit`, `commit-msg`) do not run: the files are made by a program, and a formatter would change
what a later run compares with. `pre-push` runs as with every push. Where git is told to sign commits, this one is
signed.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from llmload.ci.github_api import is_private
from llmload.ci.repository import REMOTE_PATIENCE_S, GitRefusal, Repository
from llmload.errors import ForgeError, UsageError
from llmload.plain_text import plain

OWN_PREFIX = "llmload/"
"""Branches that llmload rebuilds from HEAD each time."""

TRAILER = "Llmload-Run"
"""Marks commits of ours, one line a run: https://git-scm.com/docs/git-interpret-trailers."""

_WHERE = "llmload ci commit-report"
_NEVER = ""  # the old value of a reference that must not exist yet
_LOCAL_REMEDY = "Make room, or mend the repository; `git fsck` tells what is wrong with it"


@dataclass(frozen=True, slots=True)
class Changes:
    """What a commit changes: contents and removed files, by their paths from the top of the repository."""

    files: Mapping[str, bytes]
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit that no branch has yet, what it changes for people, and what of it goes into an index."""

    commit_id: str
    diffstat: str
    index_lines: bytes


# ---------------------------------------------------------------- building


def build(repository: Repository, changes: Changes, message: str) -> Commit | None:
    """The commit on top of HEAD; None where everything is there already. UsageError where git cannot write it."""
    try:
        with TemporaryDirectory(prefix="llmload-commit-") as scratch:
            return _build(repository.with_env({"GIT_INDEX_FILE": str(Path(scratch) / "index")}), changes, message)
    except GitRefusal as refusal:
        raise UsageError(f"git {refusal.command}", refusal.said, _LOCAL_REMEDY) from None
    except OSError as error:
        raise UsageError(_WHERE, f"finds no room for an index ({error.strerror})", "Make room") from None


def _build(aside: Repository, changes: Changes, message: str) -> Commit | None:
    aside.ask("read-tree", aside.head)
    lines = b"".join(_index_lines(aside, changes))
    aside.ask("update-index", "-z", "--index-info", told=lines)
    tree = aside.line("write-tree")
    if tree == aside.line("rev-parse", f"{aside.head}^{{tree}}"):
        return None
    signing = ["-S"] if aside.told("config", "--type=bool", "commit.gpgSign") == "true" else []
    made = aside.line("commit-tree", *signing, "-p", aside.head, tree, told=message.encode())
    compared = ("--no-ext-diff", "--no-textconv", "--no-renames", "--no-color", "--stat=110", aside.head, made)
    return Commit(made, aside.ask("diff", *compared).decode("utf-8", "replace"), lines)


def _index_lines(aside: Repository, changes: Changes) -> Iterator[bytes]:
    """`--path` has the repository's own filters applied, such as those of line ends and of large files."""
    known = set(aside.ask("ls-tree", "-r", "-z", "--name-only", aside.head).split(b"\0"))
    for path in changes.files:
        _check_room(path, known)
    for path, content in sorted(changes.files.items()):
        blob = aside.line("hash-object", "-w", "--stdin", f"--path={path}", told=content)
        yield f"100644 {blob}\t".encode() + os.fsencode(path) + b"\0"
    for path in sorted(changes.removed):
        if os.fsencode(path) in known:
            yield f"0 {'0' * 40}\t".encode() + os.fsencode(path) + b"\0"


def _check_room(path: str, known: Set[bytes]) -> None:
    """UsageError where a file or a submodule stands in for a folder of the path, or a folder for the file itself."""
    above = (str(parent) for parent in PurePosixPath(path).parents)
    in_the_way = next((each for each in above if os.fsencode(each) in known), None)
    if in_the_way is None and any(name.startswith(os.fsencode(f"{path}/")) for name in known):
        in_the_way = path
    if in_the_way is not None:
        problem = "is a file, a link, a submodule or a folder at HEAD, where another kind would have to be"
        raise UsageError(plain(in_the_way, 200), problem, "Name another folder: --dir")


@contextmanager
def rehearsed(repository: Repository) -> Iterator[Repository]:
    """The same repository, where objects go into a folder that is gone afterwards: nothing of it is written to."""
    objects = repository.top / repository.line("rev-parse", "--git-path", "objects")
    with TemporaryDirectory(prefix="llmload-objects-") as scratch:
        alternates = [f'"{objects}"', *filter(None, [repository.env.get("GIT_ALTERNATE_OBJECT_DIRECTORIES")])]
        yield repository.with_env(
            {"GIT_OBJECT_DIRECTORY": scratch, "GIT_ALTERNATE_OBJECT_DIRECTORIES": os.pathsep.join(alternates)}
        )


# ---------------------------------------------------------------- the branch here


def stage(repository: Repository, commit: Commit) -> None:
    """Tell the checkout's own index of these files, and of no others: else they would look as if taken back."""
    try:
        repository.ask("update-index", "-z", "--index-info", told=commit.index_lines)
    except GitRefusal as refusal:
        remedy = "Another git may be at work: wait for it, then run this again; nothing was committed"
        raise UsageError("git update-index", refusal.said, remedy) from None


def advance(repository: Repository, commit: Commit) -> None:
    """Move the branch that is checked out from HEAD to the commit."""
    _move(repository, f"refs/heads/{repository.branch}", commit.commit_id, repository.head)


def place(repository: Repository, commit_id: str, branch: str) -> str:
    """Make a branch that is not checked out, or move it where it loses nothing; UsageError where it would.

    The commit that the branch is at: where it has the same on the same parent already, it stays there.
    """
    ref = f"refs/heads/{branch}"
    if f"branch {ref}" in repository.line("worktree", "list", "--porcelain").splitlines():
        raise UsageError(f"--branch {branch}", "is checked out in another folder", "Name another branch")
    tip = repository.told("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    if tip is not None and _is_same(repository, tip, commit_id):
        return tip
    if tip is not None:
        _check_loses_nothing(repository, branch, tip, "")
    _move(repository, ref, commit_id, tip or _NEVER)
    return commit_id


def _move(repository: Repository, ref: str, to: str, from_: str) -> None:
    try:
        repository.ask("update-ref", "-m", _WHERE, ref, to, from_)
    except GitRefusal as refusal:
        remedy = "Someone committed meanwhile, or another branch has this name as its folder: look, and run this again"
        raise UsageError("git update-ref", refusal.said, remedy) from None


def _check_loses_nothing(repository: Repository, branch: str, tip: str, where: str) -> None:
    if repository.told("merge-base", "--is-ancestor", tip, repository.head) is not None:
        return
    if branch.startswith(OWN_PREFIX) and _is_ours(repository, tip):
        return
    problem = f"has commits{where} that HEAD does not have, and that llmload did not make ({tip[:12]})"
    remedy = f"Merge or delete that branch, or name another one below {OWN_PREFIX}"
    raise UsageError(f"--branch {branch}", problem, remedy)


def _is_same(repository: Repository, tip: str, commit_id: str) -> bool:
    """Whether two commits have the same files and the same only parent."""
    told = [
        repository.told("show", "--no-patch", "--no-show-signature", "--format=%T %P", each)
        for each in (tip, commit_id)
    ]
    return told[0] == told[1]


def _is_ours(repository: Repository, tip: str) -> bool:
    """Whether we made the commit, as who we are now, and nobody has added to it."""
    told = repository.told(
        "show", "--no-patch", "--no-show-signature", f"--format=%ce%x00%(trailers:key={TRAILER})", tip
    )
    email, _, trailers = (told or "").partition("\0")
    me = repository.line("var", "GIT_COMMITTER_IDENT")
    return bool(trailers.strip()) and f"<{email}>" in me


# ---------------------------------------------------------------- the branch there


def with_token(repository: Repository, token: str, server_url: str) -> Repository:
    """The same repository, where git shows the token to this server over HTTPS, and to no other.

    It is in variables of the process, neither on a command line nor in a file. What a checkout left there as a header
    is replaced, since GitHub refuses two.
    """
    url = repository.told("remote", "get-url", "--push", "origin")
    asked, server = urlsplit(url or ""), urlsplit(server_url)
    if (
        not token
        or not is_private(server)
        or (asked.scheme, asked.hostname, asked.port) != (server.scheme, server.hostname, server.port)
    ):
        return repository
    shown = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    header = f"http.{server.scheme}://{asked.netloc.rpartition('@')[2]}/.extraheader"
    settings = [(header, ""), (header, f"AUTHORIZATION: basic {shown}"), ("http.followRedirects", "false")]
    first = int(repository.env.get("GIT_CONFIG_COUNT") or 0)
    more = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for place_, (key, value) in enumerate(settings, start=first):
        more |= {f"GIT_CONFIG_KEY_{place_}": key, f"GIT_CONFIG_VALUE_{place_}": value}
    return repository.with_env(more)


def check_remote(repository: Repository) -> None:
    """UsageError where there is no `origin` to push to."""
    if repository.told("remote", "get-url", "--push", "origin") is None:
        raise UsageError("--push", "the repository has no remote called origin", "git remote add origin URL")


def push(repository: Repository, commit_id: str, branch: str) -> None:
    """Give the commit to origin as this branch. ForgeError where origin refuses, UsageError where work would be lost.

    A branch of ours that is not simply ahead is replaced, if it still is what was looked at (`--force-with-lease`); it
    stays where it has the same on the same parent already.
    """
    ref = f"refs/heads/{branch}"
    lease: list[str] = []
    try:
        listed = repository.ask("ls-remote", "--refs", "origin", ref, within_s=REMOTE_PATIENCE_S).decode(
            "ascii", "replace"
        )
        tip = listed.split("\t")[0].strip()
        if branch.startswith(OWN_PREFIX):
            if tip:
                _fetch(repository, ref)
                if _is_same(repository, tip, commit_id):
                    return
                _check_loses_nothing(repository, branch, tip, " at origin")
            lease = [f"--force-with-lease={ref}:{tip}"]
        options = ("--porcelain", "--no-follow-tags", "--recurse-submodules=no", *lease)
        repository.ask("push", *options, "origin", f"{commit_id}:{ref}", within_s=REMOTE_PATIENCE_S)
    except GitRefusal as refusal:
        raise _not_pushed(branch, refusal.said) from None


def _fetch(repository: Repository, ref: str) -> None:
    """Have the commit of a reference of origin here, without its history where this clone has none either."""
    shallow = ["--depth=1"] if repository.told("rev-parse", "--is-shallow-repository") == "true" else []
    options = ("--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--no-auto-maintenance")
    repository.ask("fetch", *options, *shallow, "origin", ref, within_s=REMOTE_PATIENCE_S)


_REMEDIES = (
    (("stale info", "non-fast-forward", "fetch first"), "Someone pushed meanwhile: pull, and run this again"),
    (
        ("GH006", "GH013", "protected branch", "rule violations", "pre-receive hook declined"),
        "The branch is protected: name another one (--branch llmload/reports) and open a pull request (--pull-request)",
    ),
    (
        ("403", "denied to", "Permission to", "Write access", "not authorized", "read-only"),
        "Give the job `permissions: contents: write`, and the token to the command",
    ),
    (
        ("could not read Username", "Authentication failed", "terminal prompts disabled", "Permission denied", "401"),
        "Give the command a token that may push (--token-env), or git credentials",
    ),
)


def _not_pushed(branch: str, said: str) -> ForgeError:
    remedy = next(
        (told for signs, told in _REMEDIES if any(sign.lower() in said.lower() for sign in signs)),
        "Check network, address and rights of origin",
    )
    return ForgeError(f"git push origin {branch}", said, remedy)
