"""The client of GitHub's REST API, against a scripted GitHub over real sockets."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from llmload.ci.github_api import BODY_LIMIT, GithubApi, Patience, connected
from llmload.ci.github_resources import (
    Account,
    Proposal,
    acting_account,
    add_comment,
    checked_repository,
    comments_of,
    open_pull_requests,
    propose,
    pull_request,
)
from llmload.ci.rate_limits import limit_s
from llmload.errors import ForgeError, UsageError
from tests.ci.scripted_github import (
    FORBIDDEN,
    HEAD_SHA,
    LOST,
    REPOSITORY,
    TOKEN,
    ScriptedGithub,
    Trouble,
    answer,
    pull,
    refusal,
)
from tests.scripted_server import Piece, Script, ScriptedServer, head, whole

BROKEN = refusal(502, "Bad gateway")


def _number(github: ScriptedGithub) -> int:
    with github.api() as api:
        return pull_request(api, REPOSITORY, 7).number


def test_every_request_names_its_version_and_carries_the_token() -> None:
    with ScriptedGithub() as github:
        assert _number(github) == 7
    head = github.requests[0].head.decode().lower()
    assert "x-github-api-version: 2022-11-28" in head
    assert "accept: application/vnd.github+json" in head
    assert f"authorization: bearer {TOKEN.lower()}" in head


# ---------------------------------------------------------------- rate limits


@pytest.mark.parametrize(
    ("script", "slept"),
    [
        pytest.param(refusal(403, "You have exceeded a secondary rate limit", retry_after="3"), 3, id="secondary"),
        pytest.param(refusal(403, "You have exceeded a secondary rate limit"), 60, id="secondary, untold: a minute"),
        pytest.param(refusal(429, "Slow down", retry_after="7"), 7, id="429 with retry-after"),
        pytest.param(refusal(429, "Slow down", retry_after="0"), 1, id="a pause of nothing is one of a second"),
        pytest.param(
            refusal(403, "API rate limit exceeded", x_ratelimit_remaining="0", x_ratelimit_reset="1020"),
            21,
            id="primary: until its reset and a second",
        ),
        pytest.param(
            refusal(429, "API rate limit exceeded", x_ratelimit_remaining="0", x_ratelimit_reset="900"),
            1,
            id="primary: a reset that is over",
        ),
    ],
)
def test_a_rate_limit_is_waited_for(script: Script, slept: float) -> None:
    with ScriptedGithub(troubles=[Trouble("GET", script)]) as github:
        assert _number(github) == 7
    assert github.slept == [slept]


def test_a_limit_that_lasts_longer_than_our_patience_is_not_waited_for() -> None:
    limit = refusal(403, "API rate limit exceeded", x_ratelimit_remaining="0", x_ratelimit_reset="3400")
    with ScriptedGithub(troubles=[Trouble("GET", limit)]) as github, pytest.raises(ForgeError) as found:
        _number(github)
    assert github.slept == []
    assert "pause of 2,401 s" in str(found.value)
    assert found.value.status == 429  # a 403 is about rights
    assert found.value.exit_code == 5


def test_patience_is_one_for_all_limits_together() -> None:
    limits = [Trouble("GET", refusal(429, "", retry_after="25")) for _ in range(4)]
    with ScriptedGithub(troubles=limits) as github, pytest.raises(ForgeError, match="rate limit"):
        _number(github)
    assert github.slept == [25, 25]


def test_a_limit_without_end_ends() -> None:
    limits = [Trouble("GET", refusal(429, "", retry_after="0")) for _ in range(100)]
    with ScriptedGithub(troubles=limits) as github, pytest.raises(ForgeError, match="rate limit"):
        _number(github)
    assert sum(github.slept) == 60


@pytest.mark.parametrize("status", [200, 401, 404, 500])
def test_other_answers_are_about_no_limit(status: int) -> None:
    assert limit_s(status, {"retry-after": "5", "x-ratelimit-remaining": "0"}, "rate limit", 0) is None


# ---------------------------------------------------------------- what is lost on the way


@pytest.mark.parametrize("script", [pytest.param(LOST, id="connection breaks"), pytest.param(BROKEN, id="502")])
def test_what_may_be_asked_twice_is_asked_again_with_growing_waits(script: Script) -> None:
    with ScriptedGithub(troubles=[Trouble("GET", script) for _ in range(3)]) as github:
        assert _number(github) == 7
    assert github.slept == [1, 2, 4]


@pytest.mark.parametrize(
    ("script", "told"),
    [pytest.param(LOST, "cannot be reached", id="connection breaks"), pytest.param(BROKEN, "in trouble", id="502")],
)
def test_after_four_tries_it_is_given_up(script: Script, told: str) -> None:
    with ScriptedGithub(troubles=[Trouble("GET", script) for _ in range(9)]) as github, pytest.raises(ForgeError) as e:
        _number(github)
    assert len(github.requests) == 4
    assert told in str(e.value)
    assert TOKEN not in str(e.value)


def test_nobody_there_is_told_with_the_address() -> None:
    with ScriptedGithub() as github:
        url = github.url
    patience = Patience(sleep=lambda _: None)
    with connected(url, TOKEN, "GITHUB_TOKEN", patience) as api, pytest.raises(ForgeError, match="cannot be reached"):
        pull_request(api, REPOSITORY, 7)


@pytest.mark.parametrize(
    ("trouble", "posts"),
    [
        pytest.param(Trouble("POST", LOST, is_done=True), 1, id="heard, answer lost: found again"),
        pytest.param(Trouble("POST", BROKEN, is_done=True), 1, id="done behind a broken gateway: found again"),
        pytest.param(Trouble("POST", LOST), 2, id="not heard: sent again"),
        pytest.param(Trouble("POST", BROKEN), 2, id="not done by a broken gateway: sent again"),
        pytest.param(Trouble("POST", refusal(429, "", retry_after="1")), 2, id="refused by a limit: sent again"),
    ],
)
def test_a_lost_answer_doubles_no_comment(trouble: Trouble, posts: int) -> None:
    with ScriptedGithub(troubles=[trouble]) as github:
        with github.api() as api:
            made = add_comment(
                api,
                REPOSITORY,
                7,
                "Hello",
                lambda: next((each for each in comments_of(api, REPOSITORY, 7) if each.body == "Hello"), None),
            )
        assert made.body == "Hello"
    assert [each["body"] for each in github.comments] == ["Hello"]
    assert len(github.written()) == posts


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("script", "told"),
    [
        pytest.param(refusal(401, "Bad credentials"), "MY_TOKEN holds a token", id="401 names the variable"),
        pytest.param(FORBIDDEN, "permissions: pull-requests: write", id="403 names the permission"),
        pytest.param(FORBIDDEN, "Workflow permissions", id="403 names the setting"),
        pytest.param(refusal(404, "Not Found"), "Check repository and number", id="404"),
        pytest.param(refusal(410, "Issues are disabled"), "turned off", id="410"),
        pytest.param(refusal(422, "Body is too long"), "Body is too long", id="422 tells what GitHub says"),
        pytest.param(refusal(418, f"I hold {TOKEN}"), r"I hold \*\*\*", id="a token that comes back is not told"),
        pytest.param(refusal(451, "a\x1b[2J\u202eb"), r"\(451\): ab\.", id="no terminal sequence is told"),
        pytest.param(answer(200, b"<html>"), "no JSON", id="no JSON"),
        pytest.param(answer(200, [1, 2]), "not a pull request", id="another document"),
        pytest.param(answer(200, pull(number="7")), "'number' of the answer is no number", id="another type"),
        pytest.param(answer(200, pull(head="x")), "not the head of a pull request", id="another shape"),
        pytest.param(answer(200, pull(title=5)), "'title' of the answer is no text", id="a number for a text"),
        pytest.param(answer(301, {}, location="http://127.0.0.1:9/"), "sends us elsewhere", id="a redirect"),
    ],
)
def test_a_refusal_says_what_to_do(script: Script, told: str) -> None:
    github = ScriptedGithub(troubles=[Trouble("GET", script)])
    with github, github.api("MY_TOKEN") as api, pytest.raises(ForgeError, match=told) as found:
        pull_request(api, REPOSITORY, 7)
    assert found.value.exit_code == 5
    assert TOKEN not in str(found.value)
    assert len(github.requests) == 1


def test_a_token_is_not_taken_along_to_where_a_redirect_leads() -> None:
    with ScriptedServer(lambda _: whole("200 OK", pull())) as elsewhere:
        redirect = answer(307, {}, location=f"{elsewhere.url}/repos/{REPOSITORY}/pulls/7")
        with ScriptedGithub(troubles=[Trouble("GET", redirect)]) as github, pytest.raises(ForgeError):
            _number(github)
        assert elsewhere.requests == []


def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    pieces = [Piece(0, head("200 OK", "application/json", "")), *([Piece(0, b"x" * 2**20)] * (BODY_LIMIT // 2**20 + 9))]
    refused = pytest.raises(ForgeError, match="longer than")
    with ScriptedGithub(troubles=[Trouble("GET", Script(pieces))]) as github, github.api() as api, refused:
        api.get("/user")


# ---------------------------------------------------------------- pages


def test_all_pages_are_read_in_order() -> None:
    with ScriptedGithub() as github:
        for number in range(250):
            github.comment(f"comment {number}")
        with github.api() as api:
            found = [each.body for each in comments_of(api, REPOSITORY, 7)]
    assert found == [f"comment {number}" for number in range(250)]
    assert len(github.requests) == 3


@pytest.mark.parametrize(
    "link",
    [
        pytest.param("https://evil.example/repos", id="another host"),
        pytest.param("{url}@evil.example/repos", id="our host as a user's name"),
        pytest.param("http://[::1/x", id="no address"),
        pytest.param("//evil.example/repos", id="another host, same scheme"),
        pytest.param("/repos?page=2", id="no host"),
    ],
)
def test_a_next_page_elsewhere_is_refused(link: str) -> None:
    with ScriptedGithub() as github:
        page = answer(200, [], link=f'<{link.format(url=github.url)}>; rel="next"')
        github.troubles.append(Trouble("GET", page))
        with github.api() as api, pytest.raises(ForgeError, match="not of this API"):
            list(comments_of(api, REPOSITORY, 7))
    assert len(github.requests) == 1


def test_pages_without_end_end() -> None:
    with ScriptedGithub() as github:
        again = answer(200, [], link=f'<{github.url}/repos/x>; rel="next"')
        github.troubles += [Trouble("GET", again) for _ in range(99)]
        with github.api() as api, pytest.raises(ForgeError, match="more than 30 pages"):
            list(comments_of(api, REPOSITORY, 7))
    assert len(github.requests) == 30


# ---------------------------------------------------------------- where the token may go


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://api.github.com", id="plain http"),
        pytest.param("http://127.0.0.1.example.com", id="a name like this machine"),
        pytest.param("http://169.254.169.254", id="an address beside us"),
        pytest.param("https://me:secret@api.github.com", id="with a user"),
        pytest.param("https://api.github.com?x=1", id="with a query"),
        pytest.param("https://", id="no host"),
        pytest.param("ftp://api.github.com", id="no http"),
        pytest.param("api.github.com", id="no scheme"),
        pytest.param("https://api.github.com\n.evil.example", id="two lines"),
        pytest.param("https://api.github.com:99999", id="no port"),
    ],
)
def test_a_token_goes_to_https_or_this_machine_only(url: str) -> None:
    with pytest.raises(UsageError, match="GITHUB_API_URL"), connected(url, TOKEN, "GITHUB_TOKEN"):
        pass


@pytest.mark.parametrize("token", ["", " \n", "two words", "line\nbreak", "ümlaut", "bell\x07"])
def test_what_is_no_token_is_refused_without_telling_it(token: str) -> None:
    with pytest.raises(UsageError) as found, connected("https://api.github.com", token, "MY_TOKEN"):
        pass
    assert str(found.value).startswith("MY_TOKEN: holds")
    assert not token.strip() or token.strip() not in str(found.value)


@pytest.mark.parametrize(
    "name", ["", "acme", "acme/", "/x", "a/b/c", "../x", "a/..", "./x", "a/b?c", "a b/c", "a/b\n", "a/%2e", "ä/b"]
)
def test_no_other_path_is_made_of_a_name(name: str) -> None:
    with pytest.raises(UsageError):
        checked_repository(name)


# ---------------------------------------------------------------- accounts and pull requests


def _asked(github: ScriptedGithub, ask: Callable[[GithubApi], object]) -> object:
    with github, github.api() as api:
        return ask(api)


def test_who_writes_is_asked_where_that_is_allowed() -> None:
    person = {"login": "Ada", "type": "User"}
    assert _asked(ScriptedGithub(user=person), acting_account) == Account("Ada", is_bot=False)
    assert _asked(ScriptedGithub(viewer="our-app[bot]"), acting_account) == Account("our-app[bot]", is_bot=True)
    assert _asked(ScriptedGithub(viewer=None), acting_account) == Account("github-actions[bot]", is_bot=True)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        pytest.param(Account("ci[bot]", is_bot=True), Account("CI", is_bot=True), True, id="a bot by both its names"),
        pytest.param(Account("ci", is_bot=True), Account("ci", is_bot=False), False, id="a person with a bot's name"),
        pytest.param(Account("Ada", is_bot=False), Account("ada", is_bot=False), True, id="case does not matter"),
        pytest.param(Account("ci[bot]", is_bot=True), Account("other[bot]", is_bot=True), False, id="two bots"),
    ],
)
def test_accounts_are_told_apart(one: Account, other: Account, is_same: bool) -> None:
    assert one.is_same(other) is is_same
    assert other.is_same(one) is is_same


PROPOSAL = Proposal("Baseline of chat", "It moved.", "llmload/baseline", "main")


def test_open_pull_requests_are_found_by_their_branch() -> None:
    fork = {"repo": {"full_name": "mallory/serving"}, "ref": "faster", "sha": HEAD_SHA}
    pulls = [pull(7), pull(8, state="closed"), pull(9, head=fork), pull(10, head={**fork, "repo": None, "ref": "x"})]
    github = ScriptedGithub(pulls=[each for each in pulls if each["number"] != 10])
    found = _asked(github, lambda api: [each.number for each in open_pull_requests(api, REPOSITORY, "faster")])
    assert found == [7]
    assert "head=acme%3Afaster" in github.requests[0].head.decode()


def test_a_proposal_opens_a_pull_request_once_and_rewrites_it_later() -> None:
    with ScriptedGithub() as github, github.api() as api:
        first = propose(api, REPOSITORY, PROPOSAL)
        again = propose(api, REPOSITORY, PROPOSAL)
        later = propose(api, REPOSITORY, Proposal("Another title", "Other words.", PROPOSAL.head, "main"))
    assert first == again
    assert (later.number, later.title, later.body) == (first.number, "Another title", "Other words.")
    assert github.written() == [f"POST /repos/{REPOSITORY}/pulls", f"PATCH /repos/{REPOSITORY}/pulls/{first.number}"]


def test_a_lost_answer_opens_no_second_pull_request() -> None:
    with ScriptedGithub(troubles=[Trouble("POST", LOST, is_done=True)]) as github, github.api() as api:
        assert propose(api, REPOSITORY, PROPOSAL).title == PROPOSAL.title
    assert len(github.pulls) == 2
    assert len(github.written()) == 1
