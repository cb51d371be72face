"""Observations <-> rows. Whole microseconds survive exactly; records come back in order of start."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate

from llmload.domain import (
    Caveat,
    Ending,
    Look,
    Observation,
    Outcome,
    Phase,
    RequestRecord,
    Step,
    TokenSource,
)
from llmload.store.packing import pack, unpack
from llmload.store.runs import plain, to_json

REQUESTS_PER_GAP_ROW = 512
"""Enough to compress well, few enough to read one request without unpacking a whole window."""

_MOST = 2**63 - 1

Kind = tuple[str, str, str | None, int | None, str | None, str | None, bool, bool]
RequestRow = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class WindowRows:
    """One observation, ready to insert; every row lacks only the window's key, which comes first."""

    window: tuple[int, int, int, int, int, str, bytes, str]  # step, look, requests, start, end, ending, beats, caveats
    kinds: dict[Kind, int]
    requests: Iterator[RequestRow]
    texts: list[tuple[int, str | None, str | None]]
    gaps: list[tuple[int, bytes, bytes]]


def rows_of(observation: Observation) -> WindowRows:
    """Everything to insert for `observation`. The slow parts are done here, outside of any transaction."""
    records = sorted(observation.records, key=lambda record: record.seq)
    start_us = observation.start_ns // 1000
    kinds: dict[Kind, int] = {}
    numbers = [kinds.setdefault(_kind(record), len(kinds)) for record in records]
    look = observation.look
    return WindowRows(
        window=(
            look.step.index,
            look.number,
            look.requests,
            start_us,
            observation.end_ns // 1000,
            observation.ending.value,
            pack(observation.heartbeat_late_ns),
            to_json(tuple(asdict(caveat) for caveat in observation.caveats)),
        ),
        kinds=kinds,
        requests=(_request_row(record, kind, start_us) for record, kind in zip(records, numbers, strict=True)),
        texts=[
            (record.seq, plain(record.error_text), plain(record.text))
            for record in records
            if record.error_text is not None or record.text is not None
        ],
        gaps=list(_gap_rows(records)),
    )


def _kind(record: RequestRecord) -> Kind:
    return (
        record.phase.value,
        record.outcome.value,
        plain(record.error_type),
        record.http_status,
        plain(record.finish_reason),
        None if record.token_source is None else record.token_source.value,
        record.is_streamed,
        record.retried,
    )


