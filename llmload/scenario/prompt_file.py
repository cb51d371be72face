"""A file of prompts is read once from beginning to end: what is kept of a row is where it lies.

16 bytes a row (16 MB for a million of them) and one row at a time, however large the file is. Rows are read again,
where they lie, by whoever plans a window of requests.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import IO

from llmload.errors import DataFileError
from llmload.plain_text import plain
from llmload.scenario.bad_row import BadRowError
from llmload.scenario.conversation_rows import asked_reader
from llmload.scenario.corpus import Corpus, Reading, Stamp
from llmload.scenario.file_kinds import changed, check_kind, open_ordinary, ordinary, reason_of, spans_of, stamp_of
from llmload.scenario.prompt_rows import (
    CHARACTERS_PER_TOKEN,
    DEFAULT_OUTPUT_TOKENS,
    Row,
    read_record,
    row_reader,
)
from llmload.scenario.row_images import has_images, images_of
from llmload.scenario.row_spans import BrokenFileError, Spans, line_spans, record_spans

MOST_ROWS = 10_000_000
_MOST_TOLD = 20
_IMAGE_ROOM = 1024
"""Tokens that an image is taken for where rows are compared; what it costs, only the server knows."""
_REMEDY = "Correct the row or delete it, or write on_bad_row: skip to leave such rows out"
_NAME_ONE = "Name a file of prompts; its path is relative to the scenario"


def open_corpus(reading: Reading) -> Corpus:
    """The rows of a file. DataFileError, at file:line where a row is bad, if they cannot be used."""
    try:
        return _index(reading, ordinary(reading.path, _NAME_ONE))
    except OSError as error:
        raise DataFileError(reading.path, f"cannot be read: {reason_of(error)}", _NAME_ONE) from None


@lru_cache(maxsize=4)
def _index(reading: Reading, stamp: Stamp) -> Corpus:
    """It is read when its scenario is loaded and asked for again at each step; it is read once while it stays."""
    with open_ordinary(reading.path) as file:
        corpus = _Rows(reading, stamp).read(file)
        if stamp_of(os.fstat(file.fileno())) != stamp:
            raise changed(reading.path)
    return corpus


class _Rows:
    """The rows read so far, and what was wrong with others."""

    def __init__(self, reading: Reading, stamp: Stamp) -> None:
        self._reading, self._stamp = reading, stamp
        self._offsets, self._sizes = array("q"), array("i")
        self._outputs = array("i" if reading.most_turns is None else "q")
        self._turns, self._characters, self._untold = array("i"), array("i"), 0
        self._bad: list[str] = []
        self._images, self._named_images, self._has_images = hashlib.sha256(), 0, False
        self._bad_count = self._filtered = 0
        self._longest = self._longest_line = self._most_room = 0
        self._conversation_line: int | None = None
        self._field_lines: dict[str, int] = {}

    def read(self, file: IO[bytes]) -> Corpus:
        """All of it."""
        name, digest = self._reading.path, hashlib.sha256()
        head = file.read(64)
        file.seek(0)
        check_kind(name, head)
        spans = _spans_of(self._reading, head)(file, digest)
        try:
            columns = self._header(spans) if self._reading.format == "csv" else ()
            self._take_all(spans, columns)
        except BrokenFileError as error:
            raise DataFileError(
                f"{name}:{error.line}", str(error), "Correct the file from there on", self._told()
            ) from None
        self._check()
        return Corpus(
            reading=self._reading,
            stamp=self._stamp,
            sha256=self._with_images(digest.digest()).hex(),
            offsets=self._offsets,
            sizes=self._sizes,
            output_tokens=self._outputs,
            columns=columns,
            skipped=self._bad_count,
            filtered=self._filtered,
            first_bad=self._bad[0] if self._bad else "",
            longest=self._longest,
            longest_line=self._longest_line,
            conversation_line=self._conversation_line,
            field_lines=self._field_lines,
            untold=self._untold,
            has_images=self._has_images,
            turns=self._turns,
            characters=self._characters,
        )

    def _header(self, spans: Iterator[tuple[int, int, bytes]]) -> tuple[str, ...]:
        line, _, raw = next(spans, (1, 0, b""))
        try:
            columns = tuple(cell.strip() for cell in read_record(raw))
            row_reader(self._reading, columns)
        except BadRowError as error:
            remedy = "Name the column of the prompts: column: NAME"
            raise DataFileError(f"{self._reading.path}:{line}", plain(str(error)), remedy) from None
        return columns

    def _take_all(self, spans: Iterator[tuple[int, int, bytes]], columns: Sequence[str]) -> None:
        read, reading = asked_reader(self._reading, columns), self._reading
        least, most = reading.min_characters, reading.max_characters or MOST_ROWS * MOST_ROWS
        for line, offset, raw in spans:
            try:
                row = read(raw)
            except BadRowError as error:
                self._note_bad(line, str(error))
                continue
            if not least <= row.characters <= most:
                self._filtered += 1
                continue
            if len(self._offsets) == MOST_ROWS:
                problem = f"more than {MOST_ROWS:,} rows"
                raise DataFileError(f"{reading.path}:{line}", problem, "Cut it to the part that you send")
            self._keep(line, row)
            if row.messages and has_images(raw):
                self._note_images(raw, row)
            self._offsets.append(offset)
            self._sizes.append(len(raw))
            self._outputs.append(row.output_tokens)

    def _keep(self, line: int, row: Row) -> None:
        if row.messages and self._conversation_line is None:
            self._conversation_line = line
        for name in row.fields:
            self._field_lines.setdefault(name, line)
        if row.answers:
            self._turns.append(len(row.answers))
            self._characters.append(row.characters)
            self._untold += row.answers.count(0)
            asked = sum(tokens or DEFAULT_OUTPUT_TOKENS for tokens in row.answers)
        else:
            self._untold += not row.output_tokens
            asked = row.output_tokens or DEFAULT_OUTPUT_TOKENS
        pictures = _IMAGE_ROOM * len(images_of(row.messages)) if row.messages else 0
        room = pictures + row.characters // CHARACTERS_PER_TOKEN + asked
        if room > self._most_room:
            self._longest, self._longest_line, self._most_room = len(self._offsets), line, room

    def _note_images(self, raw: bytes, row: Row) -> None:
        """Those that the row does not hold itself are part of what the file asks."""
        self._has_images = True
        for url in images_of(row.messages):
            if url.encode() not in raw:
                self._images.update(url.encode())
                self._named_images += 1

    def _with_images(self, digest: bytes) -> bytes:
        return hashlib.sha256(digest + self._images.digest()).digest() if self._named_images else digest

    def _note_bad(self, line: int, problem: str) -> None:
        self._bad_count += 1
        if len(self._bad) < _MOST_TOLD:
            self._bad.append(f"{self._reading.path}:{line}: {plain(problem)}")

    def _told(self) -> list[str]:
        rest = self._bad_count - len(self._bad)
        return [*self._bad, *([f"and {rest:,} more bad rows"] if rest else [])]

    def _check(self) -> None:
        name = self._reading.path
        if self._bad and not self._reading.skips_bad_rows:
            first, *more = self._told()
            where, _, problem = first.removeprefix(f"{name}:").partition(": ")
            raise DataFileError(f"{name}:{where}", problem, _REMEDY, more)
        if self._offsets:
            return
        if not self._bad_count and not self._filtered:
            raise DataFileError(name, "has no rows", "Write at least one row")
        why = f"{self._bad_count:,} are bad and {self._filtered:,} are not as long as asked"
        raise DataFileError(
            name, f"has no row that can be used: {why}", "Correct it, or ask for other lengths", self._bad
        )


def _spans_of(reading: Reading, head: bytes) -> Spans:
    """JSON lines, or one array where the name does not say that they are lines."""
    if reading.format == "csv":
        return record_spans
    name = reading.path.lower()
    is_lines = name.endswith((".jsonl", ".ndjson")) or (reading.format == "prompts" and name.endswith(".txt"))
    return line_spans if is_lines else spans_of(head)
