"""What the bytes of one answer mean, whichever transport brings them: instants, text, counts, and how it ended.

A transport sets `stamp` to the instant of a read, then says what came in it: `start_body`, `read` for each piece,
`finish` for the end of the body, or `lose` where the connection ended before it. After `is_over`, nothing matters.
"""

from __future__ import annotations

import asyncio
from array import array
from dataclasses import dataclass

from llmload.domain import Outcome
from llmload.frameworks.adapter import Dialect, Event, Usage
from llmload.frameworks.error_body import error_message
from llmload.load.ndjson import LineCutter
from llmload.load.sse import Cutter, EventTooLargeError
from llmload.load.stencil import Stencil
from llmload.load.transport import now_ns

MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024
DONE_GRACE_S = 1.0
_REASONING, _ANSWER, _CALL = 1, 2, 4  # bits: an event may be of several kinds
_NOTHING_ELSE = Event()[2:]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request did not end well: the outcome, its finer type, and words for a person."""

    outcome: Outcome
    error_type: str
    text: str


class TooLargeError(ValueError):
    """The head or the body is larger than any honest server sends."""


class Answer:
    """The answer to one request. `ended` resolves when it is over; what came is in the attributes.

    No method raises for what a server did: that is a `failure`. `is_streamed` is what was asked for, until a transport
    learns from the head that the answer is one document. `event_ns` and `texts` have one entry per event with text;
    `shared` counts those that came in one read with an earlier one. `kinds` says of which kind texts are, from a place
    in `texts` on: nothing is noted for an event of the same kind as the one before.
    """

    __slots__ = (
        "_body",
        "_body_bytes",
        "_cutter",
        "_deadlines",
        "_dialect",
        "_has_events",
        "_is_streaming",
        "_kind",
        "_loop",
        "_mixed",
        "_read_event",
        "_timer",
        "answer_ns",
        "call_ns",
        "done_ns",
        "ended",
        "event_ns",
        "failure",
        "finish_reason",
        "is_last_seen",
        "is_over",
        "is_streamed",
        "is_unanswered",
        "kinds",
        "sent_ns",
        "shared",
        "stamp",
        "status",
        "stencil",
        "texts",
        "unforeseen",
        "usage",
    )

    def __init__(self, dialect: Dialect, first_token_s: float | None, total_s: float) -> None:
        self._dialect = dialect
        self._deadlines = (first_token_s, total_s)
        self._timer: asyncio.TimerHandle | None = None
        self._read_event = dialect.reader()
        self._cutter = Cutter() if dialect.framing == "sse" else LineCutter()
        self.stencil = Stencil()
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._has_events = self._is_streaming = False
        self._loop = asyncio.get_running_loop()  # asked once: it costs a system call
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self.stamp = self.sent_ns = self.done_ns = self.status = 0
        self.event_ns = array("q")
        self.texts: list[str] = []
        self.shared = 0
        self._kind = 0
        self.kinds: list[tuple[int, int]] = []
        self._mixed: dict[int, str] = {}  # answers in events that are of other kinds as well, by their place
        self.answer_ns: int | None = None
        self.call_ns: int | None = None
        self.usage: Usage | None = None
        self.finish_reason: str | None = None
        self.failure: Failure | None = None
        self.unforeseen: Exception | None = None
        self.is_streamed = first_token_s is not None
        self.is_last_seen = self.is_over = False
        self.is_unanswered = True

    # ------------------------------------------------------------ told by the transport

    def start_clock(self) -> None:
        """The request is about to go out on a ready connection: from here on the deadlines run."""
        first_s, total_s = self._deadlines
        self._arm(total_s if first_s is None else min(first_s, total_s))
        self.sent_ns = now_ns()

    def start_body(self, status: int) -> None:
        """The head of the answer has come."""
        self.status = status
        self.is_unanswered = False
        self._is_streaming = self.is_streamed and status < 300

    def read(self, piece: bytes) -> None:
        """A piece of the body: the hot path, so no calls but those that do the work (tests/bench)."""
        if not self._is_streaming:
            self._keep(piece)
            return
        if not self._cutter.held and (text := self.stencil.text_in(piece)):
            self._stamp_event()
            self.texts.append(text)
            return
        try:
            for payload in self._cutter.feed(piece):
                self._note(self._read_event(payload), piece)
                if self.is_over or self.is_last_seen:
                    return
        except EventTooLargeError as too_large:
            self.break_off(too_large)
        except ValueError as unreadable:
            self._fail_to_read(unreadable)

    def finish(self) -> None:
        """The whole answer is here: what was it?"""
        if self.is_over:
            return
        if self.status >= 300:
            text = error_message(b"".join(self._body)) or "the server gave no reason"
            self.failure = Failure(Outcome.HTTP_ERROR, f"HTTP_{self.status}", text)
        elif not self.is_streamed:
            self._read_whole(b"".join(self._body))
        elif (missing := self._missing_end()) is not None:
            self.failure = Failure(Outcome.TRUNCATED, "TRUNCATED", missing)
        self._end()

    def _missing_end(self) -> str | None:
        """What says that a stream whose body has ended was not done; None where it was, as far as can be told."""
        if self.finish_reason is not None or self.is_last_seen:
            return None
        if not self._has_events:
            return "the stream ended without an event"
        if self._dialect.tells_finish:
            return "the stream ended without a finish reason"
        return "the stream ended in the middle of an event" if self._cutter.held else None

    def lose(self) -> None:
        """The connection ended before the body did."""
        self.stamp = now_ns()
        if self.is_unanswered:
            self.fail(Outcome.CONNECT_ERROR, "CONNECTION_ERROR", "the server closed the connection without an answer")
        elif self.is_last_seen or self.finish_reason is not None:
            self._end()
        else:
            self.fail(Outcome.TRUNCATED, "CONNECTION_ERROR", "the connection broke in the middle of the answer")

    def break_off(self, error: Exception) -> None:
        """Bytes came that cannot be read: more than we hold, or a defect of ours, which `unforeseen` keeps."""
        match error:
            case TooLargeError() | EventTooLargeError():
                self.fail(Outcome.PROTOCOL_ERROR, "ANSWER_TOO_LARGE", str(error))
            case _:
                self.unforeseen = error
                self.fail(Outcome.PROTOCOL_ERROR, f"UNEXPECTED:{type(error).__name__}", str(error))

    def cancel(self) -> None:
        """Our own doing: hang up now. No effect on an answer that is over."""
        self.stamp = now_ns()
        self.fail(Outcome.CANCELLED, "CANCELLED", "cancelled by us")

    def fail(self, outcome: Outcome, error_type: str, text: str) -> None:
        """It ends here, and not well; `stamp` is its end."""
        if not self.is_over:
            self.failure = Failure(outcome, error_type, text)
            self._end()

    @property
    def is_between_events(self) -> bool:
        """Whether the stream goes on, and what comes next in it is the beginning of an event."""
        return self._is_streaming and not self._cutter.held

    @property
    def text(self) -> str:
        """All the text that came, reasoning and answer in their order."""
        return "".join(self.texts)

    @property
    def characters(self) -> int:
        """Of all the text that came."""
        return sum(map(len, self.texts))

    @property
    def kind_counts(self) -> tuple[int, int, int]:
        """How many text events had reasoning, answer text and tool-call text; one that had several counts for each."""
        reasoning = answer = call = 0
        end = len(self.texts)
        for start, kind in reversed(self.kinds):
            reasoning += end - start if kind & _REASONING else 0
            answer += end - start if kind & _ANSWER else 0
            call += end - start if kind & _CALL else 0
            end = start
        return reasoning, answer, call

    @property
    def said(self) -> str:
        """The text of the answer alone, as the server sent it: no reasoning, no call of a tool."""
        parts: list[str] = []
        ends = [*(start for start, _ in self.kinds[1:]), len(self.texts)]
        for (start, kind), end in zip(self.kinds, ends, strict=False):  # without a text there are no kinds
            if kind == _ANSWER:
                parts += self.texts[start:end]
            elif kind & _ANSWER:
                parts += (self._mixed[place] for place in range(start, end))
        return "".join(parts)

    @property
    def reads(self) -> int:
        """Reads that carried text."""
        return len(self.event_ns) - self.shared

    # ------------------------------------------------------------ deadlines and the end

    def _arm(self, delay_s: float) -> None:
        self._timer = self._loop.call_later(delay_s, self._check_deadlines)

    def _check_deadlines(self) -> None:
        now = now_ns()
        first_s, total_s = self._deadlines
        waited_s = (now - self.sent_ns) / 1e9 + 0.001  # timers of the loop count whole milliseconds
        due_s = total_s if first_s is None or self.event_ns else min(first_s, total_s)
        if waited_s < due_s:
            self._arm(due_s - waited_s + 0.001)
        elif due_s == total_s:
            self._expire(now, "TIMEOUT_TOTAL", f"the answer was not complete after {total_s:g} s")
        else:
            self._expire(now, "TIMEOUT_FIRST_TOKEN", f"no text came within {first_s:g} s")

    def _expire(self, now: int, error_type: str, text: str) -> None:
        self.stamp = now
        self.fail(Outcome.TIMEOUT, error_type, text)

    def _end(self) -> None:
        """Nothing more is wanted."""
        if self.is_over:
            return
        self.is_over = True
        self._is_streaming = False
        self.done_ns = self.stamp
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.ended.done():  # it is when the task that waited for it was cancelled
            self.ended.set_result(None)

    # ------------------------------------------------------------ what it means

    def _stamp_event(self) -> None:
        if self.event_ns and self.event_ns[-1] == self.stamp:
            self.shared += 1
        self.event_ns.append(self.stamp)

    def _note(self, event: Event, piece: bytes) -> None:
        self._has_events = True
        if text := event.thought + event.answer + event.call:
            self._note_text(event, text)
            self._body_bytes += len(text)  # a server that heeds no max_tokens; comments are not kept
            if self._body_bytes > MAX_BODY_BYTES:
                self.break_off(_too_large())
                return
            is_one = text in (event.answer, event.thought)
            if is_one and event[2:] == _NOTHING_ELSE and self._dialect.memory is None:
                self.stencil.learn(piece, text)
        if event.usage is not None:
            self.usage = event.usage
        if event.finish_reason is not None:
            self.finish_reason = event.finish_reason
        if event.error is not None:
            self.fail(Outcome.STREAM_ERROR, "ERROR_IN_STREAM", event.error)
        elif event.is_last:
            self._note_last()

    def _note_text(self, event: Event, text: str) -> None:
        """The instant of an event with text, and of which kind it is, where that changes."""
        self._stamp_event()
        kind = (_REASONING if event.thought else 0) | (_ANSWER if event.answer else 0) | (_CALL if event.call else 0)
        if kind != self._kind:
            self._kind = kind
            self.kinds.append((len(self.texts), kind))
            self.stencil.forget()  # what it fits is of the kind before
            if event.answer and self.answer_ns is None:
                self.answer_ns = self.stamp
            if event.call and self.call_ns is None:
                self.call_ns = self.stamp
        if event.answer and event.answer != text:
            self._mixed[len(self.texts)] = event.answer
        self.texts.append(text)

    def _note_last(self) -> None:
        """`[DONE]`: the answer is whole. The end of the HTTP message belongs right behind it, but need not come."""
        self.is_last_seen = True
        self._is_streaming = False
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(DONE_GRACE_S, self._end)

    def _keep(self, piece: bytes) -> None:
        self._body_bytes += len(piece)
        if self.is_over or self.is_last_seen:
            return
        if self.status >= 300:
            if self._body_bytes <= MAX_ERROR_BYTES:
                self._body.append(piece)
        elif self._body_bytes > MAX_BODY_BYTES:
            self.break_off(_too_large())
        else:
            self._body.append(piece)

    def _read_whole(self, body: bytes) -> None:
        try:
            event = self._dialect.read_answer(body)
        except ValueError as error:
            self._fail_to_read(error)
            return
        if event.error is not None:
            self.failure = Failure(Outcome.STREAM_ERROR, "ERROR_IN_BODY", event.error)
            return
        self._note_text(event, event.thought + event.answer + event.call)
        self.usage, self.finish_reason = event.usage, event.finish_reason

    def _fail_to_read(self, error: ValueError) -> None:
        self.fail(Outcome.PROTOCOL_ERROR, "JSON_PARSE_ERROR", f"an event is not what the API promises: {error}")


def _too_large() -> TooLargeError:
    return TooLargeError(f"the answer has more than {MAX_BODY_BYTES} bytes")
