"""What must hold of any store before it is read: requests that belong to one window each, packed numbers of a size
that memory can hold, and no more samples than that.
"""

from __future__ import annotations

import sqlite3
import zlib

from llmload.store.contents import NUMBERS_OF_CONTENTS
from llmload.store.packing import MOST_NUMBERS
from llmload.store.series import NUMBERS_PER_BLOCK
from llmload.store.watched import MOST_SERIES

_LARGEST_SERIES = 8 * MOST_NUMBERS
_LARGEST_TABLE = 8 * NUMBERS_PER_BLOCK
_LARGEST_CONTENTS = 8 * NUMBERS_OF_CONTENTS
_CHUNK = 2**20

MOST_REQUESTS = 10**9
"""Of one window: more than any run lasts for."""

MOST_SAMPLES = 2**24
"""Of one window: ten figures of eight GPUs, each second of two days."""

MOST_PARTS = 1_000
"""Classes of one window, and turns of its conversations: figures are made of each."""

_PARTS = """
SELECT count(DISTINCT traffic_class), coalesce(max(turn), 0),
       min(coalesce(min(turn), 0), coalesce(min(prefix_group), 0)),
       (SELECT coalesce(min(session), 0) FROM request_sessions WHERE window = ?1)
FROM request_kinds WHERE window = ?1
"""

_LONGEST_CLASS = 200  # characters; a scenario may write 40
_TOO_LONG = "SELECT 1 FROM request_kinds WHERE window = ? AND length(traffic_class) > ? LIMIT 1"
_ALIEN = """
SELECT 1 FROM request_sessions JOIN windows USING (window)
WHERE window = ? AND seq NOT BETWEEN 0 AND last_id - first_id LIMIT 1
"""

_PACKED = (
    ("heartbeats", _LARGEST_SERIES, "SELECT heartbeats FROM windows WHERE window = ?"),
    ("details of requests", _LARGEST_TABLE, "SELECT details FROM request_gaps WHERE window = ?"),
    ("gaps between events", _LARGEST_SERIES, "SELECT gaps_us FROM request_gaps WHERE window = ?"),
    (
        "contents of answers",
        _LARGEST_CONTENTS,
        "SELECT contents FROM request_gaps WHERE window = ? AND length(contents) > 0",
    ),
)


def fault_of_window(connection: sqlite3.Connection, window: int) -> str:
    """What is wrong with the numbers of a window; "" where they can be read within bounded memory."""
    for name, largest, query in _PACKED:
        for (packed,) in connection.execute(query, (window,)):
            if fault := _fault(packed, largest):
                return f"its {name} {fault}"
    for table, most in (("sample_series", MOST_SERIES), ("samples", MOST_SAMPLES)):
        query = f"SELECT count(*) FROM {table} WHERE window = ?"  # noqa: S608 - two names of ours
        (count,) = connection.execute(query, (window,)).fetchone()
        if count > most:
            return f"it has {count:,} rows of {table}, and no window has more than {most:,}"
    return _fault_of_parts(connection, window)


def _fault_of_parts(connection: sqlite3.Connection, window: int) -> str:
    classes, last_turn, *least = connection.execute(_PARTS, (window,)).fetchone()
    if min(least) < 0:
        return "its requests are of turns, groups or sessions below 0"
    if max(classes, last_turn + 1) > MOST_PARTS:
        return f"its traffic has more than {MOST_PARTS:,} classes or turns"
    if connection.execute(_TOO_LONG, (window, _LONGEST_CLASS)).fetchone():
        return f"it has a class with a name of more than {_LONGEST_CLASS} characters"
    if connection.execute(_ALIEN, (window,)).fetchone():
        return "it has sessions of requests that are not there"
    return ""


def fault_of_ranges(connection: sqlite3.Connection) -> str:
    """What is wrong with the ranges of requests of all windows; "" where each has requests of its own."""
    last = 0
    query = "SELECT first_id, last_id FROM windows WHERE last_id >= first_id ORDER BY first_id"
    ends = "SELECT 1 FROM requests WHERE id = ?"
    for first_id, last_id in connection.execute(query).fetchall():
        if first_id <= last:
            return "two windows claim the same requests"
        if last_id - first_id > MOST_REQUESTS or last_id > 2**62:
            return f"a window claims {last_id - first_id + 1:,} requests"
        if connection.execute(ends, (last_id,)).fetchone() is None:
            return "a window claims requests that are not there"
        last = last_id
    return ""


def _fault(packed: bytes, largest: int) -> str:
    """Unpack in chunks that are thrown away: a bomb costs time in proportion to `largest`, and no memory."""
    unpack, size, rest = zlib.decompressobj(), 0, packed
    try:
        while rest and not unpack.eof:
            size += len(unpack.decompress(rest, _CHUNK))
            rest = unpack.unconsumed_tail
            if size > largest:
                return f"are more than {largest:,} bytes"
        while not unpack.eof and (more := unpack.decompress(b"", _CHUNK)):
            size += len(more)
    except zlib.error as error:
        return f"are damaged ({error})"
    if not unpack.eof or size % 8:
        return "are cut short"
    return ""
