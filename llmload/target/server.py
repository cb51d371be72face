"""The server under test as the probe talks to it: few requests, bounded in time and size, told without secrets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from llmload.endpoint import Endpoint
from llmload.errors import TargetError, UsageError
from llmload.frameworks.address import join_url
from llmload.frameworks.error_body import LONGEST_TOLD, error_message
from llmload.scenario.secrets import Scrubber, scrub_url, url_secrets
from llmload.target.patience import Patience
from llmload.target.route import host_of
from llmload.tls import tls_context

_LONGEST_BODY = 8 * 1024 * 1024
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Disconnected(Exception):  # noqa: N818 - not an error of ours: the caller decides whether to ask again
    """The server took the request and did not answer it to the end; the text says how, without secrets."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer of the server. `software` is what it calls itself in its `server` header."""

    status: int
    body: bytes
    software: str | None
    location: str | None

    @property
    def is_success(self) -> bool:
        """Whether the status is one of the 200s, which is not yet an answer without an error inside."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Server:
    """An open line to the server. `name` is its URL without secrets; `scrub` takes secrets out of its words."""

    name: str
    scrub: Callable[[str], str]
    _client: httpx.Client
    _endpoint: Endpoint

    def get(self, path: str) -> Reply:
        """GET of a path below the base URL. TargetError: cannot be reached; Disconnected: no whole answer."""
        return self._send("GET", path, None)

    def post(self, path: str, body: bytes) -> Reply:
        """POST of a JSON body; raises as `get`."""
        return self._send("POST", path, body)

    def words_of(self, reply: Reply) -> str:
        """Status and message of a refusal, in one line."""
        said = self.scrub(error_message(reply.body))[:LONGEST_TOLD]
        return f"HTTP {reply.status}" + (f", {said!r}" if said else "")

    @contextmanager
    def asking(self, method: str, path: str, body: bytes | None, patience: Patience) -> Iterator[httpx.Response]:
        """An answer while it comes, until `patience` ends; raises as `get`, also while it is read.

        Redirects are not followed: what is sent is for this server.
        """
        headers = {"content-type": "application/json"} if body is not None else {}
        url, trace = join_url(self._endpoint.url, path), {"trace": patience.watch}
        try:
            with self._client.stream(method, url, content=body, headers=headers, extensions=trace) as response:
                yield response
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise self._unreachable(error) from None
        except httpx.ProxyError as error:
            raise self._refused(error) from None
        except httpx.LocalProtocolError:
            raise UsageError(
                "target.headers", "a header cannot be sent as it is written", "Use printable ASCII without line breaks"
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if patience.is_over:
                raise Disconnected(f"the answer of {path} did not end") from None
            raise Disconnected(
                self.scrub(f"{type(error).__name__} ({error})" if str(error) else type(error).__name__)
            ) from None

    def _send(self, method: str, path: str, body: bytes | None) -> Reply:
        with (
            Patience(self._endpoint.total_timeout_s) as patience,
            self.asking(method, path, body, patience) as response,
        ):
            received = bytearray()
            for chunk in response.iter_bytes():
                received += chunk
                if len(received) > _LONGEST_BODY:
                    raise Disconnected(f"the answer of {path} did not end")
            head = response.headers
            return Reply(response.status_code, bytes(received), head.get("server"), head.get("location"))

    def _refused(self, error: httpx.ProxyError) -> TargetError:
        proxy = host_of(self._endpoint.proxy or "")
        return TargetError(
            self.name,
            f"the proxy {proxy} opens no tunnel to it ({self.scrub(str(error))})",
            "Check the proxy's login and rules, or list the server in NO_PROXY",
            kind="ProxyFailed",
        )

    def _unreachable(self, error: Exception) -> TargetError:
        if isinstance(error, httpx.ConnectTimeout):
            return TargetError(
                self.name,
                f"nothing answers within {self._endpoint.connect_timeout_s:g} s",
                "Check host, port and firewall, or raise target.timeout.connect",
            )
        reason = self.scrub(str(error))
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            return TargetError(
                self.name,
                f"its certificate is not trusted ({reason})",
                "Name the authority in target.tls.ca_file, or set target.tls.verify: false for a test server",
                kind="TlsFailed",
            )
        if "SSL" in reason or "TLS" in reason:
            return TargetError(self.name, f"no TLS there ({reason})", "Check http:// or https://", kind="TlsFailed")
        if self._endpoint.proxy is not None:
            return TargetError(
                self.name,
                f"cannot connect to the proxy {host_of(self._endpoint.proxy)} ({reason})",
                "Check HTTP_PROXY and HTTPS_PROXY, or list the server in NO_PROXY",
                kind="ProxyFailed",
            )
        return TargetError(
            self.name, f"cannot connect ({reason})", "Start the server, or correct the host and port in target.url"
        )


@contextmanager
def connected(endpoint: Endpoint) -> Iterator[Server]:
    """An open line to `endpoint`; closed at the end. TargetError when its name cannot be resolved in time."""
    name = scrub_url(endpoint.url)
    _check_resolvable(endpoint, name)
    secrets = list(url_secrets(endpoint.proxy or ""))
    secrets += [value for _, value in endpoint.headers]
    secrets += [value.rpartition(" ")[2] for _, value in endpoint.headers]
    timeout = httpx.Timeout(
        endpoint.first_token_timeout_s, connect=endpoint.connect_timeout_s, write=endpoint.connect_timeout_s
    )
    with httpx.Client(
        headers=list(endpoint.headers),
        timeout=timeout,
        verify=tls_context(endpoint) if endpoint.url.startswith("https:") else False,
        trust_env=False,  # the endpoint says which proxy
        proxy=endpoint.proxy,
        # Some servers close after an answer while promising to stay: every request gets a connection of its own.
        limits=httpx.Limits(max_keepalive_connections=0),
    ) as client:
        yield Server(name, Scrubber([*url_secrets(endpoint.url), *secrets]).scrub, client, endpoint)


def _check_resolvable(endpoint: Endpoint, name: str) -> None:
    """Look the host up within the connect timeout, which the system's resolver does not know.

    A proxy looks servers up by itself: then it is the proxy's host that must be known here.
    """
    try:
        parts = urlsplit(endpoint.proxy or endpoint.url)
        host, port = parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        host = None
    if not host:
        raise TargetError(name, "this is no URL of a server", "Write target.url like http://host:8000")
    trouble: list[str] = ["the name server does not answer"]

    def look_up() -> None:
        try:
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            trouble.clear()
        except (OSError, UnicodeError) as error:
            trouble[:] = [str(error)]

    thread = threading.Thread(target=look_up, daemon=True)  # nobody can cancel a look-up; a daemon lets us leave it
    thread.start()
    thread.join(endpoint.connect_timeout_s)
    if trouble:
        place = "HTTP_PROXY or HTTPS_PROXY" if endpoint.proxy else "target.url"
        raise TargetError(name, f"the host {host} is unknown ({trouble[0]})", f"Correct the host in {place}")
