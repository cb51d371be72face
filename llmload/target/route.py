"""Which way to the server: directly or through a proxy, and hence which transport speaks HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Literal, assert_never
from urllib.parse import unquote, urlsplit, urlunsplit

from llmload.endpoint import Endpoint, Transport
from llmload.errors import UsageError
from llmload.verdict import Caveat

_PRICE = "over httpx, which takes several times the CPU per event and stamps it later"


@dataclass(frozen=True, slots=True)
class Route:
    """The way to one server. `proxy` is a URL, perhaps with a password in it."""

    transport: Transport
    proxy: str | None


def route_to(url: str, transport: Literal["auto", "fast", "httpx"], env: Mapping[str, str]) -> Route:
    """The way to `url`. `auto` is the fast transport, and httpx where the environment names a proxy for the URL.

    `fast` goes directly, whatever the environment says: its author knows the server to be within reach. UsageError:
    the proxy is of a kind that nobody here speaks to.
    """
    match transport:
        case "fast":
            return Route("fast", None)
        case "httpx":
            return Route("httpx", proxy_for(url, env))
        case "auto":
            proxy = proxy_for(url, env)
            return Route("fast" if proxy is None else "httpx", proxy)
        case _:
            assert_never(transport)


def proxy_for(url: str, env: Mapping[str, str]) -> str | None:
    """The proxy that `HTTP_PROXY`, `HTTPS_PROXY` or `ALL_PROXY` names for `url`, unless `NO_PROXY` lists its host.

    Small letters go before capitals, as in curl and Python. This machine's own addresses never go through a proxy,
    whose loopback is another machine; so do Go's programs and browsers.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None  # who connects says what is wrong with it
    if not parts.hostname or _is_loopback(parts.hostname):
        return None
    for name in (f"{parts.scheme}_proxy", "all_proxy"):
        for variable in (name, name.upper()):
            if proxy := env.get(variable, "").strip():
                return None if _is_excepted(parts.hostname, port, env) else _checked(proxy, variable)
    return None


def slower_transport(endpoint: Endpoint) -> Caveat | None:
    """The validity rule "slower transport": httpx was in the way of the clock; None on the fast one."""
    match endpoint.transport, endpoint.proxy:
        case "fast", _:
            return None
        case "httpx", None:
            figure, remedy = f"requests went {_PRICE}", "Write target.transport: auto, unless HTTP/2 is the point"
        case "httpx", str(proxy):
            figure = f"requests went through the proxy {host_of(proxy)}, {_PRICE}"
            remedy = "Connect directly where that is possible: list the server in NO_PROXY"
    return Caveat("slower transport", figure, remedy)


def without_login(url: str) -> tuple[str, bytes | None]:
    """A URL without `user:password@`, which travels as a header, and that login."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url, None  # `connected` says what is wrong with it
    login, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, None
    user, _, password = login.partition(":")
    return urlunsplit(parts._replace(netloc=host)), f"{unquote(user)}:{unquote(password)}".encode()


def host_of(proxy: str) -> str:
    """Host and port of a proxy, without its login."""
    return urlsplit(proxy).netloc.rpartition("@")[2]


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_excepted(host: str, port: int | None, env: Mapping[str, str]) -> bool:
    """Whether `NO_PROXY` lists it: `*`, a host with all below it, `host:port`, an address or a network."""
    entries = (entry.strip().lower() for entry in (env.get("no_proxy") or env.get("NO_PROXY") or "").split(","))
    return any(_excepts(entry, host, port) for entry in entries if entry)


def _excepts(entry: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    try:
        return ip_address(host) in ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass  # one of them is a name
    name = entry.removesuffix(f":{port}").removeprefix("*").removeprefix(".")
    return host == name or host.endswith(f".{name}")


def _checked(proxy: str, variable: str) -> str:
    """The URL of a proxy; one without a scheme is an HTTP proxy."""
    url = proxy if "://" in proxy else f"http://{proxy}"
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise UsageError(
            f"${variable}",
            "it does not name an HTTP proxy, and llmload speaks to no other kind",
            "Write http://HOST:PORT, list the server in NO_PROXY, or write target.transport: fast to connect directly",
        )
    return url
