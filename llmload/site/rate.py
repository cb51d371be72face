"""How fast one client may ask: a token bucket for each address, and never more than a bounded number of them."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

_BURST_S = 4.0
"""Seconds' worth of requests that a client may ask for at once: a page with what it loads, opened in several tabs."""

_MOST_CLIENTS = 4096
"""Addresses that are remembered; the one that was silent longest is forgotten, which gives it a full bucket again."""

_NETWORK_BITS = 64
"""Of an IPv6 address: whoever has one of these networks has all of its addresses."""


class RateLimit:
    """`per_s` requests a second of each client on average; 0 = as many as it likes."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._most = max(1.0, per_s * _BURST_S)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # address -> tokens left, and when (s)

    def wait_s(self, address: str, now_s: float) -> float:
        """Take a token; 0 where there was one, else the seconds until there is. `now_s` is of a monotonic clock."""
        if not self._per_s:
            return 0.0
        client = _client(address)
        left, when_s = self._buckets.pop(client, (self._most, now_s))
        left = min(self._most, left + (now_s - when_s) * self._per_s)
        self._buckets[client] = (left - 1 if left >= 1 else left, now_s)
        if len(self._buckets) > _MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return 0.0 if left >= 1 else (1 - left) / self._per_s

    def __len__(self) -> int:
        """Clients that are remembered."""
        return len(self._buckets)


def _client(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed.packed, _NETWORK_BITS), strict=False))
