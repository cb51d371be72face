"""GitHub's REST API, as far as comments and pull requests need it: bounded, patient, and careful with its token.

https://docs.github.com/rest. The token goes to the API's own origin and nowhere else: redirects are not followed, links
to further pages lead nowhere else, and no error, which quotes what GitHub says, tells it.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from math import inf
from typing import Literal
from urllib.parse import SplitResult, urlsplit

import httpx
import orjson

from llmload.ci.rate_limits import limit_s
from llmload.errors import ForgeError, UsageError
from llmload.plain_text import plain
from llmload.scenario.secrets import Scrubber

API_VERSION = "2022-11-28"
BODY_LIMIT = 48 * 2**20
"""Bytes of one answer: a hundred comments of 65,536 characters, each of which JSON may write in six bytes."""
PAGE_LIMIT = 30  # of a hundred each: GitHub lets an issue have 2,500 comments

_CONNECT_S, _READ_S, _ANSWER_S = 10.0, 30.0, 120.0
_WAITS_S = (1.0, 2.0, 4.0)  # before each further try of what failed on the way
_PATIENCE_S = 60.0
_EMPTY, _GONE = 204, 404
_TOO_MANY = 429  # whichever status the limit came with: a 403 of ours is about rights
_VISIBLE = frozenset(map(chr, range(0x21, 0x7F)))

_RIGHTS = (
    "Give the job `permissions: pull-requests: write` (and `contents: write` to push), and let the setting "
    "Actions > General > Workflow permissions of the repository allow it"
)
_REMEDIES = {
    401: "Check that {token} holds a token of this repository that is still valid",
    403: _RIGHTS,
    404: "Check repository and number; a token that may not see them gets the same answer. " + _RIGHTS,
    410: "It was deleted, or is turned off in the settings of the repository",
    422: "GitHub understood the request and refuses its content: see what it says",
}

Method = Literal["GET", "POST", "PATCH", "DELETE"]
Document = Mapping[str, object]


@dataclass(slots=True)
class Patience:
    """How long to wait for GitHub in all, by which clock; `now` is in seconds since 1970, as GitHub tells resets."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    left_s: float = _PATIENCE_S

    def wait(self, seconds: float) -> bool:
        """Sleep so long where so much patience is left; else say no at once."""
        if seconds > self.left_s:
            return False
        self.left_s -= seconds
        self.sleep(seconds)
        return True


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, the headers that matter and the document, None where there is no JSON."""

    status: int
    headers: httpx.Headers
    document: object
    next_url: str = ""

    @property
    def message(self) -> str:
        """What GitHub says about it."""
        told = self.document.get("message") if isinstance(self.document, Mapping) else None
        return plain(told, 300) if isinstance(told, str) else ""


@dataclass(frozen=True, slots=True)
class _Lost:
    """No answer that tells what became of the request; it was surely not heard where it `never_left`.

    `status` is that of a server or gateway in trouble, None where there is none.
    """

    because: str
    never_left: bool
    status: int | None = None


@dataclass(frozen=True, slots=True)
class GithubApi:
    """One API with one token. Paths begin with a slash: `/repos/OWNER/NAME/pulls`."""

    url: str
    client: httpx.Client
    scrubber: Scrubber
    token_from: str  # the variable's name, for messages
    patience: Patience = field(default_factory=Patience)

    def get(self, path: str) -> object:
        """A document; tried again where it was lost on the way."""
        return self._until_heard("GET", self.url + path, None).document

    def patch(self, path: str, document: Document) -> object:
        """Change what is there. Twice is as good as once, so it is tried again where its answer was lost."""
        return self._until_heard("PATCH", self.url + path, document).document

    def delete(self, path: str) -> None:
        """Remove what is there. What is gone already is as good, since an answer may be lost on the way."""
        try:
            self._until_heard("DELETE", self.url + path, None)
        except ForgeError as error:
            if error.status != _GONE:
                raise

    def post(self, path: str, document: Document, made: Callable[[], object | None]) -> object:
        """Make something. Where the answer was lost it may be there: `made` looks, before it is made again."""
        url, waits = self.url + path, iter(_WAITS_S)
        while isinstance(answer := self._allowed("POST", url, document), _Lost):
            if not self.patience.wait(next(waits, inf)):
                raise self._gave_up("POST", url, answer)
            if not answer.never_left and (found := made()) is not None:
                return found
        return self._accepted("POST", url, answer).document

    def query(self, question: str) -> object:
        """What GraphQL answers to a question that changes nothing; its address is beside that of REST."""
        url = f"{self.url.removesuffix('/v3')}/graphql"
        return self._until_heard("POST", url, {"query": question}).document

    def pages(self, path: str) -> Iterator[object]:
        """The items of a list, page after page; ForgeError for one of more than PAGE_LIMIT pages."""
        url = f"{self.url}{path}{'&' if '?' in path else '?'}per_page=100"
        for _ in range(PAGE_LIMIT):
            answer = self._until_heard("GET", url, None)
            if not isinstance(answer.document, list):
                raise ForgeError(self._where("GET", url), "the answer is no list", "Check the API's address")
            yield from answer.document
            if not answer.next_url:
                return
            url = self._own(answer.next_url)
        raise ForgeError(self._where("GET", url), f"has more than {PAGE_LIMIT} pages", "Nobody reads so many")

    def _own(self, url: str) -> str:
        """The address of a further page, where it is one of this API."""
        base = urlsplit(self.url)
        try:
            asked = urlsplit(url)
        except ValueError:
            asked = urlsplit("")
        if (asked.scheme, asked.netloc) != (base.scheme, base.netloc) or not asked.path.startswith(f"{base.path}/"):
            problem = f"the next page is said to be at {plain(self.scrubber.scrub(url), 200)}, which is not of this API"
            raise ForgeError(self.url, problem, "Check GITHUB_API_URL, and who stands between")
        return url

    def _until_heard(self, method: Method, url: str, document: Document | None) -> Answer:
        """The answer to what may be asked twice."""
        waits = iter(_WAITS_S)
        while isinstance(answer := self._allowed(method, url, document), _Lost):
            if not self.patience.wait(next(waits, inf)):
                raise self._gave_up(method, url, answer)
        return self._accepted(method, url, answer)

    def _allowed(self, method: Method, url: str, document: Document | None) -> Answer | _Lost:
        """The first answer that is not about a rate limit; what a limit refuses was not done."""
        while True:
            answer = self._once(method, url, document)
            if isinstance(answer, _Lost):
                return answer
            wait_s = limit_s(answer.status, answer.headers, answer.message, self.patience.now())
            if wait_s is None:
                return answer
            if not self.patience.wait(wait_s):
                problem = f"GitHub's rate limit is reached, and asks for a pause of {wait_s:,.0f} s"
                remedy = "Run the job again later; a token of your own (--token-env) has a limit of its own"
                raise ForgeError(self._where(method, url), problem, remedy, status=_TOO_MANY)

    def _once(self, method: Method, url: str, document: Document | None) -> Answer | _Lost:
        content = None if document is None else orjson.dumps(document)
        headers = {} if content is None else {"Content-Type": "application/json"}
        try:
            with self.client.stream(method, url, content=content, headers=headers) as response:
                body = self._read(response)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            return _Lost(self._told(error), never_left=True)
        except httpx.HTTPError as error:
            return _Lost(self._told(error), never_left=False)
        except httpx.InvalidURL as error:  # of a further page
            raise ForgeError(self._where(method, url), f"is no address ({error})", "Check GITHUB_API_URL") from None
        if response.status_code >= 500:
            return _Lost(f"status {response.status_code}", never_left=False, status=response.status_code)
        link = response.links.get("next", {}).get("url", "")
        return Answer(response.status_code, response.headers, _json(body), link)

    def _read(self, response: httpx.Response) -> bytes:
        body, ends = bytearray(), time.monotonic() + _ANSWER_S
        for piece in response.iter_bytes():
            body += piece
            if len(body) > BODY_LIMIT:
                where = self._where(response.request.method, str(response.request.url))
                raise ForgeError(where, f"the answer is longer than {BODY_LIMIT:,} bytes", "Check the API's address")
            if time.monotonic() > ends:
                raise httpx.ReadTimeout(f"the answer takes longer than {_ANSWER_S:g} s")
        return bytes(body)

    def _accepted(self, method: Method, url: str, answer: Answer) -> Answer:
        """The answer, where it is a success with a document."""
        status, where = answer.status, self._where(method, url)
        if 200 <= status < 300:
            if answer.document is None and status != _EMPTY:
                raise ForgeError(where, "the answer is no JSON", "Check the API's address", status=status)
            return answer
        if 300 <= status < 400:
            problem = f"GitHub sends us elsewhere ({status}), and the token does not go there"
            raise ForgeError(where, problem, "Name the repository as it is called now", status=status)
        said = f": {self.scrubber.scrub(answer.message)}" if answer.message else ""
        remedy = _REMEDIES.get(status, "See what GitHub says").format(token=self.token_from)
        raise ForgeError(where, f"GitHub refuses it ({status}){said.rstrip('.')}", remedy, status=status)

    def _gave_up(self, method: Method, url: str, lost: _Lost) -> ForgeError:
        where, tried = self._where(method, url), f"after {len(_WAITS_S) + 1} tries at most"
        if lost.status is None:
            problem = f"GitHub cannot be reached, {tried} ({lost.because})"
            return ForgeError(where, problem, "Check network, proxy and GITHUB_API_URL")
        problem = f"GitHub is in trouble, {tried} ({lost.status})"
        return ForgeError(where, problem, "Run the job again later", status=lost.status)

    def _where(self, method: str, url: str) -> str:
        return plain(self.scrubber.scrub(f"{method} {url}"), 300)

    def _told(self, error: httpx.HTTPError) -> str:
        return plain(self.scrubber.scrub(str(error)), 200) or type(error).__name__


@contextmanager
def connected(url: str, token: str, token_from: str, patience: Patience | None = None) -> Iterator[GithubApi]:
    """An open line to the API at `url`, with the token that the variable `token_from` holds; closed at the end.

    UsageError for a token that is none, and for an address that a token must not go to.
    """
    base, secret = _checked_url(url), token.strip()
    if not secret:
        remedy = "Hand it to the step, such as `env: GITHUB_TOKEN: ${{ github.token }}`"
        raise UsageError(token_from, "holds no token for GitHub", remedy)
    if not _VISIBLE.issuperset(secret):
        raise UsageError(token_from, "holds something that is no token", "Set it to the token and nothing else")
    is_https = base.startswith("https:")
    headers = {
        "Accept": "application/vnd.github+json",
        "Accept-Encoding": "identity",
        "Authorization": f"Bearer {secret}",
        "User-Agent": "llmload",
        "X-GitHub-Api-Version": API_VERSION,
    }
    with httpx.Client(
        headers=headers,
        timeout=httpx.Timeout(_READ_S, connect=_CONNECT_S),
        follow_redirects=False,
        verify=ssl.create_default_context() if is_https else False,
        trust_env=is_https,  # a proxy sees nothing of what is encrypted
    ) as client:
        yield GithubApi(base, client, Scrubber([secret]), token_from, patience or Patience())


def _checked_url(url: str) -> str:
    """The address of an API without its last slash: https, or http on this machine."""
    where = "GITHUB_API_URL"
    remedy = "Write it like https://api.github.com"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise UsageError(where, "is no address", remedy) from None
    if not host or parts.username is not None or parts.query or parts.fragment or not _VISIBLE.issuperset(url):
        raise UsageError(where, "is no address of an API", remedy)
    if not is_private(parts):
        raise UsageError(where, f"{plain(url, 100)} is not https, and a token must not be sent there", remedy)
    return url.rstrip("/")


def is_private(address: SplitResult) -> bool:
    """Whether nobody on the way reads what is sent there: by https, or by http on this machine."""
    return address.scheme == "https" or (address.scheme == "http" and _is_here(address.hostname or ""))


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _json(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
