"""A shuffled order of any number of rows, of which one place costs no more than another, and none is stored."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

_ROUNDS = 4
_WORD = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Permutation:
    """A permutation of 0..size-1 that the seed decides, the same on every machine.

    A Feistel network over the next even number of bits, walked on until it lands inside (Black and Rogaway, "Ciphers
    with Arbitrary Finite Domains", 2002): each place is met once, and fewer than four steps are taken on average. Its
    round function is the finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
    """

    size: int
    keys: tuple[int, ...]

    def __getitem__(self, place: int) -> int:
        half = max(1, ((self.size - 1).bit_length() + 1) // 2)
        mask = (1 << half) - 1
        while True:
            left, right = place >> half, place & mask
            for key in self.keys:
                mixed = (right + key) & _WORD
                mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 & _WORD
                mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB & _WORD
                left, right = right, left ^ ((mixed ^ (mixed >> 31)) & mask)
            place = left << half | right
            if place < self.size:
                return place


def permutation_of(size: int, seed: int) -> Permutation:
    """The order of `size` rows under `seed`."""
    drawn = blake2b(f"rows/{seed}".encode(), digest_size=8 * _ROUNDS).digest()
    return Permutation(size, tuple(int.from_bytes(drawn[at : at + 8], "little") for at in range(0, len(drawn), 8)))
