"""Events that differ from an earlier one of their stream in nothing but a text, read without parsing them again.

A server writes the same frame around every token: id, model, index, nulls. Where bytes begin and end like an event
that was parsed, and have between the two only characters that JSON writes as they are, they are the same document with
another text. That is no guess, and takes a fraction of the time of cutting and parsing (docs/performance.md).
"""

from __future__ import annotations

from functools import lru_cache

import orjson

_FRAME_START, _FRAME_END = b"data: ", b"\n\n"
_NAMES_OF_TEXT = (b'"content":', b'"text":', b'"reasoning_content":', b'"reasoning":', b'"text_output":')
_MOST_TEXTS, _LONGEST_TEXT = 8192, 32
_LONGEST_LINED = 2048  # reads of one token are a few hundred bytes long
NOTHING: tuple[()] = ()  # no bytes begin or end with it


def plain_text(written: bytes) -> str:
    """The text of which JSON writes just these bytes between its quotes; nothing where that takes an escape."""
    try:
        text = written.decode()
    except UnicodeDecodeError:
        return ""
    return text if text.isprintable() and '"' not in text and "\\" not in text else ""


class _TokenTexts(dict[bytes, str]):
    """The texts of tokens by their bytes: most come again and again, and share one string.

    The first that come are kept, since those are the usual ones: `lru_cache` costs more than it saves (tests/bench).
    """

    def __missing__(self, written: bytes) -> str:
        text = plain_text(written)
        if len(self) < _MOST_TEXTS and len(written) <= _LONGEST_TEXT:
            self[written] = text
        return text


token_text = _TokenTexts().__getitem__
"""`plain_text`, remembered."""


def _size_lines() -> dict[int, bytes]:
    lines = {}
    for size in range(_LONGEST_LINED):
        line = b"%x\r\n" % size
        lines[len(line) + size + 2] = line
    return lines


size_line = _size_lines().get
"""With what a read of so many bytes begins that is exactly one chunk of HTTP/1.1, as nearly all servers write it."""


@lru_cache(maxsize=64)
def _one_of(equal: bytes) -> bytes:
    """One object for all streams whose events end alike: it stays in the processor's cache (docs/performance.md)."""
    return equal


class Stencil:
    """What stands before and after the text of one parsed event. An empty one fits nothing.

    `start` and `end` say where the text lies in an event; a chunk that holds it ends with `chunk_end`.
    """

    __slots__ = ("_after", "_trials", "before", "chunk_end", "end", "start")

    def __init__(self) -> None:
        self.before: bytes | tuple[()] = NOTHING
        self.chunk_end: bytes | tuple[()] = NOTHING
        self._after: bytes | tuple[()] = NOTHING
        self.start = self.end = 0
        self._trials = 8  # servers that change more than the text with every event are not tried for ever

    def text_in(self, piece: bytes) -> str:
        """The text in `piece`, or nothing where it is no such event: then it must be cut and parsed."""
        if not piece.startswith(self.before) or not piece.endswith(self._after):
            return ""
        return plain_text(piece[self.start : self.end])

    def forget(self) -> None:
        """Fit nothing until the next event is learnt."""
        self.before = self._after = self.chunk_end = NOTHING

    def learn(self, piece: bytes, text: str) -> None:
        """Take `piece` as the model, if it is one event that says `text`, which stands in it exactly once, as it is."""
        if not self._trials or not piece.startswith(_FRAME_START) or piece.find(b"\n") != len(piece) - 2:
            return
        self._trials -= 1
        quoted = orjson.dumps(text)
        if piece.count(quoted) != 1 or not piece.endswith(_FRAME_END) or b"\r" in piece:
            return
        if not piece[: piece.index(quoted)].rstrip().endswith(_NAMES_OF_TEXT):  # another field that says the same
            return
        self.start = piece.index(quoted) + 1
        self.end = self.start + len(quoted) - 2 - len(piece)
        self.before, self._after = piece[: self.start], piece[self.end :]
        self.chunk_end = _one_of(self._after + b"\r\n")
