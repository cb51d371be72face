"""A process that serves a site: its socket, its server, and how it ends."""

from __future__ import annotations

import errno
import gc
import ipaddress
import signal
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn

from llmload.errors import UsageError
from llmload.site import assets, plugin

_GRACE_S = 1
"""What requests that go on, such as event streams, get when the server is to end."""

_GARBAGE = (20_000, 20, 20)
"""How often cycles are looked for: a page makes tens of thousands of objects, of which hardly any is in one."""

_WORDS = {
    errno.EADDRINUSE: ("another program listens there", "End it, or choose another --port (0 takes a free one)"),
    errno.EACCES: ("this port may not be used", "Choose one above 1023 with --port"),
    errno.EADDRNOTAVAIL: ("this machine has no such address", "Choose one that it has with --host"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a site is: the address that is listened on, and what a proxy in front of it does."""

    host: str
    port: int
    base_url: str = "/"  # path that a proxy puts before every page
    proxies: tuple[str, ...] = ()  # addresses and networks whose X-Forwarded-For and -Proto are believed


def serve(store: Path, chosen: dict[str, object], place: Place, tell: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM, which end the process with 0. `tell` gets the address once the server answers.

    UsageError for an address or path that cannot be used.
    """
    base_url = _base_url(place.base_url)
    proxies = [_network(each) for each in place.proxies]
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    with _listener(place) as listener:
        address = _address(place.host, listener.getsockname()[1], base_url)
        if not _is_loopback(place.host) and "api_key_env" not in chosen:
            print(
                f"llmload: {place.host}: everybody who reaches it can read; --api-key-env demands a key",
                file=sys.stderr,
            )
        config = uvicorn.Config(
            plugin.application(store, chosen, base_url),
            log_level="warning",
            access_log=False,
            lifespan="on",
            ws="none",
            server_header=False,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=proxies,
            timeout_graceful_shutdown=_GRACE_S,
        )
        _Server(config, lambda: tell(address)).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Says when it answers, and prepares then what takes long."""

    def __init__(self, config: uvicorn.Config, tell: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell = tell

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        gc.freeze()  # modules stay: looking through them again and again would cost every page a tenth of its time
        gc.set_threshold(*_GARBAGE)
        self._tell()
        threading.Thread(target=assets.prepare, daemon=True).start()


def _leave(_: int, __: FrameType | None) -> None:
    """Uvicorn raises the signal again once everything is closed; before it listens, there is nothing to close."""
    raise SystemExit(0)


def _listener(place: Place) -> socket.socket:
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family = found[0][0]
        has_both = family == socket.AF_INET6 and place.host == "::" and socket.has_dualstack_ipv6()
        return socket.create_server(found[0][4][:2], family=family, backlog=2048, dualstack_ipv6=has_both)
    except OSError as error:
        problem, remedy = _WORDS.get(
            error.errno or 0, (error.strerror or str(error), "Choose another --host or --port")
        )
        raise UsageError(f"{place.host}:{place.port}", problem, remedy) from None


def _address(host: str, port: int, base_url: str) -> str:
    """What a browser on this machine opens."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - compared only
    return f"http://[{shown}]:{port}{base_url}" if ":" in shown else f"http://{shown}:{port}{base_url}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _base_url(path: str) -> str:
    inner = path.strip("/")
    is_foreign = any(not (each.isalnum() and each.isascii()) and each not in "/-_." for each in inner)
    if is_foreign or "//" in inner or {".", ".."} & set(inner.split("/")):
        raise UsageError("--base-url", f"{path!r} is no path", "Use letters, digits, - and _, such as /llmload/")
    return f"/{inner}/" if inner else "/"


def _network(named: str) -> str:
    try:
        return str(ipaddress.ip_network(named, strict=False))
    except ValueError:
        raise UsageError(
            "--trust-proxy", f"{named!r} is no address", "Use one such as 127.0.0.1 or 10.0.0.0/8"
        ) from None
