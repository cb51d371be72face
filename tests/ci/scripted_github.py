"""A GitHub that does what a script says, over real sockets on this machine: comments, pull requests, and troubles.

It keeps what is written, pages its lists with Link headers, refuses a wrong token, and answers as GitHub documents it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qs, urlsplit

import orjson

from llmload.ci.github_api import GithubApi, Patience, connected
from tests.scripted_server import Piece, Request, Script, ScriptedServer, head

REPOSITORY = "acme/serving"
TOKEN = "ghs_" + "Zq7" * 12
BOT: dict[str, object] = {"login": "github-actions[bot]", "id": 41898282, "type": "Bot"}
PERSON: dict[str, object] = {"login": "mallory", "id": 666, "type": "User"}
HEAD_SHA = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Trouble:
    """What becomes of the next request of this method: `script` instead of the answer, after doing it or without."""

    method: str
    script: Script
    is_done: bool = False  # the request is carried out although its answer is lost
    path: str = ""  # only where this is in the path


def answer(status: int, document: object, **headers: str) -> Script:
    """A whole answer; `retry_after="3"` is the header retry-after."""
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    start = head(f"{status} Said", "application/json", f"Content-Length: {len(body)}\r\n{lines}")
    return Script([Piece(0, start + body)])


def refusal(status: int, message: str, **headers: str) -> Script:
    """A refusal as GitHub words it."""
    return answer(status, {"message": message, "documentation_url": "https://docs.github.com/rest"}, **headers)


LOST = Script(then="reset")
"""The connection breaks before any answer."""

FORBIDDEN = refusal(403, "Resource not accessible by integration")


def pull(number: int = 7, **changes: object) -> dict[str, object]:
    """A pull request of our repository as GitHub tells it; `changes` by key."""
    side = {"repo": {"full_name": REPOSITORY}}
    found: dict[str, object] = {
        "number": number,
        "state": "open",
        "title": "Faster decoding",
        "body": None,
        "html_url": f"https://github.com/{REPOSITORY}/pull/{number}",
        "base": {**side, "ref": "main", "sha": "f" * 40},
        "head": {**side, "ref": "faster", "sha": HEAD_SHA},
    }
    return found | changes


@dataclass
class ScriptedGithub:
    """`with ScriptedGithub() as github:` serves one repository; the bot's token, which may not ask who it is."""

    comments: list[dict[str, object]] = field(default_factory=list)
    pulls: list[dict[str, object]] = field(default_factory=lambda: [pull()])
    troubles: list[Trouble] = field(default_factory=list)
    user: dict[str, object] | None = None  # what GET /user says; a bot's token is refused
    viewer: str | None = "github-actions[bot]"
    slept: list[float] = field(default_factory=list)
    meanwhile: list[str] = field(default_factory=list)  # bodies of comments that another job posts just before ours

    def __enter__(self) -> Self:
        self._server = ScriptedServer(self._script).__enter__()
        return self

    def __exit__(self, *ended: object) -> None:
        self._server.__exit__(None, None, None)

    @property
    def url(self) -> str:
        """The address of the API."""
        return self._server.url

    @property
    def requests(self) -> list[Request]:
        """All that was asked, in order."""
        return self._server.requests

    def asked(self) -> list[str]:
        """Method and path of all that was asked, without the question mark and what follows."""
        return [line_of(request).partition("?")[0] for request in self.requests]

    def written(self) -> list[str]:
        """Of these, what was to change something."""
        return [line for line in self.asked() if not line.startswith("GET") and "graphql" not in line]

    def patience(self) -> Patience:
        """Patience that takes no time: it is noted how long it would have slept, since the second 1,000."""
        return Patience(now=lambda: 1_000.0 + sum(self.slept), sleep=self.slept.append)

    @contextmanager
    def api(self, token_from: str = "GITHUB_TOKEN") -> Iterator[GithubApi]:
        """A client of it."""
        with connected(self.url, TOKEN, token_from, self.patience()) as api:
            yield api

    def comment(self, body: str, user: dict[str, object] | None = BOT) -> dict[str, object]:
        """Add a comment, as if it had been written before."""
        number = 1_000 + len(self.comments)
        page = f"https://github.com/{REPOSITORY}/pull/7#issuecomment-{number}"
        self.comments.append({"id": number, "body": body, "user": user, "html_url": page})
        return self.comments[-1]

    def _script(self, request: Request) -> Script:
        method, path = line_of(request).split(" ", 1)
        for place, trouble in enumerate(self.troubles):
            if trouble.method == method and trouble.path in path:
                del self.troubles[place]
                if trouble.is_done:
                    self._answer(method, path, request)
                return trouble.script
        return self._answer(method, path, request)

    def _answer(self, method: str, path: str, request: Request) -> Script:
        if f"authorization: bearer {TOKEN}".lower().encode() not in request.head.lower():
            return refusal(401, "Bad credentials")
        address = urlsplit(path)
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        match method, address.path.removeprefix(f"/repos/{REPOSITORY}"):
            case "GET", "/user":
                return FORBIDDEN if self.user is None else answer(200, self.user)
            case "POST", "/graphql":
                return FORBIDDEN if self.viewer is None else answer(200, {"data": {"viewer": {"login": self.viewer}}})
            case "GET", "":
                return answer(200, {"full_name": REPOSITORY, "default_branch": "main"})
            case "GET", "/issues/7/comments":
                return self._page(self.comments, address.path, query)
            case "POST", "/issues/7/comments":
                while self.meanwhile:
                    self.comment(self.meanwhile.pop(0), self.user or BOT)
                return answer(201, self.comment(str(request.document["body"]), self.user or BOT))
            case "GET", "/pulls":
                return self._page([each for each in self.pulls if _matches(each, query)], address.path, query)
            case "POST", "/pulls":
                return self._propose(request.document)
            case other, rest:
                return self._item(other, rest, request)

    def _item(self, method: str, path: str, request: Request) -> Script:
        if found := re.fullmatch(r"/issues/comments/(\d+)", path):
            items, key = self.comments, "id"
        elif found := re.fullmatch(r"/pulls/(\d+)", path):
            items, key = self.pulls, "number"
        else:
            return refusal(404, "Not Found")
        item = next((each for each in items if each[key] == int(found[1])), None)
        if item is None:
            return refusal(404, "Not Found")
        if method == "DELETE":
            items.remove(item)
            return Script([Piece(0, head("204 No Content", "text/plain", "Content-Length: 0\r\n"))])
        if method == "PATCH":
            item |= request.document
        return answer(200, item)

    def _page(self, items: list[dict[str, object]], path: str, query: dict[str, str]) -> Script:
        page, size = int(query.get("page", 1)), int(query.get("per_page", 30))
        further = {}
        if page * size < len(items):
            rest = "&".join(f"{key}={value}" for key, value in query.items() if key not in ("page", "per_page"))
            target = f"{self.url}{path}?{rest}&per_page={size}&page={page + 1}"
            further["link"] = f'<{target}>; rel="next", <{self.url}{path}?page=9>; rel="last"'
        return answer(200, items[(page - 1) * size : page * size], **further)

    def _propose(self, asked: dict[str, object]) -> Script:
        side = {"repo": {"full_name": REPOSITORY}}
        base, ours = ({**side, "ref": asked[name], "sha": HEAD_SHA} for name in ("base", "head"))
        number = 100 + len(self.pulls)
        self.pulls.append(pull(number, title=asked["title"], body=asked["body"], base=base, head=ours))
        return answer(201, self.pulls[-1])


def line_of(request: Request) -> str:
    """Method, path and query: "GET /repos/acme/serving/pulls/7"."""
    return request.head.split(b"\r\n", 1)[0].decode().removesuffix(" HTTP/1.1")


def _matches(found: dict[str, object], query: dict[str, str]) -> bool:
    side = found["head"]
    assert isinstance(side, dict)
    owner, _, branch = query.get("head", ":").partition(":")
    name = str(side["repo"]["full_name"]).partition("/")[0]
    return found["state"] == query.get("state", "open") and (not branch or (owner, branch) == (name, side["ref"]))
