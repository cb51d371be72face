"""The contract of a transport: whatever a server does, both tell the same of it. Real sockets on loopback.

What their records say of answers that are wrong in other ways than HTTP is in `test_outcomes.py`; TLS in `test_tls.py`.
"""

from __future__ import annotations

import asyncio
import random
import re
import resource
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from llmload.domain import Observation, Outcome, Phase, RequestRecord
from llmload.load.attempt import Job
from llmload.load.pool import Pool
from llmload.load.sender import Sender, sender_for
from llmload.load.window import Window
from tests.load.windows import endpoint, window
from tests.scripted_server import (
    DONE,
    Piece,
    Request,
    Script,
    ScriptedServer,
    chunk,
    delta,
    head,
    stream,
    usage,
    whole,
)

pytestmark = pytest.mark.parametrize("transport", ["fast", "httpx"])

Measured = Callable[[Window], list[RequestRecord]]
Observe = Callable[[Window], Observation]

TEXTS = (delta(" a"), delta(" b"), delta(" c", "stop"), usage(7, 3), DONE)
BODY = b"".join(map(chunk, TEXTS)) + chunk(b"")
JOB = Job(0, 0, Phase.MEASURED, b"{}", 1, 1, keeps_text=True)


def _framed(data: bytes) -> Script:
    return Script([Piece(0, data)])


def _fed(data: bytes, size: int = 1) -> Script:
    """`data` in pieces of `size` bytes, each in a segment of its own, as far as the kernel lets them be."""
    return Script([Piece(0.0002, data[start : start + size]) for start in range(0, len(data), size)])


def _cut_anywhere(data: bytes) -> Script:
    cuts = sorted(random.Random(7).sample(range(len(data)), 40))
    return Script([Piece(0.0005, data[a:b]) for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)])


def _extended(data: bytes) -> bytes:
    return b"%x;name=value;flag\r\n%b\r\n" % (len(data), data)


def _oddly_sized(data: bytes) -> bytes:
    return b"000%X\r\n%b\r\n" % (len(data), data)


UNENDED = b"".join(TEXTS)
WELL_FRAMED = {
    "chunk extensions": _framed(head() + b"".join(map(_extended, TEXTS)) + b"0;last\r\n\r\n"),
    "trailers": _framed(head() + BODY.removesuffix(b"\r\n") + b"Server-Timing: total;dur=3\r\nX-Checksum: 1\r\n\r\n"),
    "chunk sizes in capitals, with zeros": _framed(head() + b"".join(map(_oddly_sized, TEXTS)) + b"000\r\n\r\n"),
    "one chunk for all": _framed(head() + chunk(UNENDED) + chunk(b"")),
    "cut anywhere": _cut_anywhere(head() + BODY),
    "byte by byte": _fed(head() + BODY),
    "a length": _framed(head(extra=f"Content-Length: {len(UNENDED)}\r\n") + UNENDED),
    "HTTP/1.0 without a length": Script(
        [Piece(0, head(extra="").replace(b"HTTP/1.1", b"HTTP/1.0")), Piece(0, UNENDED)], "close"
    ),
    "a reset as its end": Script([Piece(0, head(extra="") + UNENDED), Piece(0.05, b"")], "reset"),
    "100 Continue first": _framed(b"HTTP/1.1 100 Continue\r\n\r\n" + head() + BODY),
    "103 Early Hints first": _framed(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 2 + head() + BODY),
    "a field folded into capitals": _framed(head(extra="TRANSFER-ENCODING: Chunked\r\n") + BODY),
    "Connection: close": Script(
        [Piece(0, head(extra="Transfer-Encoding: chunked\r\nConnection: close\r\n") + BODY)], "close"
    ),
}


@pytest.mark.parametrize("script", [pytest.param(script, id=name) for name, script in WELL_FRAMED.items()])
def test_the_framing_of_an_answer_changes_nothing(measured: Measured, transport: str, script: Script) -> None:
    with ScriptedServer(lambda request: script) as server:
        records = measured(window(endpoint(server.url, transport=transport), requests=2, warmup=0, keep_texts=2))
    for record in records:
        assert (record.outcome, record.error_text) == (Outcome.OK, None)
        assert (record.text, len(record.event_ns), record.output_tokens) == (" a b c", 3, 3)
        assert record.sent_ns is not None
        instants = [record.due_ns, record.sent_ns, *record.event_ns, record.done_ns]
        assert instants == sorted(instants)


