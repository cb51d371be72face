"""What answers carried besides their instants: reasoning, answer text and tool calls, packed for a block of requests.

Most traffic has answers of nothing but answer text, which take no bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from llmload.domain import RequestRecord
from llmload.store.packing import pack, unpack
from llmload.store.runs import bounded

_NONE = -(2**63)
_ROWS = 5
_COUNTS = [0, 1, 2, 4]  # of the rows: the other one is a time, which may lie before its first event
_MOST_REQUESTS = 2**16
NUMBERS_OF_CONTENTS = _ROWS * _MOST_REQUESTS
"""The most that one block may hold."""

ANSWERS_ALONE = b""
"""Of requests whose text events were all answer text; NULL in the store = nobody looked."""


class Contents(NamedTuple):
    """Text events by what they carry, the first tool-call text (after the first event), the server's own count."""

    reasoning_events: int | None = None
    answer_events: int | None = None
    call_events: int | None = None
    call_us: int | None = None
    reasoning_tokens: int | None = None


_UNKNOWN = Contents()


def pack_contents(records: Sequence[RequestRecord]) -> bytes | None:
    """Those of a block of requests; None where nobody looked."""
    found = [_contents(record) for record in records]
    if all(each == _UNKNOWN for each in found):
        return None
    if all(each == _answer_alone(len(record.event_ns)) for each, record in zip(found, records, strict=True)):
        return ANSWERS_ALONE
    columns = zip(*found, strict=True)
    return pack([_NONE if value is None else value for column in columns for value in column])


def _contents(record: RequestRecord) -> Contents:
    call_us = None
    if record.call_ns is not None:
        first = record.event_ns[0] if record.event_ns else record.due_ns
        call_us = record.call_ns // 1000 - first // 1000
    counts = (record.reasoning_events, record.answer_events, record.call_events)
    return Contents(*counts, call_us, bounded(record.reasoning_tokens))


def _answer_alone(events: int) -> Contents:
    return Contents(0, events, 0)


def unpack_contents(packed: bytes | None, events: Sequence[int]) -> Iterable[Contents]:
    """Those of a block whose requests have so many text events; ValueError or zlib.error where they are damaged."""
    if packed is None:
        return [_UNKNOWN] * len(events)
    if packed == ANSWERS_ALONE:
        return map(_answer_alone, events)
    table = unpack(packed, NUMBERS_OF_CONTENTS).reshape(_ROWS, len(events))
    if ((table[_COUNTS] < 0) & (table[_COUNTS] != _NONE)).any():
        raise ValueError("an answer has less than no text of a kind")
    return (Contents(*(None if value == _NONE else value for value in row)) for row in table.T.tolist())
