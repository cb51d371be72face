"""One request for an answer, from its arrival to its end: tokens become writes, faults happen, the truth is noted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from llmload.simulator.answers import word_index
from llmload.simulator.connection import Connection, head
from llmload.simulator.faults import Fault, token_of
from llmload.simulator.protocol import Answer, Api, Asked, Stream
from llmload.simulator.replicas import Replica
from llmload.simulator.truth import Fate, RequestTruth

FAULT_MESSAGE = "a simulated fault"
_IN_THE_ANSWER = (Fault.DISCONNECT, Fault.STALL, Fault.MALFORMED, Fault.STREAM_ERROR)
_FATES = {Fault.MALFORMED: Fate.MALFORMED, Fault.STREAM_ERROR: Fate.FAILED}


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of an exchange before its first token. `depth` (0..1) is how far into the answer a fault waits."""

    api: Api
    asked: Asked
    answer: Answer
    fault: Fault | None
    depth: float
    request_id: str | None
    body_hash: str
    arrived_ns: int
    keep_alive: bool


OnEnd = Callable[["Exchange", Fate], None]


class Exchange:
    """Listens to its generation and writes to its connection; `on_end` is called exactly once."""

    def __init__(self, told: Told, connection: Connection, on_end: OnEnd) -> None:
        self.told, self.generation = told, told.answer.generation
        self._connection, self._on_end = connection, on_end
        self._replica: Replica | None = None
        self._first_ns: int | None = None
        self._last_ns: int | None = None
        self._sent_tokens = 0
        self._is_silent = self._has_ended = False
        self._stream = None if told.asked.stream is None else told.asked.stream(told.answer)
        output_tokens, self._digest = self.generation.output_tokens, told.answer.digest
        self._fault_at = token_of(told.depth, output_tokens) if told.fault in _IN_THE_ANSWER else 0
        self._last = max(1, output_tokens)  # every token strictly between the first and this one is sent by itself
        connection.reply = self

    # ------------------------------------------------------------ what happens to it

    def begin(self, replica: Replica) -> None:
        """Join a replica's queue, unless the client has left meanwhile."""
        if not self._has_ended:
            self._replica = replica
            replica.submit(self.generation, self)

    def emit(self) -> None:
        """One more token: write it, with whatever goes before and after it, in one piece."""
        made = self.generation.generated
        if made == self._fault_at:
            self._misbehave(made)
        elif self._is_silent:
            if made >= self._last:
                self._end(Fate.STALLED)
        elif self._stream is None:
            if made >= self._last:
                self._send_page(made)
        elif 1 < made < self._last:
            self._sent_tokens = made
            self._connection.send(self._stream.token(word_index(self._digest, made - 1)))
        else:
            self._send_token(self._stream, made)

    def client_left(self) -> None:
        """The connection is gone before the answer was complete."""
        self._end(Fate.STALLED if self._is_silent else Fate.CANCELLED)

    def cut(self) -> None:
        """The server restarts."""
        self._end(Fate.RESTARTED)
        self._connection.cut()

    def truth(self, fate: Fate) -> RequestTruth:
        """What happened, for the ledger."""
        generation, told = self.generation, self.told
        admitted_ns = generation.admitted_ns
        return RequestTruth(
            request_id=told.request_id,
            body_hash=told.body_hash,
            outcome=fate.value,
            fault=told.fault.value if told.fault else None,
            status=200,
            replica=self._replica.number if self._replica else None,
            arrival_ns=told.arrived_ns,
            queue_ns=None if admitted_ns is None else admitted_ns - told.arrived_ns,
            first_token_ns=self._first_ns,
            last_token_ns=self._last_ns,
            prompt_tokens=generation.prompt_tokens,
            cached_tokens=generation.cached_tokens,
            output_tokens=min(self._sent_tokens, generation.output_tokens),
        )

    # ------------------------------------------------------------ writing

    def _send_token(self, stream: Stream, made: int, broken_event: bytes = b"") -> None:
        """The first token, the last, and any with a broken event before it."""
        word, is_last = word_index(self._digest, made - 1), made >= self._last
        opening = stream.opening(keep_alive=self.told.keep_alive) if made == 1 else b""
        self._write(opening + broken_event + (stream.ending(word) if is_last else stream.token(word)), made)
        if is_last:
            self._complete()

    def _send_page(self, made: int) -> None:
        page = self.told.asked.page(self.told.answer)
        body = page.body[: len(page.body) // 2] if self.told.fault is Fault.MALFORMED else page.body
        self._write(head(page.status, page.content_type, len(body), keep_alive=self.told.keep_alive) + body, made)
        self._complete()

    def _write(self, data: bytes, made: int) -> None:
        """Stamp, then send: the client cannot have read it before."""
        self._last_ns = time.monotonic_ns()
        if self._first_ns is None:
            self._first_ns = self._last_ns
        self._sent_tokens = made
        self._connection.send(data)

    # ------------------------------------------------------------ faults and the end

    def _misbehave(self, made: int) -> None:
        """The fault's moment has come; an answer in one piece is malformed only when it is sent."""
        self._fault_at = 0
        stream, fault = self._stream, self.told.fault
        if fault is Fault.STREAM_ERROR:
            self._fail(made)
        elif fault is not Fault.MALFORMED:
            self._break_off(made)
        elif stream is not None:
            self._send_token(stream, made, stream.malformed())
        else:
            self.emit()

    def _fail(self, made: int) -> None:
        """Say, within an answer of status 200, that it cannot be completed."""
        if self._stream is None:
            page = self.told.api.failure(200, FAULT_MESSAGE)
            page_head = head(200, page.content_type, len(page.body), keep_alive=self.told.keep_alive)
            self._connection.send(page_head + page.body)
        else:
            self._write(self._begun(self._stream, made) + self._stream.failure(FAULT_MESSAGE), made)
        self._complete()

    def _break_off(self, made: int) -> None:
        """Send what there is, then close (disconnect) or say nothing more (stall)."""
        if self._stream is None:
            page = self.told.asked.page(self.told.answer)
            self._connection.send(head(200, page.content_type, len(page.body)) + page.body[: len(page.body) // 2])
        else:
            self._write(self._begun(self._stream, made), made)
        if self.told.fault is Fault.DISCONNECT:
            self._connection.hang_up()
            self._end(Fate.DISCONNECTED)
        else:
            self._is_silent = True
            if made >= self._last:
                self._end(Fate.STALLED)

    def _begun(self, stream: Stream, made: int) -> bytes:
        """A token after which the answer goes on, though it may be the last."""
        opening = stream.opening(keep_alive=self.told.keep_alive) if made == 1 else b""
        return opening + stream.token(word_index(self._digest, made - 1))

    def _complete(self) -> None:
        self._end(Fate.OK if self.told.fault is None else _FATES.get(self.told.fault, Fate.OK))
        self._connection.finish()

    def _end(self, fate: Fate) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        if self._replica is not None:
            self._replica.cancel(self.generation)
        self._on_end(self, fate)
