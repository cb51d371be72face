"""What groups of prompts begin with: which group a request is of, and the words of its prefix. Pure.

Popularity is Zipf's: of n groups, the k-th most popular is asked with probability k^-s / (1^-s + ... + n^-s), s the
exponent. Requests for documents of the Web follow it with s of 0.64 to 0.83 (Breslau et al., "Web Caching and Zipf-like
Distributions", INFOCOM 1999); with s = 0 all groups are asked alike. Groups are drawn by inversion (Devroye,
"Non-Uniform Random Variate Generation", 1986, III.2): the first one whose cumulative probability reaches a uniform
number, which is a hash of seed, window and index.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate

from llmload.scenario.traffic import SharedPrefix
from llmload.workload.prompts import SALT_WORDS, plain_text, salt

_ONE = 2.0**-64


def group_of(prefix: SharedPrefix, window: bytes, index: int) -> int:
    """The group (from 0, the most popular one) of the `index`-th request of a window that `window` stands for."""
    drawn = blake2b(index.to_bytes(8, "little"), key=window, person=b"group", digest_size=8).digest()
    uniform = (int.from_bytes(drawn, "little") + 1) * _ONE
    cumulative = _cumulative(prefix.groups, prefix.zipf)
    return min(bisect_left(cumulative, uniform * cumulative[-1]), prefix.groups - 1)


def prefix_text(run: bytes, group: int, words: int) -> str:
    """The words that prompts of `group` begin with. Prefixes of two groups part within three words.

    `run` are at least six bytes that stand for seed and run: the same in every window, so that a prefix stays warm.
    """
    opening = " ".join(salt(run, group)[:words])
    if words <= SALT_WORDS:
        return opening
    place = blake2b(group.to_bytes(8, "little"), key=run, person=b"prefix", digest_size=8).digest()
    return f"{opening} {plain_text(words - SALT_WORDS, int.from_bytes(place, 'little'))}"


@lru_cache(maxsize=64)
def run_key(seed: int, run: str) -> bytes:
    """32 bytes that stand for all windows of one run."""
    return blake2b(f"{seed}/{run}".encode(), person=b"prefixes", digest_size=32).digest()


def popularity(prefix: SharedPrefix) -> tuple[float, ...]:
    """The probability of each group, the most popular one first; their sum is 1."""
    total = _cumulative(prefix.groups, prefix.zipf)[-1]
    return tuple(weight / total for weight in _weights(prefix.groups, prefix.zipf))


def expected_first_meetings(prefix: SharedPrefix, before: int, requests: int) -> float:
    """How many of `requests` are expected to be the first of their group, where `before` others came before them.

    The sum over groups, of probability p, of (1 - p)^before - (1 - p)^(before + requests). Each group is taken to be
    drawn anew for each request, and to be warm from its first request on.
    """
    return sum((1 - p) ** before - (1 - p) ** (before + requests) for p in popularity(prefix))


def _weights(groups: int, zipf: float) -> tuple[float, ...]:
    return tuple(float(rank) ** -zipf for rank in range(1, groups + 1))


@lru_cache(maxsize=16)
def _cumulative(groups: int, zipf: float) -> tuple[float, ...]:
    return tuple(accumulate(_weights(groups, zipf)))
