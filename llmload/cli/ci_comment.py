"""`llmload ci comment`: what an outcome concludes, as one comment of a pull request that is kept up to date."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmload.cli import options, outcomes, stored
from llmload.errors import ForgeError
from llmload.plain_text import plain

if TYPE_CHECKING:
    from llmload.ci.github_job import GithubJob
    from llmload.ci.pull_request import Chosen, Wanted
    from llmload.ci.sticky_comment import Sticky
    from llmload.reporters.comment import Rewriting
    from llmload.reporters.texts import Language

_FORBIDDEN = 403
_OF_NONE = "no comment: the event of this job is of no pull request. Name one: --pull-request"
_FORK_SAFE = "Measure with `contents: read`, and publish by workflow_run: docs/ci.md, pull requests from forks"


class When(StrEnum):
    """When the comment is written."""

    NEVER = "never"
    ON_CHANGE = "on-change"
    ALWAYS = "always"


def comment(
    paths: outcomes.Paths = [],  # noqa: B006 - typer copies it
    when: Annotated[
        When, typer.Option(help="on-change: rewrite it where verdicts changed; always: after each run.")
    ] = When.ON_CHANGE,
    key: Annotated[str, typer.Option(help="Which comment of several; each key has one of its own.")] = "llmload",
    repo: Annotated[str | None, typer.Option(metavar="OWNER/NAME", help="GITHUB_REPOSITORY if left out.")] = None,
    pull_request: Annotated[
        int | None, typer.Option(min=1, max=9_999_999_999, help="Its number; that of the event if left out.")
    ] = None,
    pull_request_file: Annotated[
        Path | None, typer.Option(help="File with the number, of a job that is not trusted; needs --head-sha.")
    ] = None,
    head_sha: Annotated[
        str, typer.Option(metavar="SHA", help="Commit that was measured; the pull request's head must be this one.")
    ] = "",
    token_env: Annotated[str, typer.Option(help="Variable with the token.")] = "GITHUB_TOKEN",  # noqa: S107 - its name
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print request and comment; send nothing.")] = False,
    lang: options.Lang = None,
) -> None:
    """Post what an outcome concludes to its pull request; exit code 0, whatever the verdict, 5 where GitHub refuses it.

    The first run posts a comment, later ones rewrite it in place. Comments of others are never touched. The job needs
    `permissions: pull-requests: write`; that of a pull request from a fork has none, which is said and is no failure.

    Example: llmload ci comment --dry-run

    Example: llmload ci comment --when always --key nightly --pull-request 12
    """
    from llmload.ci.github_job import github_job
    from llmload.ci.pull_request import Wanted
    from llmload.ci.sticky_comment import checked_key

    if when is When.NEVER:
        _say("no comment, as --when never asks")
        return
    rewriting: Rewriting = "always" if when is When.ALWAYS else "on-change"
    job, wanted = github_job(os.environ), Wanted(pull_request, pull_request_file, head_sha)
    named = repo or job.repository
    asked = _Asked(paths, checked_key(key), rewriting, job, options.language(lang, os.environ))
    if dry_run:
        _rehearse(asked, wanted, named)
    else:
        _post(asked, wanted, named, token_env)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the comment is made of."""

    paths: list[Path]
    key: str
    rewriting: Rewriting
    job: GithubJob
    language: Language

    def comment(self, chosen: Chosen | None) -> Sticky:
        """The comment for this pull request."""
        from llmload.ci.sticky_comment import sticky
        from llmload.reporters.comment import Facts, render
        from llmload.reporters.texts import texts_in

        outcome, job = outcomes.read_outcome(self.paths), self.job
        if chosen is not None and chosen.run_id:
            job = replace(job, run_id=chosen.run_id)
        commit = chosen.head_sha if chosen is not None and chosen.head_sha else job.sha
        text = render(outcome, Facts(commit, job.run_url, self.rewriting), texts_in(self.language))
        return sticky(self.key, outcome, text)


def _rehearse(asked: _Asked, wanted: Wanted, named: str) -> None:
    """Print what would be sent; outside of a job nobody needs to name a pull request for that."""
    from llmload.ci.pull_request import Wanted, choose

    chosen = None
    is_named = wanted != Wanted() or asked.job.event is not None
    if is_named and (chosen := choose(wanted, asked.job)) is None:
        _say(_OF_NONE)
        return
    repository, number = named or "OWNER/NAME", "NUMBER" if chosen is None else str(chosen.number)
    body = asked.comment(chosen).body
    stored.print_text(
        f"POST /repos/{plain(repository)}/issues/{number}/comments\n"
        f"(or PATCH of our comment with the key {asked.key}, where there is one)\n\n{body}"
    )


def _post(asked: _Asked, wanted: Wanted, named: str, token_env: str) -> None:
    from llmload.ci.github_api import connected
    from llmload.ci.github_resources import checked_repository
    from llmload.ci.pull_request import choose, confirm
    from llmload.ci.sticky_comment import settle

    chosen = choose(wanted, asked.job)
    if chosen is None:
        _say(_OF_NONE)
        return
    repository, told = checked_repository(named), asked.comment(chosen)
    token = os.environ.get(token_env, "")
    if chosen.read_only and not token.strip():
        _say(f"no comment: {chosen.read_only}. {_FORK_SAFE}")
        return
    with connected(asked.job.api_url, token, token_env) as api:
        try:
            if chosen.is_claimed:
                confirm(api, repository, chosen)
            done, url = settle(api, repository, chosen.number, told, asked.rewriting)
        except ForgeError as error:
            if error.status != _FORBIDDEN or not chosen.read_only:
                raise
            _say(f"no comment: {chosen.read_only} ({error.problem}). {_FORK_SAFE}")
            return
    _say(f"comment {done.value}: {plain(url)}")


def _say(line: str) -> None:
    print(f"llmload: {line}", file=sys.stderr)
