"""Observations <-> rows. Whole microseconds survive exactly; records come back in order of start."""

from __future__ import annotations

import json
import sqlite3
import zlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from llmload.domain import Ending, Observation, Outcome, Phase, RequestRecord, TokenSource, WorkerFacts
from llmload.errors import StoreError
from llmload.planned import Look, Part, Step
from llmload.store.contents import Contents, unpack_contents
from llmload.store.packing import pack, unpack
from llmload.store.runs import bounded, plain, to_json
from llmload.store.series import Block, Detail, blocks_of, details_of, table_of
from llmload.store.watched import WATCHED, SeriesRows, series_rows, watched_columns, watched_of
from llmload.verdict import Caveat

Kind = tuple[Phase, Outcome, str | None, int | None, str | None, TokenSource | None, bool, bool, Part]
"""phase, outcome, error_type, http_status, finish_reason, token_source, is_streamed, retried, part but its session"""

Tokens = tuple[int | None, int | None, int | None]
"""input, output and cached tokens; in a request's own row, None where they are those of its kind"""

_KnownTokens = tuple[bool, bool, bool]


WINDOW = (
    "step", "look", "requests", "start_us", "end_us", "ending", "heartbeats", "caveats", "planned", "workers",
    "workers_because", "repeat", *WATCHED,
)  # fmt: skip
"""Columns of `windows`, its keys to others left out."""


@dataclass(frozen=True, slots=True)
class WindowRows:
    """One observation, ready to insert; every row lacks only the window's key, which comes first."""

    window: tuple[str | bytes | int | None, ...]  # the columns named in WINDOW
    kinds: list[tuple[str | int | None, ...]]
    requests: Iterator[tuple[int | None, ...]]
    texts: list[tuple[int, str | None, str | None]]
    sessions: list[tuple[int, int]]
    blocks: list[Block]
    series: list[SeriesRows]
    last_seq: int  # -1 where there is no request


def rows_of(observation: Observation) -> WindowRows:
    """Everything to insert for `observation`."""
    records = sorted(observation.records, key=lambda record: record.seq)
    blocks = list(blocks_of(records))
    kinds: dict[tuple[Kind, _KnownTokens], int] = {}
    numbers = [kinds.setdefault((_kind(record), _known(record)), len(kinds)) for record in records]
    usual = _usual_tokens(records, numbers, len(kinds))
    largest = (gap for block in blocks for gap in block.largest_us)
    start_us = observation.start_ns // 1000
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
            observation.planned,
            to_json(tuple(asdict(worker) for worker in observation.workers)),
            plain(observation.workers_because),
            look.repeat,
            *watched_columns(observation.watched),
        ),
        kinds=[(number, *_kind_row(kind), *usual[number], *_part_row(kind[-1])) for (kind, _), number in kinds.items()],
        requests=(
            _request_row(record, number, gap, start_us, usual[number])
            for record, number, gap in zip(records, numbers, largest, strict=True)
        ),
        texts=[
            (record.seq, plain(record.error_text), plain(record.text))
            for record in records
            if record.error_text is not None or record.text is not None
        ],
        sessions=[(record.seq, record.part.session) for record in records if record.part.session is not None],
        blocks=blocks,
        series=series_rows(observation.watched, start_us),
        last_seq=records[-1].seq if records else -1,
    )


def _kind(record: RequestRecord) -> Kind:
    return (
        record.phase,
        record.outcome,
        record.error_type,
        record.http_status,
        record.finish_reason,
        record.token_source,
        record.is_streamed,
        record.retried,
        record.part if record.part.session is None else record.part._replace(session=None),
    )


def _known(record: RequestRecord) -> _KnownTokens:
    """Part of a kind too, so that no count of its own never means that nobody counted."""
    return (record.input_tokens is None, record.output_tokens is None, record.cached_tokens is None)


def _usual_tokens(records: Sequence[RequestRecord], numbers: Sequence[int], kinds: int) -> list[Tokens]:
    """The most frequent counts of each kind: where lengths are fixed, hardly a request has others."""
    mine: list[list[RequestRecord]] = [[] for _ in range(kinds)]
    for record, number in zip(records, numbers, strict=True):
        mine[number].append(record)
    return [
        (
            _most_frequent(record.input_tokens for record in one),
            _most_frequent(record.output_tokens for record in one),
            _most_frequent(record.cached_tokens for record in one),
        )
        for one in mine
    ]


def _most_frequent(counts: Iterable[int | None]) -> int | None:
    ((usual, _),) = Counter(counts).most_common(1)
    return bounded(usual)


def _kind_row(kind: Kind) -> tuple[str | int | None, ...]:
    phase, outcome, error_type, http_status, finish_reason, source, is_streamed, retried, _ = kind
    source_name = None if source is None else source.value
    return (
        phase.value,
        outcome.value,
        plain(error_type),
        http_status,
        plain(finish_reason),
        source_name,
        int(is_streamed),
        int(retried),
    )


def _part_row(part: Part) -> tuple[str | int | None, ...]:
    return plain(part.traffic_class), part.turn, part.group


def _request_row(
    record: RequestRecord, kind: int, largest_gap_us: int | None, start_us: int, usual: Tokens
) -> tuple[int | None, ...]:
    due = known = record.due_ns // 1000
    lag = wait = span = None
    if record.sent_ns is not None:
        sent = record.sent_ns // 1000
        lag, known = sent - known, sent
    if events := record.event_ns:
        first, last = events[0] // 1000, events[-1] // 1000
        wait, span, known = first - known, last - first, last
    return (
        record.seq,
        kind,
        due - start_us,
        lag,
        wait,
        span,
        record.done_ns // 1000 - known,
        largest_gap_us,
        None if record.input_tokens == usual[0] else bounded(record.input_tokens),
        None if record.output_tokens == usual[1] else bounded(record.output_tokens),
        None if record.cached_tokens == usual[2] else bounded(record.cached_tokens),
    )


