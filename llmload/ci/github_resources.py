"""Comments and pull requests of a repository on GitHub: the few facts that we need, and how to read and write them.

What GitHub answers is read strictly: ForgeError for something that is not what it says in its documentation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from llmload.ci.github_api import GithubApi
from llmload.errors import ForgeError, UsageError
from llmload.plain_text import plain

_REPOSITORY = re.compile(r"(?!\.{1,2}/)[A-Za-z0-9_.-]{1,100}/(?!\.{1,2}\Z)[A-Za-z0-9_.-]{1,100}")
_ACTIONS = "github-actions[bot]"


@dataclass(frozen=True, slots=True)
class Account:
    """Who writes: a person, or a bot, which is what an app writes as. No person's name can end in "[bot]"."""

    login: str
    is_bot: bool

    def is_same(self, other: Account) -> bool:
        """Whether both are one; GitHub knows names whatever their case, and bots with and without "[bot]"."""
        return self.is_bot == other.is_bot and self._name == other._name

    @property
    def _name(self) -> str:
        name = self.login.lower()
        return name.removesuffix("[bot]") if self.is_bot else name


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment of a pull request; `author` is None where the account is gone."""

    number: int  # GitHub's id
    body: str
    author: Account | None
    url: str  # its page


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request. Repositories are "owner/name"; that of the head is empty where it is gone."""

    number: int
    is_open: bool
    title: str
    body: str
    base_repository: str
    base_branch: str
    head_repository: str
    head_branch: str
    head_sha: str
    url: str  # its page


def checked_repository(name: str) -> str:
    """The name, where it is one that can stand in a path; UsageError else."""
    if not _REPOSITORY.fullmatch(name):
        remedy = "Write it as OWNER/NAME; without --repo it is GITHUB_REPOSITORY"
        raise UsageError("--repo", f"{plain(name, 100)!r} is no repository", remedy)
    return name


def acting_account(api: GithubApi) -> Account:
    """Whom the token writes as.

    A person's token may ask. That of an app may not (403), GITHUB_TOKEN included: then GraphQL is asked, and where that
    does not tell either, it is GitHub Actions, whose own token most jobs use.
    """
    try:
        return _account(_mapping(api.get("/user"), "the account"))
    except ForgeError as error:
        if error.status not in (403, 404):
            raise
    try:
        found = api.query("query { viewer { login } }")
    except ForgeError:
        return Account(_ACTIONS, is_bot=True)
    for key in ("data", "viewer", "login"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return Account(found if isinstance(found, str) and found else _ACTIONS, is_bot=True)


def comments_of(api: GithubApi, repository: str, number: int) -> Iterator[Comment]:
    """All comments of a pull request, oldest first."""
    for item in api.pages(f"/repos/{repository}/issues/{number}/comments"):
        yield _comment(item)


def add_comment(api: GithubApi, repository: str, number: int, body: str, made: Callable[[], Comment | None]) -> Comment:
    """Write a comment; `made` looks for it where GitHub's answer was lost."""
    answer = api.post(f"/repos/{repository}/issues/{number}/comments", {"body": body}, made)
    return answer if isinstance(answer, Comment) else _comment(answer)


def rewrite_comment(api: GithubApi, repository: str, comment: Comment, body: str) -> Comment:
    """Put other words in the place of a comment's; nobody is notified."""
    return _comment(api.patch(f"/repos/{repository}/issues/comments/{comment.number}", {"body": body}))


def remove_comment(api: GithubApi, repository: str, comment: Comment) -> None:
    """Take back a comment."""
    api.delete(f"/repos/{repository}/issues/comments/{comment.number}")


def pull_request(api: GithubApi, repository: str, number: int) -> PullRequest:
    """One pull request; ForgeError where there is none."""
    return _pull_request(api.get(f"/repos/{repository}/pulls/{number}"))


def open_pull_requests(api: GithubApi, repository: str, head: str) -> list[PullRequest]:
    """Those from this branch of the same repository that are open, newest first."""
    owner = repository.partition("/")[0]
    listed = api.pages(f"/repos/{repository}/pulls?state=open&head={quote(f'{owner}:{head}', safe='')}")
    found = [_pull_request(item) for item in listed]
    # GitHub leaves out a filter that it cannot read, and lists everything
    return [each for each in found if each.head_branch == head and each.head_repository.lower() == repository.lower()]


def default_branch(api: GithubApi, repository: str) -> str:
    """The branch that pull requests go to unless told otherwise."""
    return _text(_mapping(api.get(f"/repos/{repository}"), "a repository"), "default_branch")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a pull request of ours is to say, and which branch it wants to become part of which."""

    title: str
    body: str
    head: str
    base: str


def propose(api: GithubApi, repository: str, proposal: Proposal) -> PullRequest:
    """Open a pull request, or give the one from this branch that is open already new words."""

    def standing() -> PullRequest | None:
        listed = open_pull_requests(api, repository, proposal.head)
        return next((each for each in listed if each.base_branch == proposal.base), None)

    if (there := standing()) is not None:
        return update_pull_request(api, repository, there, proposal)
    document = {"title": proposal.title, "body": proposal.body, "head": proposal.head, "base": proposal.base}
    answer = api.post(f"/repos/{repository}/pulls", document, standing)
    return answer if isinstance(answer, PullRequest) else _pull_request(answer)


def update_pull_request(api: GithubApi, repository: str, there: PullRequest, proposal: Proposal) -> PullRequest:
    """Give a pull request a new title and body; as it is where it has them already."""
    if (there.title, there.body) == (proposal.title, proposal.body):
        return there
    changed = {"title": proposal.title, "body": proposal.body}
    return _pull_request(api.patch(f"/repos/{repository}/pulls/{there.number}", changed))


def _comment(item: object) -> Comment:
    found = _mapping(item, "a comment")
    user = found.get("user")
    return Comment(
        number=_number(found, "id"),
        body=_text(found, "body"),
        author=_account(user) if isinstance(user, Mapping) else None,
        url=_text(found, "html_url"),
    )


def _pull_request(item: object) -> PullRequest:
    found = _mapping(item, "a pull request")
    base, head = (_mapping(found.get(side), f"the {side} of a pull request") for side in ("base", "head"))
    return PullRequest(
        number=_number(found, "number"),
        is_open=_text(found, "state") == "open",
        title=_text(found, "title"),
        body=_text(found, "body"),
        base_repository=_repository(base),
        base_branch=_text(base, "ref"),
        head_repository=_repository(head),
        head_branch=_text(head, "ref"),
        head_sha=_text(head, "sha"),
        url=_text(found, "html_url"),
    )


def _account(user: Mapping[str, object]) -> Account:
    return Account(_text(user, "login"), is_bot=_text(user, "type") == "Bot")


def _repository(side: Mapping[str, object]) -> str:
    repository = side.get("repo")
    return _text(repository, "full_name") if isinstance(repository, Mapping) else ""


def _mapping(item: object, what: str) -> Mapping[str, object]:
    if not isinstance(item, Mapping):
        raise ForgeError("GitHub", f"the answer is not {what}", "Check the API's address")
    return item


def _text(found: Mapping[str, object], key: str) -> str:
    """The text; empty where there is none, as of a pull request without a body."""
    value = found.get(key)
    if value is not None and not isinstance(value, str):
        raise ForgeError("GitHub", f"{key!r} of the answer is no text", "Check the API's address")
    return value or ""


def _number(found: Mapping[str, object], key: str) -> int:
    value = found.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ForgeError("GitHub", f"{key!r} of the answer is no number", "Check the API's address")
    return value
