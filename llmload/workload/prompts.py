"""Prompts out of common words: as many as asked for, cut from one endless text, with a salt before them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from itertools import accumulate

from llmload.workload.words import WORDS

SALT_WORDS = 6
"""Words of the salt: three that tell 256^3 requests of a window apart, then three for the window."""

_BASE = len(WORDS)
_STRIDE, _SMALL_STRIDES = 0x9E3779, (0x35, 0x5B, 0xA7)  # odd, so that each step through 256 or 256^3 meets all
_ROUNDS = 32
_WORD, _GOLDEN = 2**64 - 1, 0x9E3779B97F4A7C15  # 2^64 over the golden ratio, and odd


def plain_text(words: int, start: int = 0) -> str:
    """`words` common words, from the `start`-th of an endless text that is the same for everybody.

    Every round of the text says each word once, in another order, so that the tokens of a long prompt hardly depend
    on where it was cut.
    """
    text, starts = _endless_text()
    length = len(starts) // 2
    first = start % length
    rounds, rest = divmod(words, length)
    whole = text[: starts[length]] if rounds else ""
    return whole * rounds + text[starts[first] : starts[first + rest] - 1] if rest else (whole * rounds)[:-1]


def salt(window: bytes, index: int) -> list[str]:
    """Words that no other request of the window begins with; another window's differ too.

    The first three are the digits, lowest first, of a permutation of the indexes, so that two prompts part after
    their first word or soon after, before a cache block is full. `window` (at least six bytes that stand for the
    window) shifts them all. Every word goes through all words as `index` counts up: words that stood still would
    make every prompt of a window too long, or too short, by the same few tokens.
    """
    number = index * _STRIDE + int.from_bytes(window[:3], "little")
    fourth, fifth, sixth = _SMALL_STRIDES
    return [  # written out: in a loop it takes twice the time, and it is asked for by every request
        WORDS[number % _BASE],
        WORDS[number // _BASE % _BASE],
        WORDS[number // _BASE**2 % _BASE],
        WORDS[(window[3] + fourth * index) % _BASE],
        WORDS[(window[4] + fifth * index) % _BASE],
        WORDS[(window[5] + sixth * index) % _BASE],
    ]


def blocks_text(window: int, blocks: Iterable[int], size: int, words: int) -> tuple[str, int]:
    """Up to `words` words that stand for the blocks of a recorded prompt, `size` for each, and how many are lacking.

    The words of a block depend on `window` and the block alone, both 64-bit numbers. Each begins with a salt of its
    own, so that blocks part at once, and a server caches one for another only where the recorded prompts were alike.
    """
    parts: list[str] = []
    for block in blocks:
        if words <= 0:
            break
        # Multiplicative hashing (Knuth, TAOCP 3, 6.4): one to one, and neighbours part in a word or two.
        mixed = (window ^ block) * _GOLDEN & _WORD
        own = min(size, words)
        parts += map(WORDS.__getitem__, mixed.to_bytes(8)[: min(SALT_WORDS, own)])
        if own > SALT_WORDS:
            parts.append(_round(own - SALT_WORDS, mixed % _ROUNDS))
        words -= own
    return " ".join(parts), words


@lru_cache(maxsize=128)
def _round(words: int, number: int) -> str:
    """`words` words from where one of the rounds begins; most blocks are of one length, so few are cut."""
    return plain_text(words, number * _BASE)


@lru_cache(maxsize=1)
def _endless_text() -> tuple[str, list[int]]:
    """The rounds of the text twice over, so that a cut never wraps, and where each word of it begins."""
    words: list[str] = []
    for number in range(_ROUNDS):
        words += sorted(WORDS, key=lambda word: hashlib.blake2b(f"{number} {word}".encode(), digest_size=8).digest())
    words += words
    starts = list(accumulate((len(word) + 1 for word in words), initial=0))
    return " ".join(words) + " ", starts[:-1]
