"""The many numbers of a request that nobody queries one by one, packed for a block of requests at a time.

First and last events lie in the requests' own rows; a block keeps the gaps between them but for the last, which
follows from the others, and six small numbers a request.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmload.domain import RequestRecord
from llmload.store.contents import pack_contents
from llmload.store.packing import MOST_NUMBERS, pack, unpack

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

REQUESTS_PER_BLOCK = 2048
"""Enough to compress well, few enough to read one request without unpacking a whole window."""

_ROWS = 6
NUMBERS_PER_BLOCK = _ROWS * REQUESTS_PER_BLOCK
"""Those of its table of small numbers."""

_NONE = -(2**63)


@dataclass(frozen=True, slots=True)
class Block:
    """Some successive requests: what to store of them, and each one's largest gap in microseconds, if it has any."""

    first_seq: int
    details: bytes
    gaps_us: bytes
    largest_us: list[int | None]
    contents: bytes | None


@dataclass(frozen=True, slots=True)
class Detail:
    """What a block gives back of one request; `answer_us` after its first event."""

    event_ns: array[int]
    reads: int
    connect_us: int
    asked_in: int | None
    asked_out: int
    answer_us: int | None


def blocks_of(records: Sequence[RequestRecord]) -> Iterator[Block]:
    """Cut records in order of start into blocks."""
    for at in range(0, len(records), REQUESTS_PER_BLOCK):
        yield _block(records[at : at + REQUESTS_PER_BLOCK])


def _block(records: Sequence[RequestRecord]) -> Block:
    import numpy as np

    events = array("q")
    for record in records:
        events.extend(record.event_ns)
    counts = np.array([len(record.event_ns) for record in records], dtype=np.int64)
    is_gap = np.ones(len(events), dtype=bool)
    is_gap[(np.cumsum(counts) - counts)[counts > 0]] = False
    gaps = np.diff(np.frombuffer(events, dtype=np.int64) // 1000, prepend=0)[is_gap]
    details = [
        counts,
        [record.reads for record in records],
        [record.connect_ns // 1000 for record in records],
        [_NONE if record.asked_input_tokens is None else record.asked_input_tokens for record in records],
        [record.asked_output_tokens for record in records],
        [_answer_us(record) for record in records],
    ]
    largest: list[int | None] = [None] * len(records)
    many = np.flatnonzero(counts > 1)
    lengths = counts[many] - 1
    ends = np.cumsum(lengths)
    if many.size:
        peaks = np.maximum.reduceat(gaps, ends - lengths)
        for place, peak in zip(many.tolist(), peaks.tolist(), strict=True):
            largest[place] = peak
    packed = pack(np.array(details, dtype=np.int64).reshape(-1))
    return Block(records[0].seq, packed, pack(np.delete(gaps, ends - 1)), largest, pack_contents(records))


def _answer_us(record: RequestRecord) -> int:
    if record.answer_ns is None:
        return _NONE
    before = record.event_ns[0] if record.event_ns else record.due_ns
    return record.answer_ns // 1000 - before // 1000


def table_of(details: bytes) -> NDArray[np.int64]:
    """The small numbers of one block: a row for each of them, a column for each request."""
    return unpack(details, NUMBERS_PER_BLOCK).reshape(_ROWS, -1)


def details_of(
    table: NDArray[np.int64], gaps_us: bytes, starts_us: Sequence[int], spans_us: Sequence[int]
) -> Iterator[Detail]:
    """The requests of one block.

    `starts_us` are the instants of their first events and `spans_us` how long after them the last ones came,
    whatever where there is none.
    """
    import numpy as np

    counts = table[0]
    if counts.size and (counts.min() < 0 or counts.sum(dtype=float) > MOST_NUMBERS):
        raise ValueError("it claims more events than any block has")
    firsts, has, many = np.cumsum(counts) - counts, counts > 0, counts > 1
    lasts = firsts + counts - 1
    is_packed = np.ones(int(counts.sum()), dtype=bool)
    is_packed[firsts[has]] = False
    gaps = unpack(gaps_us)
    if len(gaps) < is_packed.sum():  # the first version of the store packed the last gaps as well
        is_packed[lasts[many]] = False
    steps = np.zeros(len(is_packed), dtype=np.int64)
    steps[is_packed] = gaps
    since = np.cumsum(steps)
    since -= np.repeat(since[firsts[has]], counts[has])
    starts = np.asarray(starts_us, dtype=np.int64)
    since += np.repeat(starts, counts)
    since[lasts[many]] = (starts + np.asarray(spans_us, dtype=np.int64))[many]
    events, at = array("q", (since * 1000).tobytes()), 0
    for count, reads, connect_us, asked_in, asked_out, answer_us in table.T.tolist():
        length = None if asked_in == _NONE else asked_in
        known = None if answer_us == _NONE else answer_us
        yield Detail(events[at : at + count], reads, connect_us, length, asked_out, known)
        at += count
