"""What a CI system says of its own run: which one it is, and of which commit; nothing that names a person or a host."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from llmload.plain_text import plain

_LONGEST = 120
_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")
_NUMBER = re.compile(r"(?:refs/pull/)?(\d{1,12})(?:/(?:merge|head))?")


@dataclass(frozen=True, slots=True)
class _System:
    """The variables of one CI system; `mark` is set there and nowhere else."""

    mark: str
    name: str
    run: tuple[str, ...] = ()
    job: tuple[str, ...] = ()
    pull_request: str = ""
    commit: str = ""


_SYSTEMS = (
    _System(
        "GITHUB_ACTIONS",
        "GitHub Actions",
        ("GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT"),
        ("GITHUB_WORKFLOW", "GITHUB_JOB"),
        "GITHUB_REF",
        "GITHUB_SHA",
    ),
    _System("GITLAB_CI", "GitLab CI", ("CI_PIPELINE_ID",), ("CI_JOB_NAME",), "CI_MERGE_REQUEST_IID", "CI_COMMIT_SHA"),
    _System(
        "BUILDKITE",
        "Buildkite",
        ("BUILDKITE_BUILD_NUMBER",),
        ("BUILDKITE_LABEL",),
        "BUILDKITE_PULL_REQUEST",
        "BUILDKITE_COMMIT",
    ),
    _System("CIRCLECI", "CircleCI", ("CIRCLE_BUILD_NUM",), ("CIRCLE_JOB",), "", "CIRCLE_SHA1"),
    _System("JENKINS_URL", "Jenkins", ("BUILD_NUMBER",), ("JOB_NAME",), "CHANGE_ID", "GIT_COMMIT"),
    _System(
        "TF_BUILD",
        "Azure Pipelines",
        ("BUILD_BUILDID",),
        ("BUILD_DEFINITIONNAME", "SYSTEM_JOBNAME"),
        "SYSTEM_PULLREQUEST_PULLREQUESTNUMBER",
        "BUILD_SOURCEVERSION",
    ),
    _System("TRAVIS", "Travis CI", ("TRAVIS_BUILD_NUMBER",), (), "TRAVIS_PULL_REQUEST", "TRAVIS_COMMIT"),
    _System("CI", "CI"),
)


def ci_facts(env: Mapping[str, str]) -> dict[str, str]:
    """Short lines; empty where no CI is at work. A GitHub run that was tried again says so: `123.2`."""
    system = next((each for each in _SYSTEMS if env.get(each.mark)), None)
    if system is None:
        return {}
    run = [value for name in system.run if (value := _short(env.get(name, "")))]
    if run[1:] == ["1"]:
        run = run[:1]
    pull_request = _NUMBER.fullmatch(env.get(system.pull_request, ""))
    commit = env.get(system.commit, "")
    return {
        "ci": system.name,
        "ci_run": ".".join(run),
        "ci_job": " / ".join(value for name in system.job if (value := _short(env.get(name, "")))),
        "ci_pull_request": pull_request[1] if pull_request else "",
        "ci_commit": commit.lower() if _COMMIT.fullmatch(commit) else "",
    }


def _short(value: str) -> str:
    return plain(value, _LONGEST)
