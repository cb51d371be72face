"""What machine, code and CI a run came from; nothing that names a person or a host."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

from llmload import __version__
from llmload.machine import usable_cpus

_GIT_PATIENCE_S = 2
_CI_NAMES = {
    "GITHUB_ACTIONS": "GitHub Actions",
    "GITLAB_CI": "GitLab CI",
    "BUILDKITE": "Buildkite",
    "CIRCLECI": "CircleCI",
    "JENKINS_URL": "Jenkins",
    "TF_BUILD": "Azure Pipelines",
    "TRAVIS": "Travis CI",
    "CI": "CI",
}


def environment_facts() -> Mapping[str, str]:
    """Facts of this process and its working directory, each a short line; what is unknown is left out."""
    facts = {
        "llmload": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": _cpu_model(),
        "cpu_count": str(usable_cpus()),
        "ci": next((name for variable, name in _CI_NAMES.items() if os.environ.get(variable)), ""),
        **_git_facts(),
    }
    return {name: value for name, value in facts.items() if value}


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:  # not Linux
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _git_facts() -> dict[str, str]:
    commit = _git("rev-parse", "HEAD")
    if not commit:
        return {}
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return {"git_commit": commit, "git_state": "unknown" if changes is None else "changed" if changes else "clean"}


def _git(*arguments: str) -> str | None:
    """What git answers about the working directory; None without git, outside a repository, or when it hangs."""
    try:
        done = subprocess.run(  # noqa: S603 - words of ours only
            ["git", "--no-optional-locks", *arguments],  # noqa: S607 - the git of the PATH is the user's git
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_GIT_PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
