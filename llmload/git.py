"""What git says of the repository that the working directory lies in. Bounded in time and size, and only read.

Whatever keeps git from answering (there is none, no repository, it hangs) is the answer None. Names that come from
outside are resolved to an id first (`commit_of`), so that no word of theirs is read as an option.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

PATIENCE_S = 5.0
"""How long one question may take."""

_DEFAULT_BRANCHES = ("refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/heads/main", "refs/heads/master")
_QUIET = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",  # a partial clone would ask its server for a file that it lacks
    "GIT_NO_REPLACE_OBJECTS": "1",
}


def line(*words: str) -> str | None:
    """What git prints, as text without the white space around it."""
    answer = _ask(*words)
    return None if answer is None else answer.decode("utf-8", "replace").strip()


def commit_of(ref: str) -> str | None:
    """The id of the commit that a branch, tag or id means; None where it means none, or begins like an option."""
    if not ref or ref.startswith("-") or any(character.isspace() for character in ref):
        return None
    return line("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")


def default_branch() -> tuple[str, str] | None:
    """The name of the branch that pull requests go to, and the commit that it is at, as far as is known here."""
    for ref in _DEFAULT_BRANCHES:
        commit = commit_of(ref)
        if commit is not None:
            whole = line("rev-parse", "--symbolic-full-name", ref) or ref
            return whole.removeprefix("refs/remotes/origin/").removeprefix("refs/heads/"), commit
    return None


def merge_base() -> str | None:
    """The commit at which HEAD left the default branch; HEAD itself on that branch."""
    default = default_branch()
    return None if default is None else line("merge-base", "HEAD", default[1])


def is_shallow() -> bool:
    """Whether the repository has only the newest part of its history, so that a merge base may not be known."""
    return line("rev-parse", "--is-shallow-repository") == "true"


def names_in(commit: str, folder: Path) -> tuple[str, ...]:
    """The files that lie in a folder at a commit, by their names; none where there is no such folder."""
    path = _path(folder)
    answer = None if path is None else _ask("ls-tree", "--full-tree", "-z", "--name-only", f"{commit}:{path}")
    return () if answer is None else tuple(name.decode("utf-8", "replace") for name in answer.split(b"\0") if name)


def content_of(commit: str, file: Path, largest: int) -> bytes | None:
    """A file as it was at a commit; None where it is not there, or larger than `largest` bytes."""
    path = _path(file)
    if path is None:
        return None
    size = line("cat-file", "-s", f"{commit}:{path}")
    if size is None or not size.isdecimal() or int(size) > largest:
        return None
    return _ask("cat-file", "blob", f"{commit}:{path}")


def _path(file: Path) -> str | None:
    """How git is told of a path: from the working directory, which may be below the top of the repository."""
    try:
        relative = os.path.relpath(file)
    except ValueError:  # another drive
        return None
    return "./" if relative == os.curdir else f"./{relative}"


def _ask(*words: str) -> bytes | None:
    try:
        done = subprocess.run(  # noqa: S603 - git itself, and what outsiders said only where no option can stand
            ["git", *words],  # noqa: S607 - the git of the PATH is the user's git
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE_S,
            check=False,
            env={**os.environ, **_QUIET},
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):  # ValueError: a NUL in a name
        return None
    return done.stdout if done.returncode == 0 else None
