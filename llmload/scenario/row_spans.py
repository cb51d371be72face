"""A file of rows cut into them, from its beginning to its end, without ever holding more than one row and a chunk."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import IO, Protocol

MOST_ROW_BYTES = 16 * 2**20
_CHUNK = 2**20
_BOM = b"\xef\xbb\xbf"
_MARK = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*("?)|[\[\]{},]', re.DOTALL)
_JSON_BLANK = b" \t\r\n"

Span = tuple[int, int, bytes]
"""The line that a row begins on (from 1), its place in the file in bytes, and the row."""


class Digest(Protocol):
    """What takes note of every byte that was read."""

    def update(self, data: bytes, /) -> None: ...


class BrokenFileError(ValueError):
    """From `line` on, nobody can say where a row begins."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line


def line_spans(file: IO[bytes], digest: Digest) -> Iterator[Span]:
    """A row a line; blank lines are none. A byte order mark before the first is none of it."""
    offset, number = 0, 0
    while line := file.readline(MOST_ROW_BYTES + 1):
        number += 1
        digest.update(line)
        if len(line) > MOST_ROW_BYTES:
            raise BrokenFileError(number, _too_long())
        row = line.rstrip(b"\r\n")
        begin = offset
        offset += len(line)
        if number == 1 and row.startswith(_BOM):
            row, begin = row[len(_BOM) :], begin + len(_BOM)
        if row and not row.isspace():
            yield number, begin, row


def record_spans(file: IO[bytes], digest: Digest) -> Iterator[Span]:
    """A row a record of CSV (RFC 4180): a line break within quotes is part of it."""
    kept: list[bytes] = []
    first = begin = size = quotes = 0
    for number, offset, line in _raw_lines(file, digest):
        if not kept:
            if line.isspace():
                continue
            first, begin, size, quotes = number, offset, 0, 0
        kept.append(line)
        size += len(line)
        quotes += line.count(b'"')
        if size > MOST_ROW_BYTES:
            raise BrokenFileError(first, _too_long())
        if quotes % 2 == 0:
            yield first, begin, b"".join(kept)
            kept = []
    if kept:
        raise BrokenFileError(first, "a quote is opened here and never closed")


def _raw_lines(file: IO[bytes], digest: Digest) -> Iterator[Span]:
    offset, number = 0, 0
    while line := file.readline(MOST_ROW_BYTES + 1):
        number += 1
        digest.update(line)
        begin = offset
        offset += len(line)
        if number == 1 and line.startswith(_BOM):
            line, begin = line[len(_BOM) :], begin + len(_BOM)
        yield number, begin, line


def element_spans(file: IO[bytes], digest: Digest, chunk: int = _CHUNK) -> Iterator[Span]:
    """A row an element of one JSON array, read in pieces of `chunk` bytes. What an element holds is not judged here,
    only where it ends.
    """
    scan = _Scan(file, digest, chunk)
    scan.open()
    count = 0
    while (found := scan.element()) is not None:
        span, is_last = found
        if span[2] or not is_last or count:
            yield span
        count += 1
        if is_last:
            break
    scan.close()


class _Scan:
    """A window over the file: `_base` is the place of its first byte, `_line` the line of `_begin`."""

    def __init__(self, file: IO[bytes], digest: Digest, chunk: int) -> None:
        self._file, self._digest, self._chunk = file, digest, chunk
        self._buffer = bytearray()
        self._base = self._begin = 0
        self._line = 1

    def open(self) -> None:
        """Go behind the bracket that opens the array."""
        self._more()
        self._begin = len(_BOM) if self._buffer.startswith(_BOM) else 0
        while self._blank() == len(self._buffer) and self._more():
            pass
        at = self._blank()
        self._line += self._buffer.count(b"\n", self._begin, at)
        if self._buffer[at : at + 1] != b"[":
            raise BrokenFileError(self._line, "not a JSON array")
        self._begin = at + 1

    def element(self) -> tuple[Span, bool] | None:
        """The next element, blank where there is none, and whether it is the last."""
        depth, at = 0, self._begin
        while True:
            mark = _MARK.search(self._buffer, at)
            is_whole = mark is not None and (mark[0][:1] != b'"' or mark[1] == b'"')
            if mark is None or not is_whole:
                at = len(self._buffer) if mark is None else mark.start()
                if len(self._buffer) - self._begin > MOST_ROW_BYTES:
                    raise BrokenFileError(self._here(), _too_long())
                at -= self._forget()
                if not self._more():
                    raise BrokenFileError(self._here(), "the array is not closed")
                continue
            sign, at = mark[0][:1], mark.end()
            if sign in b"[{":
                depth += 1
            elif sign == b"}" and not depth:
                raise BrokenFileError(self._here(), "a brace is closed that was never opened")
            elif sign in b"]}" and depth:
                depth -= 1
            elif sign in b",]" and not depth:
                return self._span(mark.start()), sign == b"]"

    def close(self) -> None:
        """Read to the end of the file, where only blanks may be."""
        while True:
            if self._buffer[self._begin :].strip(_JSON_BLANK):
                raise BrokenFileError(self._here(), "text after the end of the array")
            self._line += self._buffer.count(b"\n", self._begin)
            self._begin = len(self._buffer)
            self._forget()
            if not self._more():
                return

    def _span(self, end: int) -> Span:
        whole = bytes(self._buffer[self._begin : end])
        row = whole.lstrip(_JSON_BLANK)
        lead = len(whole) - len(row)
        line = self._line + whole.count(b"\n", 0, lead)
        offset = self._base + self._begin + lead
        self._line += whole.count(b"\n")
        self._begin = end + 1
        return line, offset, row.rstrip(_JSON_BLANK)

    def _here(self) -> int:
        """The line of what comes next."""
        return self._line + self._buffer.count(b"\n", self._begin, self._blank())

    def _blank(self) -> int:
        at = self._begin
        while at < len(self._buffer) and self._buffer[at] in _JSON_BLANK:
            at += 1
        return at

    def _forget(self) -> int:
        """Drop what was handed out; how much that was."""
        dropped, self._begin = self._begin, 0
        del self._buffer[:dropped]
        self._base += dropped
        return dropped

    def _more(self) -> bool:
        chunk = self._file.read(self._chunk)
        self._digest.update(chunk)
        self._buffer += chunk
        return bool(chunk)


def _too_long() -> str:
    return f"a row of more than {MOST_ROW_BYTES // 2**20} MB"


Spans = Callable[[IO[bytes], Digest], Iterator[Span]]
"""One way of cutting a file into rows. BrokenFileError where that cannot be done."""
