"""Which requests of a window are one worker's. Shards are disjoint, and complete together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shard:
    """In every round of `width` requests, each `of`-th one from the `number`-th on.

    In closed loop the round is the concurrency, so that a worker has as large a share of the requests as of the slots.
    """

    number: int = 0
    of: int = 1
    width: int = 1

    def indices(self) -> Iterator[int]:
        """The indices of this shard's requests, in order; endless, but for a shard that a narrow round leaves empty."""
        begin = 0
        while self.number < self.width:
            yield from range(begin + self.number, begin + self.width, self.of)
            begin += self.width

    def count(self, requests: int) -> int:
        """How many of the first `requests` are this shard's."""
        rounds, rest = divmod(requests, self.width)
        return rounds * self._within(self.width) + self._within(rest)

    def _within(self, positions: int) -> int:
        return max(0, -(-(positions - self.number) // self.of))


WHOLE = Shard()
"""Everything is one worker's."""
