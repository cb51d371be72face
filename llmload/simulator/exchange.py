"""One request for an answer, from its arrival to its end: tokens become writes, faults happen, the truth is noted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from llmload.simulator.answers import answer_text, word_index
from llmload.simulator.connection import Connection, head
from llmload.simulator.engine import Generation
from llmload.simulator.faults import Fault, token_of
from llmload.simulator.openai import Asked
from llmload.simulator.replicas import Replica
from llmload.simulator.truth import Fate, RequestTruth
from llmload.simulator.wire import DONE, END_OF_CHUNKS, Count, Finish, StreamWire, whole_answer

_IN_THE_ANSWER = (Fault.DISCONNECT, Fault.STALL, Fault.MALFORMED)


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of an exchange before its first token. `depth` (0..1) is how far into the answer a fault waits."""

    asked: Asked
    answer_id: str
    created: int
    model: str
    digest: int
    finish: Finish
    fault: Fault | None
    depth: float
    request_id: str | None
    body_hash: str
    arrived_ns: int
    keep_alive: bool
    tells_cached: bool


OnEnd = Callable[["Exchange", Fate], None]


class Exchange:
    """Listens to its generation and writes to its connection; `on_end` is called exactly once."""

    def __init__(self, told: Told, connection: Connection, generation: Generation, on_end: OnEnd) -> None:
        self.told, self.generation = told, generation
        self._connection, self._on_end = connection, on_end
        self._replica: Replica | None = None
        self._first_ns: int | None = None
        self._last_ns: int | None = None
        self._sent_tokens = 0
        self._is_silent = self._has_ended = False
        self._wire = StreamWire(told.asked.api, told.answer_id, told.created, told.model) if told.asked.stream else None
        self._fault_at = token_of(told.depth, generation.output_tokens) if told.fault in _IN_THE_ANSWER else 0
        # every token strictly between these two is a plain chunk, made by one addition
        self._plain_until = 0 if told.asked.continuous_usage else generation.output_tokens
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
            if made >= self.generation.output_tokens:
                self._end(Fate.STALLED)
        elif self._wire is None:
            if made >= self.generation.output_tokens:
                self._send_whole()
        elif 1 < made < self._plain_until:
            self._sent_tokens = made
            self._connection.send(self._wire.token(word_index(self.told.digest, made - 1)))
        else:
            self._send_token(self._wire, made)

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
            output_tokens=self._sent_tokens,
        )

    # ------------------------------------------------------------ writing

    def _send_token(self, wire: StreamWire, made: int, broken_event: bytes = b"") -> None:
        """The first token, the last, and any with more to tell than a word."""
        asked, is_last = self.told.asked, made >= self.generation.output_tokens
        pieces = [wire.opening(keep_alive=self.told.keep_alive)] if made == 1 else []
        pieces += (
            broken_event,
            wire.full_token(
                word_index(self.told.digest, made - 1),
                self.told.finish if is_last else None,
                self._count(made) if asked.continuous_usage else None,
            ),
        )
        if is_last:
            pieces += (wire.usage(self._count(made)) if asked.include_usage else b"", DONE, END_OF_CHUNKS)
        self._write(b"".join(pieces), made)
        if is_last:
            self._complete()

    def _send_whole(self) -> None:
        told, made = self.told, self.generation.generated
        text, count = answer_text(told.digest, made), self._count(made)
        body = whole_answer(told.answer_id, told.created, told.model, told.asked.api, text, told.finish, count)
        if told.fault is Fault.MALFORMED:
            body = body[: len(body) // 2]
        self._write(head(200, "application/json", len(body), keep_alive=told.keep_alive) + body, made)
        self._complete()

    def _write(self, data: bytes, made: int) -> None:
        """Stamp, then send: the client cannot have read it before."""
        self._last_ns = time.monotonic_ns()
        if self._first_ns is None:
            self._first_ns = self._last_ns
        self._sent_tokens = made
        self._connection.send(data)

    def _count(self, made: int) -> Count:
        cached = self.generation.cached_tokens if self.told.tells_cached else None
        return Count(self.generation.prompt_tokens, made, cached)

    # ------------------------------------------------------------ faults and the end

    def _misbehave(self, made: int) -> None:
        """The fault's moment has come; a whole answer in one piece is malformed only when it is sent."""
        self._fault_at = 0
        if self.told.fault is not Fault.MALFORMED:
            self._break_off(made)
        elif self._wire is not None:
            self._send_token(self._wire, made, self._wire.malformed())
        else:
            self.emit()

    def _break_off(self, made: int) -> None:
        """Send what there is, then close (disconnect) or say nothing more (stall)."""
        if self._wire is None:
            self._connection.send(head(200, "application/json", 512) + b'{"id":"' + self.told.answer_id.encode())
        else:
            opening = self._wire.opening(keep_alive=True) if made == 1 else b""
            self._write(opening + self._wire.token(word_index(self.told.digest, made - 1)), made)
        if self.told.fault is Fault.DISCONNECT:
            self._connection.hang_up()
            self._end(Fate.DISCONNECTED)
        else:
            self._is_silent = True
            if made >= self.generation.output_tokens:
                self._end(Fate.STALLED)

    def _complete(self) -> None:
        self._end(Fate.MALFORMED if self.told.fault is Fault.MALFORMED else Fate.OK)
        self._connection.finish()

    def _end(self, fate: Fate) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        if self._replica is not None:
            self._replica.cancel(self.generation)
        self._on_end(self, fate)
