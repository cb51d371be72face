"""`llmload ci commit-report`: the report of a run, and its baseline, as one commit that a person reviews."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from llmload.cli import options
from llmload.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmload.ci.proposal import Recorded
    from llmload.ci.report_commit import Commit
    from llmload.ci.repository import Repository
    from llmload.cli.recording import Staged, Wanted

Runs = Annotated[
    list[str],
    typer.Argument(
        metavar="[RUN...]",
        help='Runs by id or beginning, one of each scenario; "latest" if left out.',
        show_default=False,
    ),
]
Formats = Annotated[
    list[str],
    typer.Option(
        "--format", metavar="FORMAT", help="markdown (unless given), html, excel, junit, csv or json; repeatable."
    ),
]


def commit_report(
    runs: Runs = ["latest"],  # noqa: B006 - typer copies it
    formats: Formats = ["markdown"],  # noqa: B006
    store: options.Store = options.DEFAULT_STORE,
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Folder of reports; that of the scenario, which is reports.")
    ] = None,
    branch: Annotated[
        str | None, typer.Option(metavar="NAME", help="Commit to this branch, and leave the checkout as it is.")
    ] = None,
    baseline: Annotated[
        bool, typer.Option("--baseline", help="Commit the scenario's newest runs as its baseline, too.")
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Why the baseline changes: it is kept in the file.")] = None,
    message: Annotated[str | None, typer.Option(help="First line of the commit's message.")] = None,
    push: Annotated[bool, typer.Option("--push", help="Push the branch to origin.")] = False,
    pull_request: Annotated[
        bool, typer.Option("--pull-request", help="Open a pull request on GitHub, or update the open one.")
    ] = False,
    title: Annotated[str | None, typer.Option(help="Title of the pull request.")] = None,
    base: Annotated[str | None, typer.Option(metavar="BRANCH", help="Where it goes to; the default branch.")] = None,
    repo: Annotated[
        str | None, typer.Option(metavar="OWNER/NAME", help="Repository on GitHub; else GITHUB_REPOSITORY.")
    ] = None,
    token_env: Annotated[
        str, typer.Option(metavar="NAME", help="Variable that holds the token for GitHub.")
    ] = "GITHUB_TOKEN",  # noqa: S107 - a name
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be written, committed, pushed and asked; do none of it.")
    ] = False,
    lang: options.Lang = None,
) -> None:
    """Commit reports/SCENARIO/report.md of stored runs, and with --baseline the baselines, for a pull request.

    The commit has these files and no others, whatever else is staged or changed; without a change there is none.
    Branches below llmload/ are rebuilt from HEAD each time and pushed in place of their last commit; others only move
    forward.

    Exit code: 0 done or nothing to do; 2 it cannot be committed; 5 origin or GitHub refuses it.

    Example: llmload ci commit-report

    Example: llmload ci commit-report --baseline --reason "nightly" --branch llmload/baseline --push --pull-request
    """
    asked = _Asked(branch, reason, message, push, pull_request, title, base, repo, token_env)
    _check(asked, baseline)
    from llmload.cli import stored
    from llmload.cli.recording import Wanted
    from llmload.reporters.registry import REPORTERS
    from llmload.reporters.texts import texts_in

    repository, is_here = _repository(asked)
    if asked.proposes:
        _check_forge(asked, "in words" if dry_run else "for real")
    known = stored.known_formats(formats, tuple(REPORTERS))
    texts = texts_in(options.language(lang, os.environ))
    wanted = Wanted(known, texts, directory, reason, None if is_here else repository.head)
    task = _Task(asked, repository, _staged(store, runs, wanted, repository), is_here)
    (_rehearse if dry_run else _do)(task)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the command line asks for besides files."""

    branch: str | None
    reason: str | None
    message: str | None
    pushes: bool
    proposes: bool
    title: str | None
    base: str | None
    repo: str | None
    token_env: str

    @property
    def token(self) -> str:
        """The token for GitHub; empty where there is none."""
        return os.environ.get(self.token_env, "").strip()

    @property
    def repository(self) -> str:
        """The repository on GitHub; UsageError where nobody names one."""
        from llmload.ci.github_job import github_job
        from llmload.ci.github_resources import checked_repository

        return checked_repository(self.repo or github_job(os.environ).repository)


@dataclass(frozen=True, slots=True)
class _Task:
    """All that is needed to do it; the branch that is checked out gets the commit where `is_here`."""

    asked: _Asked
    repository: Repository
    staged: Sequence[Staged]
    is_here: bool

    @property
    def branch(self) -> str:
        """The branch that gets the commit."""
        return self.asked.branch or self.repository.branch or ""

    @property
    def recorded(self) -> list[Recorded]:
        """What is told of each run."""
        return [each.recorded for each in self.staged]

    @property
    def proposal(self) -> tuple[str, str]:
        """Title and body of the pull request."""
        from llmload.ci.proposal import pull_request_body, title_of

        reason = self.asked.reason or ""
        return title_of(self.recorded, self.asked.title or self.asked.message), pull_request_body(self.recorded, reason)

    @property
    def message(self) -> str:
        """That of the commit."""
        from llmload.ci.proposal import commit_message, title_of

        title = title_of(self.recorded, self.asked.message)
        return commit_message(self.recorded, title, self.asked.reason or "")


