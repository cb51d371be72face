"""Which request of a mixture is of which class: exact shares in every block, in an order that a key shuffles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from math import ceil, gcd, lcm
from typing import NamedTuple

_WHOLE = 1000  # shares are whole tenths of a percent
_ONE = 2**64


class Place(NamedTuple):
    """Where a request stands: the `rank`-th (from 0) of its class, which is the `number`-th of the mixture."""

    number: int
    rank: int


@dataclass(frozen=True, slots=True)
class Quotas:
    """How many requests of each class every block has: the smallest block in which all shares are whole numbers."""

    counts: tuple[int, ...]

    @property
    def block(self) -> int:
        """Requests of one block."""
        return sum(self.counts)

    def most(self, number: int, requests: int) -> int:
        """No fewer than the requests of a class among the first so many of any window."""
        blocks, rest = divmod(requests, self.block)
        mine = self.counts[number]
        # one of each class at most is early or late, so the rest of a block has so many more of this one at most
        return blocks * mine + min(mine, rest, ceil(mine * (rest + len(self.counts)) / self.block) + 1)

    def place(self, key: bytes, index: int) -> Place:
        """Where the `index`-th request of the window with this key stands."""
        block, within = divmod(index, self.block)
        number, rank = _order(self.counts, key, block)[within]
        return Place(number, block * self.counts[number] + rank)


def quotas_of(shares: Sequence[float]) -> Quotas:
    """Those of shares (0..1) that are whole tenths of a percent, and 1 together."""
    tenths = [round(share * _WHOLE) for share in shares]
    block = lcm(*(_WHOLE // gcd(_WHOLE, each) for each in tenths))
    return Quotas(tuple(each * block // _WHOLE for each in tenths))


@lru_cache(maxsize=64)
def _order(counts: tuple[int, ...], key: bytes, block: int) -> tuple[Place, ...]:
    """One block, in an order that its key shuffles: of n requests of a class, one lies in each n-th part of the block.

    So any stretch of a window has nearly its share of each class, and no two windows have the same order.
    """
    slots: list[tuple[float, int, int]] = []
    for number, count in enumerate(counts):
        for rank in range(count):
            drawn = blake2b(b"%d/%d/%d" % (block, number, rank), key=key, digest_size=8).digest()
            slots.append(((rank + int.from_bytes(drawn, "little") / _ONE) / count, number, rank))
    return tuple(Place(number, rank) for _, number, rank in sorted(slots))
