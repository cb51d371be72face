"""What machine, code and CI a run came from; nothing that names a person or a host."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping

from llmload import __version__, git
from llmload.telemetry.ci import ci_facts
from llmload.telemetry.host import host_here, in_gib

_CI_BRANCHES = (
    "GITHUB_HEAD_REF",  # of a pull request; empty elsewhere, where the next one has it
    "GITHUB_REF_NAME",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",  # GitLab
    "CI_COMMIT_BRANCH",
    "BUILDKITE_BRANCH",
    "CIRCLE_BRANCH",
    "CHANGE_BRANCH",  # Jenkins, of a pull request
    "BRANCH_NAME",
    "BUILD_SOURCEBRANCH",  # Azure Pipelines
)
_CI_TARGETS = (
    "GITHUB_BASE_REF",
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME",
    "BUILDKITE_PULL_REQUEST_BASE_BRANCH",
    "CHANGE_TARGET",
)


def environment_facts() -> Mapping[str, str]:
    """Facts of this process and its working directory, each a short line; what is unknown is left out.

    None of them is part of the fingerprint: runs from different machines and CI runs stay comparable, and show what
    they came from.
    """
    host = host_here()
    facts = {
        "llmload": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": host.system,
        "cpu": host.cpu,
        "cpu_count": str(host.usable_cpus),
        "cpu_quota": "" if host.cpu_quota is None else f"{host.cpu_quota:g}",
        "cpu_governor": host.governor,
        "memory": "" if host.memory_bytes is None else in_gib(host.memory_bytes),
        "memory_limit": "" if host.memory_limit_bytes is None else in_gib(host.memory_limit_bytes),
        "container": host.container,
        **ci_facts(os.environ),
        **_git_facts(),
    }
    return {name: value for name, value in facts.items() if value}


def _git_facts() -> dict[str, str]:
    commit = git.line("rev-parse", "HEAD")
    if not commit:
        return {}
    changes = git.line("status", "--porcelain", "--untracked-files=no")
    state = "unknown" if changes is None else "changed" if changes else "clean"
    return {"git_commit": commit, "git_state": state, "git_branch": _branch()}


def _branch() -> str:
    """The branch, as CI names it where a commit was checked out and no branch; "" where there is none."""
    return git.line("symbolic-ref", "--quiet", "--short", "HEAD") or next(_ci_branches(), "")


def _ci_branches() -> Iterator[str]:
    """A pull request out of a fork's main is not of our main: a name of the branch that it goes to says nothing."""
    targets = {os.environ.get(name) for name in _CI_TARGETS}
    for name in _CI_BRANCHES:
        branch = os.environ.get(name, "").removeprefix("refs/heads/")
        if branch and branch not in targets:
            yield branch
