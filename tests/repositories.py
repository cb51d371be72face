"""Real git repositories in the working directory, for the tests."""

from __future__ import annotations

import os
import subprocess

_WHO = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a"}


def run_git(*words: str) -> str:
    """What git prints."""
    done = subprocess.run(["git", *words], env={**os.environ, **_WHO}, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit_all(message: str) -> str:
    """Commit everything but the store, and return the id of the commit."""
    run_git("add", "--all", "--", ".", ":!llmload.db*")
    run_git("commit", "--quiet", "--allow-empty", "--message", message)
    return run_git("rev-parse", "HEAD")