BROKEN = {
    "a redirect": (_framed(head("307 Elsewhere", extra="Location: /b\r\nContent-Length: 0\r\n")), "HTTP_307"),
    "no content": (_framed(b"HTTP/1.1 204 No Content\r\n\r\n"), "TRUNCATED"),
    "500 in the middle": (
        _framed(head() + chunk(delta(" a")) + b"HTTP/1.1 500 Internal Server Error\r\n\r\noops"),
        "HTTP_PARSE_ERROR",
    ),
    "a longer length than the body": (
        Script([Piece(0, head(extra="Content-Length: 9999\r\n") + delta(" a"))], "close"),
        "CONNECTION_ERROR",
    ),
    "a length that is none": (_framed(head(extra="Content-Length: many\r\n") + UNENDED), "HTTP_PARSE_ERROR"),
    "two lengths": (_framed(head(extra="Content-Length: 1\r\nContent-Length: 2\r\n") + UNENDED), "HTTP_PARSE_ERROR"),
    "another protocol": (
        Script([Piece(0, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")], "stall"),
        "HTTP_PARSE_ERROR",
    ),
    "a head that never ends": (
        Script([Piece(0.02, bytes([sign])) for sign in head()[:-4] + b"x-y: z\r\n" * 20]),
        "TIMEOUT_FIRST_TOKEN",
    ),
    "a body without an event": (
        Script([Piece(0, head()), *(Piece(0.02, chunk(b": still here\n")) for _ in range(60))]),
        "TIMEOUT_FIRST_TOKEN",
    ),
    "an event that never ends": (
        Script([Piece(0, head() + chunk(delta(" a"))), *(Piece(0.02, chunk(b"d")) for _ in range(80))]),
        "TIMEOUT_TOTAL",
    ),
}


@pytest.mark.parametrize(("script", "error_type"), [pytest.param(*case, id=name) for name, case in BROKEN.items()])
def test_a_broken_answer_is_the_same_record_and_hurts_no_other(
    measured: Measured, transport: str, script: Script, error_type: str
) -> None:
    def answer(request: Request) -> Script:
        return script if request.number == 0 else stream(3, 0, 0)

    with ScriptedServer(answer) as server:
        target = endpoint(server.url, transport=transport, first_token_timeout_s=0.3, total_timeout_s=0.8)
        first, second = measured(window(target, requests=2, warmup=0))
    assert (first.error_type, second.error_type) == (error_type, None)


# ---------------------------------------------------------------- connections


def test_a_connection_is_kept_from_request_to_request(observe: Observe, transport: str) -> None:
    with ScriptedServer(lambda request: stream(3, 0.02, 0)) as server:
        observation = observe(window(endpoint(server.url, transport=transport), concurrency=3, requests=7, warmup=3))
    assert {record.outcome for record in observation.records} <= {Outcome.OK, Outcome.CANCELLED}
    assert sum(worker.opened for worker in observation.workers) == server.connections == 3


def test_a_connection_is_not_kept_where_the_server_says_so(observe: Observe, transport: str) -> None:
    data = head(extra="Transfer-Encoding: chunked\r\nConnection: close\r\n") + BODY
    with ScriptedServer(lambda request: Script([Piece(0.02, data)], "close")) as server:
        observation = observe(window(endpoint(server.url, transport=transport), concurrency=3, requests=7, warmup=3))
    done = [record for record in observation.records if record.outcome is not Outcome.CANCELLED]
    assert {(record.outcome, record.retried) for record in done} == {(Outcome.OK, False)}
    opened = sum(worker.opened for worker in observation.workers)
    assert len(server.requests) <= server.connections
    assert len(done) <= opened <= server.connections  # the end of the window cuts some off while they open


@pytest.mark.parametrize("then", ["close", "reset"])
def test_a_kept_connection_that_is_dead_is_replaced_once(measured: Measured, transport: str, then: str) -> None:
    def answer(request: Request) -> Script:
        is_second = request.number == 1
        return Script([], then) if is_second else stream(3, 0, 0)  # type: ignore[arg-type]

    with ScriptedServer(answer) as server:
        first, second = measured(window(endpoint(server.url, transport=transport), requests=2, warmup=0))
        assert server.connections == 2
    assert [(r.outcome, r.retried) for r in (first, second)] == [(Outcome.OK, False), (Outcome.OK, True)]
    assert second.connect_ns > 0


@pytest.mark.parametrize("then", ["close", "reset"])
def test_a_fresh_connection_that_dies_is_an_error(measured: Measured, transport: str, then: str) -> None:
    with ScriptedServer(lambda request: Script([], then)) as server:  # type: ignore[arg-type]
        (record,) = measured(window(endpoint(server.url, transport=transport), requests=1, warmup=0))
    assert (record.outcome, record.error_type, record.retried) == (Outcome.CONNECT_ERROR, "CONNECTION_ERROR", False)


@pytest.mark.parametrize(
    ("data", "first_error", "taken_for"),
    [
        pytest.param(
            head() + BODY + b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", None, "HTTP_500", id="another answer"
        ),
        pytest.param(
            head(extra=f"Content-Length: {len(TEXTS[0])}\r\n") + UNENDED,
            "TRUNCATED",
            "HTTP_PARSE_ERROR",
            id="a length shorter than the body",
        ),
    ],
)
def test_bytes_behind_an_answer_belong_to_nobody(
    measured: Measured, transport: str, data: bytes, first_error: str | None, taken_for: str
) -> None:
    """They come in one read with the end of the answer: the connection is of no use any more.

    httpx takes them for the answer to the next request, since h11 keeps what it has read and tells nobody of it.
    """
    with ScriptedServer(lambda request: _framed(data) if request.number == 0 else stream(3, 0, 0)) as server:
        first, second = measured(window(endpoint(server.url, transport=transport), requests=2, warmup=0))
        if transport == "fast":
            assert server.connections >= 2
    assert (first.error_type, second.error_type) == (first_error, None if transport == "fast" else taken_for)


def _refused(url: str, transport: str) -> list[RequestRecord]:
    """Two requests after each other, each larger than all the buffers on its way."""

    async def send() -> list[RequestRecord]:
        sender = sender_for(endpoint(url, transport=transport, first_token_timeout_s=1.5))
        job = replace(JOB, body=b" " * 24_000_000)
        records = [await sender.send(job, 0), await sender.send(job, 0)]
        await sender.close()
        return records

    return asyncio.run(send())


def test_an_answer_may_come_before_the_request_is_fully_written(transport: str) -> None:
    refusal = whole("413 Content Too Large", {"error": "too long"})
    with ScriptedServer(lambda request: refusal, reads="heads first") as server:
        records = _refused(server.url, transport)
        assert {request.length for request in server.requests} == {24_000_000}
    assert {(record.outcome, record.error_type) for record in records} == {(Outcome.HTTP_ERROR, "HTTP_413")}


def test_an_answer_may_come_although_the_request_is_never_read(transport: str) -> None:
    """httpx reads nothing before it has written everything, and so waits for its own deadline."""
    refusal = replace(whole("413 Content Too Large", {"error": "too long"}), then="stall")
    with ScriptedServer(lambda request: refusal, reads="heads only") as server:
        records = _refused(server.url, transport)
        assert server.connections == 2  # one that still holds a part of a request carries no other
    expected = "HTTP_413" if transport == "fast" else "TIMEOUT_FIRST_TOKEN"
    assert {record.error_type for record in records} == {expected}


def test_cancelling_hangs_up(transport: str) -> None:
    async def cancelled(sender: Sender) -> RequestRecord:
        sending = asyncio.create_task(sender.send(JOB, 0))
        while not (sender.in_flight and any(answer.event_ns for answer in sender.in_flight)):
            await asyncio.sleep(0.001)
        sending.cancel()
        record = await sending
        assert not sender.in_flight
        assert await asyncio.to_thread(hung_up.wait, 5)
        await sender.close()
        return record

    hung_up = threading.Event()

    def endless() -> Iterator[Piece]:
        yield Piece(0, head())
        try:
            while True:
                yield Piece(0.001, chunk(delta(" a")))
        finally:
            hung_up.set()

    with ScriptedServer(lambda request: Script(endless())) as server:
        record = asyncio.run(cancelled(sender_for(endpoint(server.url, transport=transport))))
    assert (record.outcome, record.error_type, record.http_status) == (Outcome.CANCELLED, "CANCELLED", 200)


# ---------------------------------------------------------------- limits, theirs and ours


def _much(of: bytes, megabytes: int) -> Iterator[Piece]:
    for _ in range(megabytes):
        yield Piece(0, of * (1024 * 1024 // len(of)))


TOO_LARGE = {
    "an event without an end": (lambda: [Piece(0, head(extra="")), *_much(b"data: x", 200)], "ANSWER_TOO_LARGE", 32),
    "a chunk of 2 GB": (lambda: [Piece(0, head() + b"7fffffff\r\ndata: "), *_much(b"x", 200)], "ANSWER_TOO_LARGE", 32),
    "JSON of 3 GB": (
        lambda: [
            Piece(0, head("200 OK", "application/json", "Content-Length: 3000000000\r\n") + b'{"a": "'),
            *_much(b"x", 200),
        ],
        "ANSWER_TOO_LARGE",
        160,
    ),
    "an error of 200 MB": (
        lambda: [
            Piece(0, head("500 Oops", "application/json", f"Content-Length: {200 * 1024 * 1024}\r\n")),
            *_much(b"x", 200),
        ],
        "HTTP_500",
        32,
    ),
    "comments without an end": (
        lambda: [Piece(0, head(extra="")), *_much(b": nothing" * 100 + b"\n\n", 100)],
        "TRUNCATED",
        32,
    ),
}


@pytest.mark.parametrize(
    ("pieces", "error_type", "megabytes"), [pytest.param(*case, id=name) for name, case in TOO_LARGE.items()]
)
def test_an_answer_larger_than_memory_allows_ends_in_a_record(
    transport: str, pieces: Callable[[], Iterable[Piece]], error_type: str, megabytes: int
) -> None:
    """`megabytes` is how much the worker may grow by it, at most; what the server would send is more."""

    def answer(request: Request) -> Script:
        return stream(3, 0, 0) if request.number < 2 else Script(pieces(), "close")

    with ScriptedServer(answer) as server, Pool(1) as pool:
        target = endpoint(server.url, transport=transport)

        def observe(requests: int) -> tuple[RequestRecord, ...]:
            asked = window(target, requests=requests, warmup=0)
            records = pool.observe(asked, on_progress=lambda progress: None, stop=threading.Event()).records
            return tuple(record for record in records if record.phase is Phase.MEASURED)

        while len(server.requests) < 2:
            observe(1)
        before = _peak_bytes(pool.pids[0])
        (record,) = observe(1)
        grown = _peak_bytes(pool.pids[0]) - before
    assert record.error_type == error_type
    assert grown < megabytes * 1e6


def _peak_bytes(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def test_our_own_limit_of_open_files_is_named(transport: str) -> None:
    with ScriptedServer(lambda request: stream(3, 0.1, 0)) as server, Pool(1) as pool:
        target = endpoint(server.url, transport=transport)

        def observe(concurrency: int) -> Observation:
            asked = window(target, concurrency=concurrency, requests=40, warmup=0)
            return pool.observe(asked, on_progress=lambda progress: None, stop=threading.Event())

        observe(1)  # whatever a worker opens once, it has opened now
        limit = sum(1 for _ in Path(f"/proc/{pool.pids[0]}/fd").iterdir()) + 4
        resource.prlimit(pool.pids[0], resource.RLIMIT_NOFILE, (limit, limit))
        records = observe(20).records
    errors = {(record.outcome, record.error_type) for record in records if record.phase is Phase.MEASURED}
    assert errors >= {(Outcome.CONNECT_ERROR, "CLIENT_OUT_OF_FILES"), (Outcome.OK, None)}
    assert {error for _, error in errors} <= {"CLIENT_OUT_OF_FILES", None}
