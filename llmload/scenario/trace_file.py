"""Recorded traffic: when each request came and how long it was, as published traces have it.

Two formats, told apart by their first line:

- Mooncake, JSON lines (github.com/kvcache-ai/Mooncake, FAST25-release/traces; Qin et al., FAST '25):
  `{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, 2353]}`. Timestamps are
  milliseconds. A hash id stands for a block of 512 prompt tokens and all that came before it, so that prompts begin
  alike as far as their ids are equal. `hash_ids` may be missing.
- Azure, CSV (github.com/Azure/AzurePublicDataset, AzureLLMInferenceDataset2023 and 2024):
  `TIMESTAMP,ContextTokens,GeneratedTokens`, as in `2023-11-16 18:15:46.6805900,374,44`.
"""

from __future__ import annotations

import calendar
import hashlib
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import orjson

from llmload.errors import DataFileError
from llmload.scenario.length_file import raised_to_one
from llmload.scenario.recording import BLOCK_TOKENS, Recording

MOST_ROWS = 1_000_000
_MOST_BYTES = 512 * 2**20
_MOST_TOKENS = 10_000_000
_MOST_TOLD = 20
_LONGEST_NS = 366 * 86_400 * 10**9
_MOST_MS = 10**13  # the year 2286, in milliseconds since 1970
_COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
_INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):?(\d\d))?", re.ASCII
)
_REMEDY = "Correct the row, or delete it"


def open_recording(file: str) -> Recording:
    """The trace in a file. DataFileError where it cannot be read, is too large, or has bad rows."""
    path = Path(file)
    try:
        found = path.stat()
        if not path.is_file():
            raise DataFileError(file, "is not a file", "Name a trace in Mooncake's or Azure's format")
        if found.st_size > _MOST_BYTES:
            megabytes = f"{found.st_size // 2**20} MB, and a trace may have {_MOST_BYTES // 2**20}"
            raise DataFileError(file, megabytes, "Cut it to the stretch that you replay")
        return _open(path, found.st_ino, found.st_size, found.st_mtime_ns)
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        remedy = "Name a trace; its path is relative to the scenario"
        raise DataFileError(file, f"cannot be read: {reason}", remedy) from None


@lru_cache(maxsize=2)
def _open(path: Path, _inode: int, _size: int, _changed_ns: int) -> Recording:
    """A scenario's trace is read when it is loaded and again at each step; it is parsed once while it stays."""
    with path.open("rb") as lines:
        return read_recording(lines, str(path))


def read_recording(lines: Iterable[bytes], name: str) -> Recording:
    """The trace in these lines; `name` is for errors.

    Rows out of order are put in order, with a notice: logs of several machines, or logs written when requests end,
    are not in order of arrival, and only the timestamps tell it. Lengths of 0 become 1, with a notice too, since no
    server takes less. DataFileError with all bad rows (the first twenty), each at its line.
    """
    digest = hashlib.sha256()
    rows = _Rows(name)
    parse: Callable[[bytes], _Row] | None = None
    for number, line in enumerate(lines, start=1):
        digest.update(line)
        text = line.strip() if number > 1 else line.removeprefix(b"\xef\xbb\xbf").strip()
        if not text:
            continue
        if parse is None:
            parse = _format_of(text, f"{name}:{number}")
            if parse is not _mooncake:
                continue  # the header
        rows.take(number, parse, text)
    return rows.recording(digest.hexdigest())


_Row = tuple[int, int, int, Sequence[int]]


class _BadRowError(ValueError):
    """What is wrong with one row."""