# ---------------------------------------------------------------- and back


def observation_of(connection: sqlite3.Connection, window: sqlite3.Row, where: Path) -> Observation:
    """The observation of one row of `windows` joined with its step; StoreError when its packed parts are damaged."""
    look = Look(
        Step(window["step"], window["axis"], window["value"]), window["look"], window["requests"], window["repeat"]
    )
    try:
        return Observation(
            look=look,
            records=tuple(_records(connection, window, look)),
            start_ns=window["start_us"] * 1000,
            end_ns=window["end_us"] * 1000,
            ending=Ending(window["ending"]),
            heartbeat_late_ns=array("q", unpack(window["heartbeats"]).tobytes()),
            caveats=tuple(Caveat(**caveat) for caveat in json.loads(window["caveats"])),
            planned=window["planned"],
            workers=tuple(WorkerFacts(**worker) for worker in json.loads(window["workers"])),
            workers_because=window["workers_because"],
            watched=watched_of(connection, window),
        )
    except (zlib.error, ValueError, KeyError) as error:
        place = f"window {look.number} of {look.step.label}"
        raise StoreError(str(where), f"{place} is damaged ({error})", "Measure again") from error


def _records(connection: sqlite3.Connection, window: sqlite3.Row, look: Look) -> Iterator[RequestRecord]:
    of_window = (window["window"],)
    kinds = {
        row["kind"]: _kind_of(row)
        for row in connection.execute("SELECT * FROM request_kinds WHERE window = ?", of_window)
    }
    texts = {
        seq: (error_text, answer)
        for seq, error_text, answer in connection.execute(
            "SELECT seq, error_text, answer FROM request_texts WHERE window = ?", of_window
        )
    }
    sessions = dict(
        connection.execute("SELECT seq, session FROM request_sessions WHERE window = ?", of_window).fetchall()
    )
    requests = connection.cursor()
    requests.row_factory = None  # plain tuples: loading takes a fifth less time
    requests.execute(
        "SELECT id - ?1, kind, due_us, lag_us, wait_us, span_us, tail_us, tokens_in, tokens_out, tokens_cached"
        " FROM requests WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
        (window["first_id"], window["last_id"]),
    )
    start_us = window["start_us"]
    for details, gaps_us, contents in connection.execute(
        "SELECT details, gaps_us, contents FROM request_gaps WHERE window = ? ORDER BY first_seq", of_window
    ):
        table = table_of(details)
        rows = requests.fetchmany(table.shape[1])
        firsts = [start_us + due + (lag or 0) + (wait or 0) for _, _, due, lag, wait, *_ in rows]
        spans = [span or 0 for _, _, _, _, _, span, *_ in rows]
        each = zip(details_of(table, gaps_us, firsts, spans), unpack_contents(contents, table[0].tolist()), strict=True)
        for row, packed in zip(rows, each, strict=True):
            seq, number = row[0], row[1]
            own = (*texts.get(seq, (None, None)), sessions.get(seq))
            yield _record(row, packed, kinds[number], own, look.number, start_us)


def _kind_of(row: sqlite3.Row) -> tuple[Kind, Tokens]:
    source = row["token_source"]
    kind = (
        Phase(row["phase"]),
        Outcome(row["outcome"]),
        row["error_type"],
        row["http_status"],
        row["finish_reason"],
        None if source is None else TokenSource(source),
        bool(row["is_streamed"]),
        bool(row["retried"]),
        Part(row["traffic_class"], None, row["turn"], row["prefix_group"]),
    )
    return kind, (row["tokens_in"], row["tokens_out"], row["tokens_cached"])


def _record(
    row: tuple[int, ...],
    packed: tuple[Detail, Contents],
    kind: tuple[Kind, Tokens],
    own: tuple[str | None, str | None, int | None],
    look: int,
    start_us: int,
) -> RequestRecord:
    seq, _, due_us, lag, wait, span, tail, tokens_in, tokens_out, tokens_cached = row
    (phase, outcome, error_type, http_status, finish_reason, token_source, is_streamed, retried, part), usual = kind
    error_text, text, session = own
    detail, carried = packed
    due = start_us + due_us
    sent = None if lag is None else due + lag
    before_first = due if sent is None else sent
    first = None if wait is None else before_first + wait
    before_done = before_first if first is None else first + span
    before_answer = due if first is None else first
    return RequestRecord(
        seq=seq,
        look=look,
        phase=phase,
        outcome=outcome,
        due_ns=due * 1000,
        sent_ns=None if sent is None else sent * 1000,
        done_ns=(before_done + tail) * 1000,
        event_ns=detail.event_ns,
        asked_input_tokens=detail.asked_in,
        asked_output_tokens=detail.asked_out,
        answer_ns=None if detail.answer_us is None else (before_answer + detail.answer_us) * 1000,
        connect_ns=detail.connect_us * 1000,
        reads=detail.reads,
        is_streamed=is_streamed,
        input_tokens=usual[0] if tokens_in is None else tokens_in,
        output_tokens=usual[1] if tokens_out is None else tokens_out,
        cached_tokens=usual[2] if tokens_cached is None else tokens_cached,
        token_source=token_source,
        finish_reason=finish_reason,
        http_status=http_status,
        error_type=error_type,
        error_text=error_text,
        retried=retried,
        text=text,
        part=part if session is None else part._replace(session=session),
        call_ns=None if carried.call_us is None else (before_answer + carried.call_us) * 1000,
        reasoning_events=carried.reasoning_events,
        answer_events=carried.answer_events,
        call_events=carried.call_events,
        reasoning_tokens=carried.reasoning_tokens,
    )
