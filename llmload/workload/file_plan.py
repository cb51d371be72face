"""When prompts come from a file: the requests of one look, out of the rows that were chosen for it."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import cast

from llmload.planned import PlannedRequest
from llmload.scenario.corpus import Reading
from llmload.scenario.lengths import Lengths
from llmload.scenario.prompt_rows import DEFAULT_OUTPUT_TOKENS, Message, ReadRow, Row, row_reader
from llmload.workload.lengths import draw
from llmload.workload.plan import draws, window_key
from llmload.workload.prompts import salt
from llmload.workload.shard import Shard


@dataclass(frozen=True, slots=True)
class ChosenRows:
    """The rows of one window as they lie in the file, one after the other: row i ends at `ends[i]`.

    Light enough to travel to every worker, on whichever machine. Requests beyond the last row begin again, at most with
    the `period`-th row before it.
    """

    reading: Reading
    columns: tuple[str, ...]
    text: bytearray
    ends: array[int]
    period: int

    def __len__(self) -> int:
        return len(self.ends)

    def raw(self, index: int) -> bytes:
        """The row of the `index`-th request."""
        place = index if index < len(self.ends) else index % self.period
        return bytes(self.text[self.ends[place - 1] if place else 0 : self.ends[place]])

    def of_shard(self, shard: Shard) -> ChosenRows:
        """Without the rows of other workers. Where rows begin again, a worker meets its own ones again."""
        if shard.of == 1 or len(self) < shard.width:
            return self
        text, ends = bytearray(), array("q")
        for place in range(len(self)):
            if place % shard.width % shard.of == shard.number:
                text += self.raw(place)
            ends.append(len(text))
        return replace(self, text=text, ends=ends, period=len(self) // shard.width * shard.width)


@dataclass(frozen=True, slots=True)
class FilePlan:
    """The requests of one look at one step, as a function of their index.

    Same file, same arguments, same bytes, on any machine. `output_tokens` None: as each row asks. With `unique`, each
    prompt begins with a salt that `run` changes, before the first text of all: a system prompt that every row begins
    with is then in no cache either.
    """

    seed: int
    step: int
    look: int
    rows: ChosenRows
    output_tokens: Lengths | None
    unique: bool
    run: str = ""
    _read: ReadRow = field(init=False, repr=False, compare=False)  # made once: a request would pay for it each time

    def __post_init__(self) -> None:
        object.__setattr__(self, "_read", row_reader(self.rows.reading, self.rows.columns))

    def request(self, index: int) -> PlannedRequest:
        """The `index`-th request of the window, counting warm-up, measured and filler requests alike."""
        row = self.row(index)
        prompt, messages = row.prompt, row.messages
        if self.unique:
            words = " ".join(salt(window_key(self.seed, self.step, self.look, self.run), index))
            if messages:
                messages = _salted(messages, words)
            else:
                prompt = f"{words} {prompt}"
        return PlannedRequest(index, prompt, None, self._answer(index, row), messages, fields=row.fields)

    def row(self, index: int) -> Row:
        """The row that this request asks, as it is in the file."""
        return self._read(self.rows.raw(index))

    def of_shard(self, shard: Shard) -> FilePlan:
        """What one worker needs of it."""
        return replace(self, rows=self.rows.of_shard(shard))

    def _answer(self, index: int, row: Row) -> int:
        if self.output_tokens is None:
            return row.output_tokens or DEFAULT_OUTPUT_TOKENS
        _, _, _, third, fourth = draws(self.seed, self.step, self.look, index)
        return draw(self.output_tokens, third, fourth)


def _salted(messages: Sequence[Message], words: str) -> tuple[Message, ...]:
    """The same messages with `words` before their first text."""
    first, *others = messages
    return (salted_message(words, first), *others)


def salted_message(words: str, message: Message) -> Message:
    """The same message with `words` before its text."""
    return {**message, "content": _after(words, message)}


def _after(words: str, message: Message) -> object:
    content = message["content"]
    if content is None:  # of who only called a tool
        return words
    if isinstance(content, str):
        return f"{words} {content}"
    return [{"type": "text", "text": words}, *cast("Sequence[object]", content)]


def random_row(seed: int, window: tuple[int, int], index: int, rows: int) -> int:
    """Any row, for the `index`-th request of the `window` (step and look)."""
    step, look = window
    drawn = blake2b(index.to_bytes(8, "little"), key=window_key(seed, step, look), person=b"rows", digest_size=8)
    return int.from_bytes(drawn.digest(), "little") % rows