def _request_row(record: RequestRecord, kind: int, start_us: int) -> RequestRow:
    due = record.due_ns // 1000
    sent = None if record.sent_ns is None else record.sent_ns // 1000
    events = record.event_ns
    before_first = due if sent is None else sent
    first, last = (events[0] // 1000, events[-1] // 1000) if events else (None, None)
    before_done = before_first if last is None else last
    answer = None if record.answer_ns is None else record.answer_ns // 1000
    before_answer = before_first if first is None else first
    return (
        record.seq,
        kind,
        due - start_us,
        None if sent is None else sent - due,
        None if first is None else first - before_first,
        None if first is None or last is None else last - first,
        record.done_ns // 1000 - before_done,
        None if answer is None else answer - before_answer,
        _largest_gap_us(events),
        record.connect_ns // 1000,
        record.reads,
        record.asked_input_tokens,
        record.asked_output_tokens,
        _count(record.input_tokens),
        _count(record.output_tokens),
        _count(record.cached_tokens),
    )


def _count(tokens: int | None) -> int | None:
    """A server may claim any number of tokens; SQLite holds 63 bits."""
    return None if tokens is None else min(tokens, _MOST)


def _largest_gap_us(event_ns: array[int]) -> int | None:
    if len(event_ns) < 2:
        return None
    return max(map(int.__sub__, event_ns[1:], event_ns[:-1])) // 1000


def _gap_rows(records: Sequence[RequestRecord]) -> Iterator[tuple[int, bytes, bytes]]:
    """Gaps of so many requests a row; a request's first event is in its own row."""
    import numpy as np

    for at in range(0, len(records), REQUESTS_PER_GAP_ROW):
        some = records[at : at + REQUESTS_PER_GAP_ROW]
        counts = array("q", (len(record.event_ns) for record in some))
        gaps = [np.diff(np.asarray(record.event_ns, dtype=np.int64) // 1000) for record in some]
        yield some[0].seq, pack(counts), pack(np.concatenate(gaps).tolist())


# ---------------------------------------------------------------- and back


def observation_of(connection: sqlite3.Connection, window: sqlite3.Row) -> Observation:
    """The observation of one row of `windows` joined with its step."""
    key = window["window"]
    step = Step(window["step"], window["axis"], window["value"])
    look = Look(step, window["look"], window["requests"])
    kinds = {row["kind"]: row for row in connection.execute("SELECT * FROM request_kinds WHERE window = ?", (key,))}
    texts = {
        row["seq"]: (row["error_text"], row["answer"])
        for row in connection.execute("SELECT seq, error_text, answer FROM request_texts WHERE window = ?", (key,))
    }
    gaps = _gaps(connection, key)
    rows = connection.execute("SELECT * FROM requests WHERE window = ? ORDER BY seq", (key,))
    start_us = window["start_us"]
    return Observation(
        look=look,
        records=tuple(
            _record(row, kinds[row["kind"]], next(gaps), texts.get(row["seq"], (None, None)), look.number, start_us)
            for row in rows
        ),
        start_ns=start_us * 1000,
        end_ns=window["end_us"] * 1000,
        ending=Ending(window["ending"]),
        heartbeat_late_ns=unpack(window["heartbeats"]),
        caveats=tuple(Caveat(**caveat) for caveat in json.loads(window["caveats"])),
    )


def _gaps(connection: sqlite3.Connection, window: int) -> Iterator[tuple[int, array[int]]]:
    """Number of events and gaps of each request, in order of start."""
    query = "SELECT events, gaps_us FROM request_gaps WHERE window = ? ORDER BY first_seq"
    for events, gaps_us in connection.execute(query, (window,)):
        gaps, at = unpack(gaps_us), 0
        for count in unpack(events):
            yield count, gaps[at : at + max(count - 1, 0)]
            at += max(count - 1, 0)


def _record(
    row: sqlite3.Row,
    kind: sqlite3.Row,
    events: tuple[int, array[int]],
    texts: tuple[str | None, str | None],
    look: int,
    start_us: int,
) -> RequestRecord:
    due = start_us + row["due_us"]
    sent = None if row["lag_us"] is None else due + row["lag_us"]
    before_first = due if sent is None else sent
    first = None if row["wait_us"] is None else before_first + row["wait_us"]
    before_done = before_first if first is None else first + row["span_us"]
    before_answer = before_first if first is None else first
    return RequestRecord(
        seq=row["seq"],
        look=look,
        phase=Phase(kind["phase"]),
        outcome=Outcome(kind["outcome"]),
        due_ns=due * 1000,
        sent_ns=None if sent is None else sent * 1000,
        done_ns=(before_done + row["tail_us"]) * 1000,
        event_ns=_events(first, events),
        asked_input_tokens=row["asked_in"],
        asked_output_tokens=row["asked_out"],
        answer_ns=None if row["answer_us"] is None else (before_answer + row["answer_us"]) * 1000,
        connect_ns=row["connect_us"] * 1000,
        reads=row["reads"],
        is_streamed=bool(kind["is_streamed"]),
        input_tokens=row["tokens_in"],
        output_tokens=row["tokens_out"],
        cached_tokens=row["cached"],
        token_source=None if kind["token_source"] is None else TokenSource(kind["token_source"]),
        finish_reason=kind["finish_reason"],
        http_status=kind["http_status"],
        error_type=kind["error_type"],
        error_text=texts[0],
        retried=bool(kind["retried"]),
        text=texts[1],
    )


def _events(first_us: int | None, events: tuple[int, array[int]]) -> array[int]:
    if first_us is None:
        return array("q")
    return array("q", (instant * 1000 for instant in accumulate(events[1], initial=first_us)))
