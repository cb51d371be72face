"""Whether a server runs on this machine."""

from __future__ import annotations

import socket


def is_here(host: str) -> bool:
    """Whether every address of `host` is one of this machine; False where its name is not known.

    An address is ours when a socket can be bound to it, which needs no list of interfaces. A tunnel looks like a
    server of this machine, too. May wait for a name server.
    """
    if not host:
        return False
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return False
    return all(_is_ours(family, address) for family, _, _, _, address in found)


def _is_ours(family: int, address: tuple[object, ...]) -> bool:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind(address)
    except OSError:
        return False
    return True
