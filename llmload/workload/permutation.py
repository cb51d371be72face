"""A shuffled order of any number of rows, of which one place costs no more than another, and none is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from math import isqrt

_ROUNDS = 4
_WORD = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Permutation:
    """A permutation of 0..size-1 that the seed decides, the same on every machine.

    Places are pairs of numbers below `width` and `height`, of which each in turn is moved on by a function of the
    other (a generalized Feistel network); those few that land beyond `size` go through it again (Black and Rogaway,
    "Ciphers with Arbitrary Finite Domains", 2002). The function is the finalizer of SplitMix64 (Steele, Lea and Flood,
    2014). It is asked of so few numbers that all its values lie in tables, about 4 sqrt(size) numbers together:
    `moves` has two for each two rounds, by how much either number is moved.
    """

    size: int
    width: int
    height: int
    moves: tuple[tuple[Sequence[int], Sequence[int]], ...]

    def __getitem__(self, place: int) -> int:
        width, height = self.width, self.height
        while True:
            right, left = divmod(place, width)
            for of_left, of_right in self.moves:
                left = (left + of_left[right]) % width
                right = (right + of_right[left]) % height
            place = right * width + left
            if place < self.size:
                return place


@lru_cache(maxsize=4)
def permutation_of(size: int, seed: int) -> Permutation:
    """The order of `size` rows under `seed`."""
    drawn = blake2b(f"rows/{seed}".encode(), digest_size=8 * _ROUNDS).digest()
    keys = tuple(int.from_bytes(drawn[at : at + 8], "little") for at in range(0, len(drawn), 8))
    width = isqrt(size - 1) + 1
    height = -(-size // width)
    moves = (
        (
            tuple(_mixed(right + even) % width for right in range(height)),
            tuple(_mixed(left + odd) % height for left in range(width)),
        )
        for even, odd in zip(keys[::2], keys[1::2], strict=True)
    )
    return Permutation(size, width, height, tuple(moves))


def _mixed(number: int) -> int:
    number &= _WORD
    number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9 & _WORD
    number = (number ^ (number >> 27)) * 0x94D049BB133111EB & _WORD
    return number ^ (number >> 31)
