"""Lengths that were measured elsewhere, a request a row: CSV with a header, JSON lines, or one JSON array of objects.

Any file of requests will do, as long as one column says how many tokens the prompt had and another how many the answer:
a log of a gateway, Azure's traces (`input: ContextTokens, output: GeneratedTokens`), Mooncake's (`input: input_length,
output: output_length`).
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import IO

import orjson

from llmload.errors import DataFileError
from llmload.plain_text import plain
from llmload.scenario.bad_row import BadRowError
from llmload.scenario.corpus import Stamp
from llmload.scenario.file_kinds import changed, check_kind, open_ordinary, ordinary, reason_of, spans_of, stamp_of
from llmload.scenario.lengths import LengthPairs, LengthsFound
from llmload.scenario.prompt_rows import read_record
from llmload.scenario.row_spans import BrokenFileError, Spans, record_spans

MOST_ROWS = 1_000_000
_MOST_TOKENS = 10_000_000
_MOST_TOLD = 20
_REMEDY = "Correct the row, or delete it"
_NAME_ONE = "Name a file of lengths; its path is relative to the scenario"


@dataclass(frozen=True, slots=True)
class OpenedLengths:
    """The rows of a file, what they came to, and how many of them ask for 0 tokens in or out and got 1."""

    pairs: LengthPairs
    found: LengthsFound
    raised: int


def open_lengths(path: str, input_column: str, output_column: str) -> OpenedLengths:
    """The lengths in a file. DataFileError, at file:line where a row is bad, if they cannot be used.

    It is read once from beginning to end, and 8 bytes a row are kept. Lengths of 0 become 1, since no server takes
    less.
    """
    try:
        return _open(path, (input_column, output_column), ordinary(path, _NAME_ONE))
    except OSError as error:
        raise DataFileError(path, f"cannot be read: {reason_of(error)}", _NAME_ONE) from None


def raised_to_one(name: str, rows: int) -> str:
    """What is told of rows whose lengths of 0 became 1."""
    what = "row asks" if rows == 1 else "rows ask"
    return f"{name}: {rows:,} {what} for 0 tokens in or out, and get 1, the least that servers take"


@lru_cache(maxsize=16)
def _open(path: str, columns: tuple[str, str], stamp: Stamp) -> OpenedLengths:
    """A scenario's lengths are read when it is loaded and asked for again at each window."""
    with open_ordinary(path) as file:
        opened = _Rows(path, columns).read(file)
        if stamp_of(os.fstat(file.fileno())) != stamp:
            raise changed(path)
    return opened


_Parse = Callable[[bytes], tuple[int, int]]


class _Rows:
    """The rows read so far, and what was wrong with others."""

    def __init__(self, path: str, columns: tuple[str, str]) -> None:
        self._path, self._columns = path, columns
        self._inputs, self._outputs = array("i"), array("i")
        self._bad: list[str] = []
        self._bad_count = self._raised = 0

    def read(self, file: IO[bytes]) -> OpenedLengths:
        """All of it; DataFileError with all bad rows, the first twenty each at its line."""
        head = file.read(64)
        file.seek(0)
        check_kind(self._path, head)
        digest = hashlib.sha256()
        is_json = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")
        cut: Spans = spans_of(head) if is_json else record_spans
        spans = cut(file, digest)
        try:
            self._take_all(spans, self._of_object if is_json else self._of_cells(spans))
        except BrokenFileError as error:
            where = f"{self._path}:{error.line}"
            raise DataFileError(where, str(error), "Correct the file from there on", self._told()) from None
        return self._opened(digest.hexdigest())

    def _take_all(self, spans: Iterator[tuple[int, int, bytes]], parse: _Parse) -> None:
        for line, _, raw in spans:
            try:
                prompt, answer = parse(raw)
            except BadRowError as error:
                self._bad_count += 1
                if len(self._bad) < _MOST_TOLD:
                    self._bad.append(f"{self._path}:{line}: {plain(str(error))}")
                continue
            if len(self._inputs) == MOST_ROWS:
                problem = f"more than {MOST_ROWS:,} rows"
                raise DataFileError(f"{self._path}:{line}", problem, "Keep a sample of them; so many say no more")
            self._raised += not (prompt and answer)
            self._inputs.append(prompt or 1)
            self._outputs.append(answer or 1)

    def _of_object(self, raw: bytes) -> tuple[int, int]:
        try:
            row = orjson.loads(raw)
        except ValueError as error:
            raise BadRowError(f"not JSON ({error})") from None
        if not isinstance(row, dict):
            raise BadRowError("not a JSON object")
        prompt, answer = (_whole(row.get(column), column) for column in self._columns)
        return prompt, answer

    def _of_cells(self, spans: Iterator[tuple[int, int, bytes]]) -> _Parse:
        """The reader of the rows below the header, which is taken from `spans`."""
        header = next(spans, None)
        if header is None:
            raise DataFileError(self._path, "has no rows", "Write a header and at least one row")
        line, _, raw = header
        try:
            names = [cell.strip() for cell in read_record(raw)]
            prompt, answer = (_place(names, column) for column in self._columns)
        except BadRowError as error:
            remedy = "Name the columns of the lengths: lengths: {from: FILE, input: COLUMN, output: COLUMN}"
            raise DataFileError(f"{self._path}:{line}", plain(str(error)), remedy) from None

        def parse(raw: bytes) -> tuple[int, int]:
            # a comma cuts what has no quotes, in a quarter of the time
            cells = read_record(raw) if b'"' in raw or not raw.isascii() else raw.decode("ascii").split(",")
            if len(cells) != len(names):
                raise BadRowError(f"{len(cells)} columns, and the header has {len(names)}")
            return _digits(cells[prompt], names[prompt]), _digits(cells[answer], names[answer])

        return parse

    def _told(self) -> list[str]:
        rest = self._bad_count - len(self._bad)
        return [*self._bad, *([f"and {rest:,} more bad rows"] if rest else [])]

    def _opened(self, sha256: str) -> OpenedLengths:
        if self._bad:
            first, *more = self._told()
            where, _, problem = first.removeprefix(f"{self._path}:").partition(": ")
            raise DataFileError(f"{self._path}:{where}", problem, _REMEDY, more)
        rows = len(self._inputs)
        if not rows:
            raise DataFileError(self._path, "has no rows", "Write at least one row")
        prompt, answer = max(zip(self._inputs, self._outputs, strict=True), key=sum)
        means = [round(sum(column) / rows, 3) for column in (self._inputs, self._outputs)]
        found = LengthsFound(sha256, rows, means[0], means[1], prompt, answer)
        return OpenedLengths(LengthPairs(self._inputs, self._outputs), found, self._raised)


def _place(names: list[str], column: str) -> int:
    if column not in names:
        raise BadRowError(f"no column {column!r} in the header; it has {', '.join(names)}")
    if names.count(column) > 1:
        raise BadRowError(f"the header has more than one column {column!r}")
    return names.index(column)


def _whole(tokens: object, name: str) -> int:
    if isinstance(tokens, bool) or not isinstance(tokens, int) or not 0 <= tokens <= _MOST_TOKENS:
        shown = "missing" if tokens is None else repr(tokens)
        raise BadRowError(f"{name} is {_cut(shown)}, not a whole number of tokens up to {_MOST_TOKENS:,}")
    return tokens


def _digits(cell: str, name: str) -> int:
    text = cell.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 8 and int(text) <= _MOST_TOKENS):
        raise BadRowError(f"{name} is {_cut(repr(text))}, not a whole number of tokens up to {_MOST_TOKENS:,}")
    return int(text)


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
