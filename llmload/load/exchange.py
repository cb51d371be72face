"""One answer, read as it comes: HTTP callbacks in, instants and meaning out.

This and `transport.Connection.data_received` are the only frames of ours between a socket and a stamp.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO

import httptools

from llmload.domain import Outcome
from llmload.frameworks.adapter import Dialect, Event, Usage
from llmload.frameworks.error_body import error_message
from llmload.load.sse import Cutter, EventTooLargeError
from llmload.load.stencil import Stencil
from llmload.load.transport import Connection, now_ns

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024
DONE_GRACE_S = 1.0
_PLAIN = Event()[1:]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request did not end well: the outcome, its finer type, and words for a person."""

    outcome: Outcome
    error_type: str
    text: str


class TooLargeError(ValueError):
    """The head or the body is larger than any honest server sends."""


class Exchange:
    """The answer to one request. `ended` resolves when it is over; what came is in the attributes.

    The parser calls the `on_...` methods. None of them may raise for what a server did: that is a `failure`.
    """

    __slots__ = (
        "_append",
        "_body",
        "_body_bytes",
        "_connection",
        "_cutter",
        "_deadlines",
        "_dialect",
        "_has_length",
        "_head_bytes",
        "_is_head_done",
        "_is_streaming",
        "_parser",
        "_stencil",
        "_text_in",
        "_timer",
        "_write",
        "answer_ns",
        "done_ns",
        "ended",
        "event_ns",
        "failure",
        "feed",
        "finish_reason",
        "is_last_seen",
        "is_over",
        "is_reusable",
        "is_streamed",
        "is_unanswered",
        "sent_ns",
        "stamp",
        "status",
        "text",
        "unforeseen",
        "usage",
        "was_lost",
    )

    def __init__(self, dialect: Dialect, first_token_s: float | None, total_s: float) -> None:
        self._dialect = dialect
        self._deadlines = (first_token_s, total_s)
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._connection: Connection | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._cutter, self._stencil = Cutter(), Stencil()
        self._text_in = self._stencil.text_in
        self._body: list[bytes] = []
        self._body_bytes = self._head_bytes = 0
        self._has_length = self._is_head_done = False
        self._is_streaming = False
        self.feed: Callable[[bytes], None] = self._feed_head
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.stamp = self.sent_ns = self.done_ns = self.status = 0
        self.event_ns = array("q")
        self.text = StringIO()
        self._append, self._write = self.event_ns.append, self.text.write
        self.answer_ns: int | None = None
        self.usage: Usage | None = None
        self.finish_reason: str | None = None
        self.failure: Failure | None = None
        self.unforeseen: Exception | None = None
        self.is_streamed = first_token_s is not None
        self.is_last_seen = self.is_reusable = self.is_over = False
        self.is_unanswered = True
        self.was_lost = False

    # ------------------------------------------------------------ the life of an exchange

    def begin(self, connection: Connection, request: bytes) -> None:
        """Send `request`; from here on the deadlines run."""
        self._connection = connection
        self.sent_ns = now_ns()
        connection.send(request, self)
        first_s, total_s = self._deadlines
        if not self.is_over:  # it is where the connection was lost already
            self._arm(total_s if first_s is None else min(first_s, total_s))

    def lose(self) -> None:
        """The connection ended before the answer did, unless the end of the connection is the end of the body."""
        self.stamp = now_ns()
        self.was_lost = True
        if self.is_unanswered:
            self._fail(Outcome.CONNECT_ERROR, "CONNECTION_ERROR", "the server closed the connection without an answer")
        elif self._is_head_done and (self.status >= 300 or not self._has_length):
            self._conclude()
        elif self.is_last_seen or self.finish_reason is not None:
            self._end()
        else:
            self._fail(Outcome.TRUNCATED, "CONNECTION_ERROR", "the connection broke in the middle of the answer")

    def break_off(self, error: Exception) -> None:
        """Bytes came that cannot be read: a broken protocol, or a defect of ours, which `unforeseen` keeps."""
        if isinstance(error, httptools.HttpParserCallbackError) and isinstance(error.__context__, Exception):
            error = error.__context__
        match error:
            case TooLargeError() | EventTooLargeError():
                self._fail(Outcome.PROTOCOL_ERROR, "ANSWER_TOO_LARGE", str(error))
            case httptools.HttpParserError() | httptools.HttpParserUpgrade():
                self._fail(Outcome.PROTOCOL_ERROR, "HTTP_PARSE_ERROR", f"not HTTP as we know it: {error}")
            case _:
                self.unforeseen = error
                self._fail(Outcome.PROTOCOL_ERROR, f"UNEXPECTED:{type(error).__name__}", str(error))

    def cancel(self) -> None:
        """Our own doing: hang up now."""
        self.stamp = now_ns()
        self._fail(Outcome.CANCELLED, "CANCELLED", "cancelled by us")

    def _arm(self, delay_s: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._check_deadlines)

    def _check_deadlines(self) -> None:
        now = now_ns()
        first_s, total_s = self._deadlines
        waited_s = (now - self.sent_ns) / 1e9 + 0.001  # timers of the loop count whole milliseconds
        if waited_s >= total_s:
            self._expire(now, "TIMEOUT_TOTAL", f"the answer was not complete after {total_s:g} s")
        elif first_s is not None and not self.event_ns and waited_s >= first_s:
            self._expire(now, "TIMEOUT_FIRST_TOKEN", f"no text came within {first_s:g} s")
        else:
            self._arm(total_s - waited_s + 0.001)

    def _expire(self, now: int, error_type: str, text: str) -> None:
        self.stamp = now
        self._fail(Outcome.TIMEOUT, error_type, text)

    def _fail(self, outcome: Outcome, error_type: str, text: str) -> None:
        if not self.is_over:
            self.failure = Failure(outcome, error_type, text)
            self.is_reusable = False
            self._end()

    def _end(self) -> None:
        """Nothing more is wanted. Breaks the cycle with the parser, since nobody collects garbage in a window."""
        if self.is_over:
            return
        self.is_over = True
        self._is_streaming = False
        self.done_ns = self.stamp
        self._parser = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.receiver = None
            if not self.is_reusable:
                connection.close()
        self.feed = _ignore
        if not self.ended.done():  # it is when the task that waited for it was cancelled
            self.ended.set_result(None)

    # ------------------------------------------------------------ called by the parser

    def _feed_head(self, data: bytes) -> None:
        self.is_unanswered = False
        self._head_bytes += len(data)
        parser = self._parser
        if parser is None:
            return
        parser.feed_data(data)
        if self._is_head_done and self._parser is not None:
            self.feed = parser.feed_data  # from now on straight into C
        elif not self._is_head_done and self._head_bytes > MAX_HEAD_BYTES:
            raise TooLargeError(f"the head of the answer has more than {MAX_HEAD_BYTES} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Three fields matter: whether the body has an end of its own, its type, and its coding."""
        match name.lower():
            case b"content-length" | b"transfer-encoding":
                self._has_length = True
            case b"content-type" if value.strip().lower().startswith(b"application/json"):
                self.is_streamed = False
            case b"content-encoding" if value.strip().lower() not in (b"", b"identity"):
                self._fail(Outcome.PROTOCOL_ERROR, "CONTENT_ENCODING", "the server compressed an answer unasked")

    def on_headers_complete(self) -> None:
        """The status is known."""
        if self._parser is not None:
            self.status = self._parser.get_status_code()
            self._is_head_done = not 100 <= self.status < 200
            self._is_streaming = self._is_head_done and self.is_streamed and self.status < 300

    def on_body(self, chunk: bytes) -> None:
        """A piece of the body: the hot path, so no calls but those that do the work (tests/bench)."""
        if not self._is_streaming:
            self._keep(chunk)
            return
        if not self._cutter.held and (text := self._text_in(chunk)):
            self._append(self.stamp)
            self._write(text)
            return
        try:
            for payload in self._cutter.feed(chunk):
                self._note(self._dialect.read_event(payload), chunk)
                if self.is_over or self.is_last_seen:
                    return
        except EventTooLargeError as too_large:
            self.break_off(too_large)
        except ValueError as unreadable:
            self._fail_to_read(unreadable)

    def on_message_complete(self) -> None:
        """The end of the body, or of an interim 1xx answer, which says nothing."""
        if self._parser is None:
            return
        if not self._is_head_done:
            self._head_bytes = 0
            return
        self.is_reusable = self._parser.should_keep_alive()
        self._conclude()

    def on_message_begin(self) -> None:
        """A second answer to one request: nobody can tell whose the next bytes are."""
        if self.is_over:
            self.is_reusable = False

    # ------------------------------------------------------------ what it means

    def _note(self, event: Event, chunk: bytes) -> None:
        if event.answer:
            self._append(self.stamp)
            if self.answer_ns is None:
                self.answer_ns = self.stamp
            if event == (event.answer, *_PLAIN):
                self._stencil.learn(chunk, event.answer)
        elif event.thought:
            self._append(self.stamp)
        self._write(event.thought + event.answer)
        if event.usage is not None:
            self.usage = event.usage
        if event.finish_reason is not None:
            self.finish_reason = event.finish_reason
        if event.error is not None:
            self._fail(Outcome.STREAM_ERROR, "ERROR_IN_STREAM", event.error)
        elif event.is_last:
            self._note_last()

    def _note_last(self) -> None:
        """`[DONE]`: the answer is whole. The end of the HTTP message belongs right behind it, but need not come."""
        self.is_last_seen = True
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(DONE_GRACE_S, self._end)

    def _keep(self, chunk: bytes) -> None:
        self._body_bytes += len(chunk)
        if self.is_over:
            return
        if self.status >= 300:
            if self._body_bytes <= MAX_ERROR_BYTES:
                self._body.append(chunk)
        elif self._body_bytes > MAX_BODY_BYTES:
            self.break_off(TooLargeError(f"the answer has more than {MAX_BODY_BYTES} bytes"))
        else:
            self._body.append(chunk)

    def _conclude(self) -> None:
        """The whole answer is here: what was it?"""
        if self.status >= 300:
            text = error_message(b"".join(self._body)) or "the server gave no reason"
            self.failure = Failure(Outcome.HTTP_ERROR, f"HTTP_{self.status}", text)
        elif not self.is_streamed:
            self._read_whole(b"".join(self._body))
        elif self._dialect.tells_finish and self.finish_reason is None and not self.is_last_seen:
            text = "the stream ended without a finish reason"
            self.failure = Failure(Outcome.TRUNCATED, "TRUNCATED", text)
        self._end()

    def _read_whole(self, body: bytes) -> None:
        try:
            event = self._dialect.read_answer(body)
        except ValueError as error:
            self._fail_to_read(error)
            return
        if event.error is not None:
            self.failure = Failure(Outcome.STREAM_ERROR, "ERROR_IN_BODY", event.error)
            return
        self._append(self.stamp)
        self.answer_ns = self.stamp
        self._write(event.answer + event.thought)
        self.usage, self.finish_reason = event.usage, event.finish_reason

    def _fail_to_read(self, error: ValueError) -> None:
        self._fail(Outcome.PROTOCOL_ERROR, "JSON_PARSE_ERROR", f"an event is not what the API promises: {error}")


def _ignore(_data: bytes) -> None:
    """Bytes behind the end of an answer."""
