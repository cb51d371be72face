"""Which machine a process runs on, and what two processes share: the kernel's clock, the loopback interface."""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Node:
    """One machine, or one container of it, as a process in it sees it. Empty where the system does not tell."""

    name: str
    boot: str  # the kernel's id of this boot
    clocks: str  # the time namespace: its offset is part of the monotonic clock
    network: str  # the network namespace: whose loopback 127.0.0.1 is

    def shares_clock(self, other: Node) -> bool:
        """Whether `monotonic_ns` is one clock for both. A restored copy of a machine is told from it only by asking."""
        return self.boot != "" and (self.boot, self.clocks) == (other.boot, other.clocks)

    def shares_loopback(self, other: Node) -> bool:
        """Whether 127.0.0.1 is the same machine for both."""
        return self.boot != "" and (self.boot, self.network) == (other.boot, other.network)


def this_node() -> Node:
    """Where this process runs."""
    boot = ""
    with suppress(OSError):  # not Linux
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return Node(socket.gethostname(), boot, _namespace("time"), _namespace("net"))


def is_loopback(url: str) -> bool:
    """Whether a URL means, to whoever uses it, that very machine."""
    host = urlsplit(url).hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def _namespace(kind: str) -> str:
    try:
        return str(Path(f"/proc/self/ns/{kind}").readlink())
    except OSError:  # not Linux, or older than this kind
        return ""