class _Rows:
    """The rows read so far, and what was wrong with others."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._at_ns, self._inputs, self._outputs = array("q"), array("i"), array("i")
        self._block_ids, self._block_ends = array("q"), array("q")
        self._bad: list[str] = []
        self._empty = 0

    def take(self, number: int, parse: Callable[[bytes], _Row], text: bytes) -> None:
        """Keep one row; DataFileError where there are too many, good or bad."""
        if len(self._at_ns) == MOST_ROWS:
            problem = f"more than {MOST_ROWS:,} rows"
            raise DataFileError(f"{self._name}:{number}", problem, "Cut it to the stretch that you replay")
        try:
            at_ns, prompt, answer, blocks = parse(text)
        except _BadRowError as error:
            self._bad.append(f"{self._name}:{number}: {error}")
            if len(self._bad) == _MOST_TOLD:
                self._refuse()
            return
        self._empty += not (prompt and answer)
        self._at_ns.append(at_ns)
        self._inputs.append(prompt or 1)
        self._outputs.append(answer or 1)
        self._block_ids.extend(blocks)
        self._block_ends.append(len(self._block_ids))

    def recording(self, sha256: str) -> Recording:
        """All rows, in order; DataFileError if there are none, or any was bad."""
        if self._bad:
            self._refuse()
        if not self._at_ns:
            raise DataFileError(self._name, "has no rows", "Name a trace in Mooncake's or Azure's format")
        at_ns = self._at_ns
        first_ns, span_ns = min(at_ns), max(at_ns) - min(at_ns)
        if span_ns > _LONGEST_NS:
            days = f"its requests span {span_ns // (86_400 * 10**9):,} days"
            raise DataFileError(self._name, days, "Check the timestamps; Mooncake's are milliseconds")
        backwards = sum(later < sooner for sooner, later in pairwise(at_ns))
        found = Recording(
            array("q", (at - first_ns for at in at_ns)),
            self._inputs,
            self._outputs,
            self._block_ids,
            self._block_ends,
            sha256,
            tuple(self._notices(backwards)),
        )
        return _in_order(found) if backwards else found

    def _notices(self, backwards: int) -> Iterator[str]:
        if backwards:
            what = (
                "row is older than the one before it" if backwards == 1 else "rows are older than the ones before them"
            )
            yield f"{self._name}: {backwards:,} {what}; requests are sent in the order of their timestamps"
        if self._empty:
            yield raised_to_one(self._name, self._empty)

    def _refuse(self) -> None:
        first, *more = self._bad
        where, _, problem = first.removeprefix(f"{self._name}:").partition(": ")
        raise DataFileError(f"{self._name}:{where}", problem, _REMEDY, more)


def _in_order(found: Recording) -> Recording:
    """The same rows by time; those of one instant stay as they were."""
    order = sorted(range(len(found)), key=found.at_ns.__getitem__)
    block_ids, block_ends = array("q"), array("q")
    for row in order:
        block_ids.extend(found.blocks(row))
        block_ends.append(len(block_ids))
    return Recording(
        array("q", (found.at_ns[row] for row in order)),
        array("i", (found.input_tokens[row] for row in order)),
        array("i", (found.output_tokens[row] for row in order)),
        block_ids,
        block_ends,
        found.sha256,
        found.notices,
    )


# ---------------------------------------------------------------- the formats


def _format_of(first: bytes, where: str) -> Callable[[bytes], _Row]:
    if first.startswith(b"{"):
        return _mooncake
    names = [_plain(cell) for cell in first.decode("utf-8", "replace").split(",")]
    if set(_COLUMNS) <= set(names):
        return _azure([names.index(column) for column in _COLUMNS], len(names))
    wanted = '{"timestamp": 0, "input_length": 8, "output_length": 8} on each line, or the columns ' + ",".join(
        _COLUMNS
    )
    raise DataFileError(where, "neither Mooncake's format nor Azure's", f"Write {wanted}")


def _mooncake(text: bytes) -> _Row:
    try:
        row = orjson.loads(text)
    except ValueError as error:
        raise _BadRowError(f"not JSON ({error})") from None
    if not isinstance(row, dict):
        raise _BadRowError("not a JSON object")
    prompt = _tokens(row, "input_length")
    return _milliseconds(row), prompt, _tokens(row, "output_length"), _blocks(row.get("hash_ids"), prompt)


def _milliseconds(row: dict[str, object]) -> int:
    stamp = row.get("timestamp")
    if isinstance(stamp, bool) or not isinstance(stamp, int | float) or not -_MOST_MS <= stamp <= _MOST_MS:
        raise _BadRowError(f"timestamp is {_shown(stamp)}, not a time in milliseconds")
    return stamp * 1_000_000 if isinstance(stamp, int) else round(stamp * 1e6)


def _tokens(row: dict[str, object], name: str) -> int:
    tokens = row.get(name)
    if isinstance(tokens, bool) or not isinstance(tokens, int) or not 0 <= tokens <= _MOST_TOKENS:
        raise _BadRowError(f"{name} is {_shown(tokens)}, not a number of tokens")
    return tokens


def _blocks(ids: object, prompt: int) -> Sequence[int]:
    """An id per block; the last, partial block may have none."""
    if not ids and (ids is None or isinstance(ids, list)):
        return ()
    if not isinstance(ids, list) or not all(type(each) is int and -(2**63) <= each < 2**63 for each in ids):
        raise _BadRowError("hash_ids is not a list of whole numbers")
    fewest, most = prompt // BLOCK_TOKENS, max(1, -(-prompt // BLOCK_TOKENS))
    if not fewest <= len(ids) <= most:
        raise _BadRowError(f"{len(ids)} hash_ids for {prompt} tokens, where blocks of {BLOCK_TOKENS} make {most}")
    return ids


def _azure(places: Sequence[int], width: int) -> Callable[[bytes], _Row]:
    instant, context, generated = places

    def parse(text: bytes) -> _Row:
        cells = text.decode("utf-8", "replace").split(",")
        if len(cells) != width:
            raise _BadRowError(f"{len(cells)} columns, and the header has {width}")
        prompt, answer = _count(cells[context], "ContextTokens"), _count(cells[generated], "GeneratedTokens")
        return _nanoseconds(_plain(cells[instant])), prompt, answer, ()

    return parse


def _count(cell: str, name: str) -> int:
    text = _plain(cell)
    if not (text.isascii() and text.isdigit() and len(text) <= 8 and int(text) <= _MOST_TOKENS):
        raise _BadRowError(f"{name} is {_shown(text)}, not a number of tokens")
    return int(text)


def _nanoseconds(text: str) -> int:
    """A date and time down to 100 ns (Python's own reader keeps microseconds), since 1970; without a zone, UTC."""
    found = _INSTANT.fullmatch(text)
    day = _day(*map(int, found.group(1, 2, 3))) if found else None
    if found is None or day is None:
        raise _BadRowError(f"TIMESTAMP is {_shown(text)}, not a time like 2023-11-16 18:15:46.6805900")
    hour, minute, second = map(int, found.group(4, 5, 6))
    if hour > 23 or minute > 59 or second > 60:
        raise _BadRowError(f"TIMESTAMP is {_shown(text)}, which no clock shows")
    ahead = 60 * int(found[9] or 0) + int(found[10] or 0)
    seconds = day + 3600 * hour + 60 * (minute + (ahead if found[8] == "-" else -ahead)) + second
    return seconds * 10**9 + int((found[7] or "0").ljust(9, "0"))


@lru_cache(maxsize=1024)
def _day(year: int, month: int, day: int) -> int | None:
    """Seconds from 1970 to a day; None where there is no such day."""
    if not (year >= 1 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]):
        return None
    return calendar.timegm((year, month, day, 0, 0, 0))


def _plain(cell: str) -> str:
    return cell.strip().strip('"')


def _shown(value: object) -> str:
    text = "missing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
