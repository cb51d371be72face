"""When and what: every request of a run, known before the first byte is sent."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b

from llmload.domain import TokenFit
from llmload.planned import Part, PlannedRequest
from llmload.scenario.lengths import LengthPairs, Lengths
from llmload.scenario.recording import BLOCK_TOKENS, Recording
from llmload.scenario.traffic import NoiseImages, SharedPrefix
from llmload.workload.lengths import draw
from llmload.workload.noise import noise_url
from llmload.workload.prompts import SALT_WORDS, blocks_text, plain_text, salt
from llmload.workload.shard import Shard
from llmload.workload.shared_prefix import group_of, prefix_text, run_key

_NUMBERS = struct.Struct("<5Q")
_ONE = 2.0**-64


@dataclass(frozen=True, slots=True)
class Rows:
    """Requests as long as those of a recording. The first `lead` are warm-up, as long as those that come next."""

    recording: Recording
    lead: int

    def of(self, index: int) -> int:
        """The row that the `index`-th request of the window is made after; beyond the last it begins again."""
        return (index - self.lead if index >= self.lead else index) % len(self.recording)


@dataclass(frozen=True, slots=True)
class Plan:
    """The requests of one look at one step, as a function of their index.

    Same arguments, same bytes, on any machine; another seed, step, look or index gives other words. `run` changes
    the salt and nothing else: a server that still caches the prompts of an earlier run meets new ones, of the same
    lengths.

    With `pairs`, prompt and answer are together as long as one of them, drawn with replacement.

    With a `prefix`, prompts of one group begin with the same words at every look of a run, so that a server finds them
    warm once it has met them; a salt comes after them. Another run has other prefixes, of the same groups.
    With `images`, each prompt begins with images of its own, which another run changes too, and which no asked length
    counts.

    With `rows`, lengths are recorded and not drawn. Where the recording says which prompts begin alike, and they are
    not to be `unique`, prompts are made of blocks of words, one per block id, which another run changes altogether.
    """

    seed: int
    step: int
    look: int
    input_tokens: Lengths
    output_tokens: Lengths
    unique: bool
    fit: TokenFit
    run: str = ""
    rows: Rows | None = None
    pairs: LengthPairs | None = None
    prefix: SharedPrefix | None = None
    images: NoiseImages | None = None

    def request(self, index: int) -> PlannedRequest:
        """The `index`-th request of the window, counting warm-up, measured and filler requests alike."""
        asked = self._asked(index)
        return asked if self.images is None else self._seen(asked, self.images)

    def _asked(self, index: int) -> PlannedRequest:
        place, first, second, third, fourth = draws(self.seed, self.step, self.look, index)
        if self.rows is not None:
            return self._recorded(self.rows, index, place)
        if self.pairs is not None:
            input_tokens, output_tokens = self.pairs.draw(first)
        else:
            input_tokens = draw(self.input_tokens, first, second)
            output_tokens = draw(self.output_tokens, third, fourth)
        words = self._words(input_tokens)
        if self.prefix is None:
            return PlannedRequest(index, self._own(index, words, place), input_tokens, output_tokens)
        group = group_of(self.prefix, window_key(self.seed, self.step, self.look), index)
        shared = min(words - 1, round(self.prefix.tokens / self.fit.per_word))
        prompt = self._own(index, words - shared, place)
        if shared:
            prompt = f"{prefix_text(run_key(self.seed, self.run), group, shared)} {prompt}"
        return PlannedRequest(index, prompt, input_tokens, output_tokens, part=Part(group=group))

    def _own(self, index: int, words: int, place: int) -> str:
        """The words of a prompt that it shares with no other one."""
        return self._salted(index, words, place) if self.unique else plain_text(words, place)

    def _seen(self, asked: PlannedRequest, images: NoiseImages) -> PlannedRequest:
        """The same request with its own images before its text; what it asks for in all, only the server can count."""
        window = window_key(self.seed, self.step, self.look, self.run)
        numbers = range(asked.index * images.count, (asked.index + 1) * images.count)
        urls = (noise_url(window, number, images.width, images.height) for number in numbers)
        content: list[object] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        content.append({"type": "text", "text": asked.prompt})
        return replace(asked, prompt="", input_tokens=None, messages=({"role": "user", "content": content},))

    def of_shard(self, _shard: Shard) -> Plan:
        """What one worker needs of it: all of it, which is little."""
        return self

    def _words(self, input_tokens: int) -> int:
        return max(1, round((input_tokens - self.fit.template) / self.fit.per_word))

    def _salted(self, index: int, words: int, place: int) -> str:
        opening = salt(window_key(self.seed, self.step, self.look, self.run), index)[:words]
        if words <= SALT_WORDS:
            return " ".join(opening)
        return " ".join(opening) + " " + plain_text(words - SALT_WORDS, place)

    def _recorded(self, rows: Rows, index: int, place: int) -> PlannedRequest:
        recording, row = rows.recording, rows.of(index)
        input_tokens = recording.input_tokens[row]
        words = self._words(input_tokens)
        if not self.unique and not recording.has_blocks:
            prompt = plain_text(words, place)
        elif self.unique or index < rows.lead:  # warm-up must not fill the cache with what is measured afterwards
            prompt = self._salted(index, words, place)
        else:
            prompt = self._of_blocks(recording, row, words, index, place)
        return PlannedRequest(index, prompt, input_tokens, recording.output_tokens[row])

    def _of_blocks(self, recording: Recording, row: int, words: int, index: int, place: int) -> str:
        """The row's blocks as far as the words go, the last one in part; what has no block is this prompt's own."""
        window = int.from_bytes(window_key(self.seed, self.step, self.look, self.run)[:8], "little")
        size = max(1, round(BLOCK_TOKENS / self.fit.per_word))
        text, lacking = blocks_text(window, recording.blocks(row), size, words)
        if not lacking:
            return text
        own = self._salted(index, lacking, place)
        return f"{text} {own}" if text else own


def draws(seed: int, step: int, look: int, index: int) -> tuple[int, float, float, float, float]:
    """A number of 64 bits, and four that are independent and uniform in (0, 1], for one request of a look."""
    # A hash, not `random`: it draws the same on every version of Python, and in a tenth of the time.
    drawn = blake2b(index.to_bytes(8, "little"), key=window_key(seed, step, look), digest_size=40).digest()
    place, first, second, third, fourth = _NUMBERS.unpack(drawn)
    return place, (first + 1) * _ONE, (second + 1) * _ONE, (third + 1) * _ONE, (fourth + 1) * _ONE


@lru_cache(maxsize=64)
def window_key(seed: int, step: int, look: int, run: str = "") -> bytes:
    """32 bytes that stand for one look at one step; with `run`, for that of one run."""
    return blake2b(f"{seed}/{step}/{look}/{run}".encode(), digest_size=32).digest()
