"""When and what: every request of a run, known before the first byte is sent."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from llmload.domain import PlannedRequest, TokenFit
from llmload.scenario.asked import Lengths
from llmload.workload.lengths import draw
from llmload.workload.prompts import SALT_WORDS, plain_text, salt

_NUMBERS = struct.Struct("<5Q")
_ONE = 2.0**-64


@dataclass(frozen=True, slots=True)
class Plan:
    """The requests of one look at one step, as a function of their index.

    Same arguments, same bytes, on any machine; another seed, step, look or index gives other words. `run` changes
    the salt and nothing else: a server that still caches the prompts of an earlier run meets new ones, of the same
    lengths.
    """

    seed: int
    step: int
    look: int
    input_tokens: Lengths
    output_tokens: Lengths
    unique: bool
    fit: TokenFit
    run: str = ""

    def request(self, index: int) -> PlannedRequest:
        """The `index`-th request of the window, counting warm-up, measured and filler requests alike."""
        # A hash, not `random`: it draws the same on every version of Python, and in a tenth of the time.
        drawn = blake2b(index.to_bytes(8, "little"), key=_key(self.seed, self.step, self.look), digest_size=40).digest()
        place, *numbers = _NUMBERS.unpack(drawn)
        first, second, third, fourth = ((number + 1) * _ONE for number in numbers)
        input_tokens = draw(self.input_tokens, first, second)
        words = max(1, round((input_tokens - self.fit.template) / self.fit.per_word))
        return PlannedRequest(
            index=index,
            prompt=self._prompt(index, words, place),
            input_tokens=input_tokens,
            output_tokens=draw(self.output_tokens, third, fourth),
        )

    def _prompt(self, index: int, words: int, place: int) -> str:
        if not self.unique:
            return plain_text(words, place)
        opening = salt(_key(self.seed, self.step, self.look, self.run), index)[:words]
        if words <= SALT_WORDS:
            return " ".join(opening)
        return " ".join(opening) + " " + plain_text(words - SALT_WORDS, place)


@lru_cache(maxsize=64)
def _key(seed: int, step: int, look: int, run: str = "") -> bytes:
    return blake2b(f"{seed}/{step}/{look}/{run}".encode(), digest_size=32).digest()
