"""Observations <-> rows. Whole microseconds survive exactly; records come back in order of start."""

from __future__ import annotations

import json
import sqlite3
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

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
    WorkerFacts,
)
from llmload.errors import StoreError
from llmload.store.packing import pack, unpack
from llmload.store.runs import bounded, plain, to_json
from llmload.store.series import REQUESTS_PER_BLOCK, Block, Detail, blocks_of, details_of

Kind = tuple[Phase, Outcome, str | None, int | None, str | None, TokenSource | None, bool, bool]
"""phase, outcome, error_type, http_status, finish_reason, token_source, is_streamed, retried"""


WINDOW = (
    "step", "look", "requests", "start_us", "end_us", "ending", "heartbeats", "caveats", "planned", "workers",
    "workers_because",
)  # fmt: skip
"""Columns of `windows`, its keys to others left out."""


@dataclass(frozen=True, slots=True)
class WindowRows:
    """One observation, ready to insert; every row lacks only the window's key, which comes first."""

    window: tuple[str | bytes | int | None, ...]  # the columns named in WINDOW
    kinds: list[tuple[str | int | None, ...]]
    requests: Iterator[tuple[int | None, ...]]
    texts: list[tuple[int, str | None, str | None]]
    blocks: list[Block]


def rows_of(observation: Observation) -> WindowRows:
    """Everything to insert for `observation`."""
    records = sorted(observation.records, key=lambda record: record.seq)
    blocks = list(blocks_of(records))
    kinds: dict[Kind, int] = {}
    numbers = [kinds.setdefault(_kind(record), len(kinds)) for record in records]
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
        ),
        kinds=[(number, *_kind_row(kind)) for kind, number in kinds.items()],
        requests=(_request_row(*one, start_us) for one in zip(records, numbers, largest, strict=True)),
        texts=[
            (record.seq, plain(record.error_text), plain(record.text))
            for record in records
            if record.error_text is not None or record.text is not None
        ],
        blocks=blocks,
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
    )


def _kind_row(kind: Kind) -> tuple[str | int | None, ...]:
    phase, outcome, error_type, http_status, finish_reason, source, is_streamed, retried = kind
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


def _request_row(record: RequestRecord, kind: int, largest_gap_us: int | None, start_us: int) -> tuple[int | None, ...]:
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
        bounded(record.input_tokens),
        bounded(record.output_tokens),
        bounded(record.cached_tokens),
    )


# ---------------------------------------------------------------- and back


def observation_of(connection: sqlite3.Connection, window: sqlite3.Row, where: Path) -> Observation:
    """The observation of one row of `windows` joined with its step; StoreError when its packed parts are damaged."""
    look = Look(Step(window["step"], window["axis"], window["value"]), window["look"], window["requests"])
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
    requests = connection.execute(
        "SELECT seq, kind, due_us, lag_us, wait_us, span_us, tail_us, tokens_in, tokens_out, tokens_cached"
        " FROM requests WHERE window = ? ORDER BY seq",
        of_window,
    )
    start_us = window["start_us"]
    for details, gaps_us in connection.execute(
        "SELECT details, gaps_us FROM request_gaps WHERE window = ? ORDER BY first_seq", of_window
    ):
        rows = requests.fetchmany(REQUESTS_PER_BLOCK)
        firsts = [start_us + due + (lag or 0) + (wait or 0) for _, _, due, lag, wait, *_ in rows]
        for row, detail in zip(rows, details_of(details, gaps_us, firsts), strict=True):
            yield _record(row, detail, kinds[row[1]], texts.get(row[0], (None, None)), look.number, start_us)


def _kind_of(row: sqlite3.Row) -> Kind:
    source = row["token_source"]
    return (
        Phase(row["phase"]),
        Outcome(row["outcome"]),
        row["error_type"],
        row["http_status"],
        row["finish_reason"],
        None if source is None else TokenSource(source),
        bool(row["is_streamed"]),
        bool(row["retried"]),
    )


def _record(
    row: sqlite3.Row, detail: Detail, kind: Kind, texts: tuple[str | None, str | None], look: int, start_us: int
) -> RequestRecord:
    seq, _, due_us, lag, wait, span, tail, tokens_in, tokens_out, tokens_cached = row
    phase, outcome, error_type, http_status, finish_reason, token_source, is_streamed, retried = kind
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
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cached_tokens=tokens_cached,
        token_source=token_source,
        finish_reason=finish_reason,
        http_status=http_status,
        error_type=error_type,
        error_text=texts[0],
        retried=retried,
        text=texts[1],
    )