def _check(asked: _Asked, has_baseline: bool) -> None:
    """UsageError for options that contradict one another, before anything is read."""
    from llmload.plain_text import plain

    if has_baseline and asked.reason is None:
        raise UsageError("--baseline", "needs a reason, which is kept in the file", 'Add --reason "why it changes"')
    if asked.reason is not None and not has_baseline:
        raise UsageError("--reason", "is that of a baseline, which is not asked for", "Add --baseline")
    if asked.proposes and not asked.pushes:
        raise UsageError("--pull-request", "needs the branch on GitHub", "Add --push")
    for option, value in (("--title", asked.title), ("--base", asked.base), ("--repo", asked.repo)):
        if value is not None and not asked.proposes:
            raise UsageError(option, "is of a pull request, which is not asked for", "Add --pull-request")
    for option, value in (("--title", asked.title), ("--message", asked.message)):
        if value is not None and not plain(value):
            raise UsageError(option, "is empty", "Say in a few words what is committed, or leave it out")


def _repository(asked: _Asked) -> tuple[Repository, bool]:
    """The repository, and whether the commit is for the branch that is checked out."""
    from llmload.ci.github_job import github_job
    from llmload.ci.report_commit import check_remote, with_token
    from llmload.ci.repository import check_branch_name, check_own_branch, open_repository

    repository = open_repository(os.environ)
    if asked.branch is not None:
        check_branch_name(repository, asked.branch)
    is_here = asked.branch is None or asked.branch == repository.branch
    if is_here:
        check_own_branch(repository)
    if asked.pushes:
        check_remote(repository)
        repository = with_token(repository, asked.token, github_job(os.environ).server_url)
    return repository, is_here


def _check_forge(asked: _Asked, how: Literal["in words", "for real"]) -> None:
    """UsageError for a repository or a token that cannot be used, before a branch is pushed for nothing."""
    from llmload.ci.github_api import connected
    from llmload.ci.github_job import github_job

    _ = asked.repository
    if how == "for real":
        with connected(github_job(os.environ).api_url, asked.token, asked.token_env):
            pass


def _staged(store: Path, runs: Sequence[str], wanted: Wanted, repository: Repository) -> list[Staged]:
    from llmload.cli.display import stages
    from llmload.cli.recording import stage
    from llmload.store.database import open_existing

    with stages() as begin, open_existing(store) as opened:
        begin("making reports")
        return stage(opened, runs, wanted, repository)


def _do(task: _Task) -> None:
    from llmload.ci.report_commit import advance, build, place, push
    from llmload.ci.report_commit import stage as stage_in_index
    from llmload.cli.recording import changes_of, write
    from llmload.cli.stored import print_text

    repository = task.repository
    commit = build(repository, changes_of(task.staged, repository), task.message)
    if commit is None:
        print_text(_nothing(task))
        if not task.is_here:
            return
        at = repository.head  # an earlier commit may not have been pushed
    elif task.is_here:
        write(task.staged)
        stage_in_index(repository, commit)
        advance(repository, commit)
        at = commit.commit_id
    else:
        at = place(repository, commit.commit_id, task.branch)
    if commit is not None:
        print_text(f"{_told(task, commit)}Committed {at[:12]} on {task.branch}.\n")
    if task.asked.pushes:
        push(repository, at, task.branch)
        print_text(f"Pushed {task.branch} to origin.\n")
    if task.asked.proposes:
        _propose(task)


def _propose(task: _Task) -> None:
    from llmload.ci.github_api import connected
    from llmload.ci.github_job import github_job
    from llmload.ci.github_resources import Proposal, default_branch, propose
    from llmload.cli.stored import print_text
    from llmload.plain_text import plain

    asked, title, body = task.asked, *task.proposal
    with connected(github_job(os.environ).api_url, asked.token, asked.token_env) as api:
        base = asked.base or default_branch(api, asked.repository)
        if base == task.branch:
            problem = f"the commit is on {plain(base)} itself, and there is nothing to pull"
            raise UsageError("--pull-request", problem, "Name a branch for it: --branch llmload/reports")
        made = propose(api, asked.repository, Proposal(title, body, task.branch, base))
    print_text(f"Pull request {made.number} proposes it: {plain(made.url)}\n")


def _rehearse(task: _Task) -> None:
    from llmload.ci.report_commit import build, rehearsed
    from llmload.cli.recording import changes_of
    from llmload.cli.stored import print_text

    with rehearsed(task.repository) as aside:
        commit = build(aside, changes_of(task.staged, aside), task.message)
    if commit is None:
        print_text(_nothing(task))
        return
    told = [f"{_told(task, commit)}Dry run: nothing was written. This would be committed on {task.branch}:\n\n"]
    told += _quoted(task.message)
    if task.asked.pushes:
        told.append(f"\nand pushed to origin as {task.branch}.\n")
    if task.asked.proposes:
        title, body = task.proposal
        base = task.asked.base or "the default branch"
        told.append(f"\nA pull request of {task.asked.repository} into {base} would say:\n\n")
        told += _quoted(f"{title}\n\n{body}")
    print_text("".join(told))


def _quoted(text: str) -> list[str]:
    """Lines behind a mark, so that GitHub takes none of them for a command to it."""
    return [f"  | {line}".rstrip() + "\n" for line in text.splitlines()]


def _nothing(task: _Task) -> str:
    where = ", ".join(each.recorded.report for each in task.staged)
    return f"Nothing changed since {task.repository.head[:12]}, so there is no commit: {where}\n"


def _told(task: _Task, commit: Commit) -> str:
    from llmload.plain_text import plain, plain_lines

    notices = [
        f"note: {plain(notice, 1000)}\n"
        for each in task.recorded
        if each.baseline is not None
        for notice in each.baseline.notices
    ]
    return plain_lines(commit.diffstat) + "".join(notices)
