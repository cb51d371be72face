"""Can this machine open so many connections? Asked before a window, since afterwards it looks like a bad server."""

from __future__ import annotations

import math
import resource
from dataclasses import dataclass
from pathlib import Path

from llmload.errors import ClientError
from llmload.verdict import Caveat

FILES_BESIDE = 64
"""Files that a worker has open beside its connections: pipes, the event loop, shared memory, libraries."""

UNLIMITED_FILES = 65_536
"""What a worker asks for where the hard limit is none: some systems refuse "unlimited" itself."""

_PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a machine allows: open files per process by its soft and its hard limit (None: no limit), and local ports
    towards one address and port of a server (None: not known).
    """

    soft_files: int | None
    hard_files: int | None
    ports: int | None


def limits_here(port_range: Path = _PORT_RANGE) -> Limits:
    """Those of this process and this machine. Only Linux tells its range of local ports."""
    soft, hard = (None if limit == resource.RLIM_INFINITY else limit for limit in _files())
    return Limits(soft, hard, _ports(port_range))


def check(connections: int, workers: int, limits: Limits, addresses: int = 1) -> Caveat | None:
    """Whether `workers` processes can hold `connections` in all, spread over so many `addresses` of the server.

    ClientError where they cannot. A caveat where they can only since each worker raises its soft limit.
    """
    if limits.ports is not None and connections > limits.ports * addresses:
        raise ClientError(
            "this machine",
            f"{connections:,} connections to one server need as many local ports, and there are {limits.ports:,}",
            "Widen net.ipv4.ip_local_port_range, or send from more client machines (load.engine: ray)",
        )
    each = math.ceil(connections / workers) + FILES_BESIDE
    if limits.hard_files is not None and each > limits.hard_files:
        raise ClientError(
            "this machine",
            f"{connections:,} connections of {_counted(workers)} need {each:,} open files in one process,"
            f" and the hard limit is {limits.hard_files:,}",
            "Raise the hard limit (ulimit -Hn; LimitNOFILE in systemd, --ulimit nofile in Docker), or load.workers",
        )
    if limits.soft_files is None or each <= limits.soft_files:
        return None
    figure = f"{each:,} open files in one process are above the soft limit of {limits.soft_files:,}; workers raised it"
    return Caveat("limit of open files raised", figure, f"Nothing to do; `ulimit -n {each}` says so beforehand")


def raise_file_limit() -> None:
    """Let this process open as many files as its hard limit allows, for its connections."""
    soft, hard = _files()
    wanted = UNLIMITED_FILES if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _files() -> tuple[int, int]:
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def _ports(port_range: Path) -> int | None:
    try:
        low, high = map(int, port_range.read_text(encoding="ascii").split())
    except (OSError, ValueError):  # not Linux, or hidden from us
        return None
    return high - low + 1


def _counted(workers: int) -> str:
    return f"{workers} worker{'' if workers == 1 else 's'}"
