"""One metrics page over HTTP: asked within a bound, kept within a bound, and never a reason to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

import httpx

from llmload.endpoint import Endpoint
from llmload.errors import UsageError
from llmload.frameworks.address import join_url
from llmload.scenario.secrets import scrub_url
from llmload.tls import tls_context

WITHIN_S = 2.0
"""A page that takes longer says nothing of one instant."""
_LARGEST_BYTES = 8 * 1024 * 1024
_PIECE_BYTES = 64 * 1024
_PORTS = {"http": 80, "https": 443}
_ACCEPTED = {"accept": "text/plain;version=0.0.4;q=1,*/*;q=0.1", "accept-encoding": "identity"}
_TROUBLE = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError, RuntimeError)
"""RuntimeError: the client was closed meanwhile."""


class Page(NamedTuple):
    """A page as it came, and when it was asked for and there, on the monotonic clock."""

    body: bytes
    began_ns: int
    ended_ns: int

    @property
    def at_ns(self) -> int:
        """The middle of the exchange."""
        return (self.began_ns + self.ended_ns) // 2


@dataclass(frozen=True, slots=True)
class Address:
    """Where a page is, and what is sent along: the key of a target goes to its own origin and nowhere else."""

    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    proxy: str | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The URL as it may be told."""
        return scrub_url(self.url)


def beside(endpoint: Endpoint) -> Address:
    """`/metrics` beside the API of `endpoint`, where every server but Triton has it."""
    parts = urlsplit(endpoint.url)
    root = parts._replace(path=parts.path.rstrip("/").removesuffix("/v1"))
    return _own(join_url(urlunsplit(root), "/metrics"), endpoint)


def on_port(endpoint: Endpoint, port: int) -> Address:
    """`/metrics` on another port of the same host: another origin."""
    host = urlsplit(endpoint.url).hostname or ""
    return Address(f"http://{f'[{host}]' if ':' in host else host}:{port}/metrics")


def named(url: str, endpoint: Endpoint) -> Address:
    """A page that the scenario names; only where it is of the endpoint's origin does it get the endpoint's key."""
    return _own(url, endpoint) if _origin(url) == _origin(endpoint.url) else Address(url)


def _own(url: str, endpoint: Endpoint) -> Address:
    return Address(url, endpoint.headers, endpoint.proxy)


def _origin(url: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None


class Line:
    """An open line to one page."""

    def __init__(self, address: Address, client: httpx.Client) -> None:
        self.address, self._client = address, client

    def ask(self) -> Page | str:
        """The page, or in a few words why there is none."""
        again = True
        while True:
            try:
                return self._exchange()
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                if not again:  # some servers close a connection that they promised to keep
                    return "the server hung up"
                again = False
            except httpx.TimeoutException:
                return _too_slow()
            except _TROUBLE:
                return "nothing answers there"

    def ask_in_time(self, within_s: float = WITHIN_S) -> Page | str:
        """As `ask`, but back in time whatever the server, a name server or a network does."""
        told: list[Page | str] = []
        asking = threading.Thread(target=lambda: told.append(self.ask()), name="metrics-page", daemon=True)
        asking.start()
        asking.join(within_s)
        return told[0] if told else _too_slow(within_s)

    def _exchange(self) -> Page | str:
        began_ns = time.monotonic_ns()
        headers = httpx.Headers(list(self.address.headers))
        headers.update(_ACCEPTED)
        with self._client.stream("GET", self.address.url, headers=headers) as response:
            if response.status_code != httpx.codes.OK:
                return f"it answers with status {response.status_code}"
            if response.headers.get("content-encoding", "identity") != "identity":
                return "it is compressed, which nobody asked for"
            body = bytearray()
            for piece in response.iter_raw(_PIECE_BYTES):
                body += piece
                if len(body) > _LARGEST_BYTES:
                    return "it is longer than 8 MB"
                if time.monotonic_ns() - began_ns > WITHIN_S * 1e9:
                    return _too_slow()
        return Page(bytes(body), began_ns, time.monotonic_ns())


def _too_slow(within_s: float = WITHIN_S) -> str:
    return f"it is not there within {within_s:g} s"


@contextmanager
def lines_to(addresses: tuple[Address, ...], endpoint: Endpoint) -> Iterator[tuple[Line, ...]]:
    """Lines to pages that may be where a page is looked for; certificates are trusted as those of `endpoint`."""
    clients: list[httpx.Client] = []
    try:
        lines = []
        for address in addresses:
            try:
                clients.append(_client(address, endpoint))
            except (UsageError, *_TROUBLE):  # told by the probe, where it matters
                continue
            lines.append(Line(address, clients[-1]))
        yield tuple(lines)
    finally:
        for client in clients:
            client.close()


def _client(address: Address, endpoint: Endpoint) -> httpx.Client:
    return httpx.Client(
        timeout=WITHIN_S,
        verify=tls_context(endpoint) if address.url.startswith("https:") else False,
        trust_env=False,  # the endpoint says which proxy
        proxy=address.proxy,
        follow_redirects=False,
    )
