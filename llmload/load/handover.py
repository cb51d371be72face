"""Messages between the runner and its worker: one window there, one observation back, packed by column.

A hundred thousand records as objects cost seconds to pickle; as columns of plain values they cost a fraction, and the
instants of all events travel as one block.
"""

from __future__ import annotations

import pickle
import struct
from array import array
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import IO

from llmload.domain import Observation, Outcome, Phase, RequestRecord, TokenSource

_LENGTH = struct.Struct("<Q")
_COLUMNS = tuple(field.name for field in fields(RequestRecord) if field.name != "event_ns")
_ENUMS: dict[str, type[Outcome | Phase | TokenSource]] = {
    "outcome": Outcome,
    "phase": Phase,
    "token_source": TokenSource,
}


def write_frame(stream: IO[bytes], payload: bytes | memoryview) -> None:
    """One length-prefixed block; the caller flushes."""
    stream.write(_LENGTH.pack(len(payload)))
    stream.write(payload)


def read_frame(stream: IO[bytes]) -> bytes | None:
    """The next block; None at the end of the stream, or in the middle of a block whose writer died."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    payload = stream.read(length)
    return payload if len(payload) == length else None


def write_observation(stream: IO[bytes], observation: Observation) -> None:
    """An observation in two frames: the columns, then the instants of all events."""
    records = observation.records
    columns = {name: _column(name, records) for name in _COLUMNS}
    instants = array("q")
    for record in records:
        instants += record.event_ns
    counts = array("q", [len(record.event_ns) for record in records])
    rest = replace(observation, records=())
    whole = (rest, columns, counts)
    write_frame(stream, pickle.dumps(whole, protocol=pickle.HIGHEST_PROTOCOL))
    write_frame(stream, memoryview(instants).cast("B"))
    stream.flush()


def read_observation(packed: bytes, events: bytes) -> Observation:
    """The observation in the two frames of `write_observation`."""
    rest: Observation
    rest, columns, counts = pickle.loads(packed)  # noqa: S301 - from our own child
    values = zip(*(_restored(name, columns[name]) for name in _COLUMNS), strict=True)
    instants = memoryview(events).cast("q")
    records, at = [], 0
    for row, count in zip(values, counts, strict=True):
        event_ns = array("q", instants[at : at + count])
        records.append(RequestRecord(event_ns=event_ns, **dict(zip(_COLUMNS, row, strict=True))))
        at += count
    return replace(rest, records=tuple(records))


def _column(name: str, records: Sequence[RequestRecord]) -> list[object]:
    if name in _ENUMS:  # by value: an enum member is pickled as a call
        return [None if (member := getattr(record, name)) is None else member.value for record in records]
    return [getattr(record, name) for record in records]


def _restored(name: str, column: list[object]) -> list[object]:
    if name not in _ENUMS:
        return column
    members: dict[object, object] = {member.value: member for member in _ENUMS[name]}
    return [members.get(value) for value in column]
