"""A request on its way, and the seam between those who send requests and the transports that carry them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from llmload.domain import Phase
from llmload.load.answer import Answer, Failure
from llmload.planned import NO_PART, Part

DEAD_SHOWS_WITHIN_NS = 500_000_000
"""How soon a dead kept-alive connection shows: a round trip to the other side of the world, and some."""


@dataclass(frozen=True, slots=True)
class Job:
    """One request, ready to be sent, and what its record must say of it."""

    seq: int
    look: int
    phase: Phase
    body: bytes
    input_tokens: int | None
    output_tokens: int
    keeps_text: bool
    part: Part = NO_PART


@dataclass(slots=True)
class Attempt:
    """What is known of a job while it runs. `answer` is None until a connection is ready to take the request."""

    job: Job
    due_ns: int
    connect_ns: int = 0
    retried: bool = False
    answer: Answer | None = None
    failure: Failure | None = None


class Transport(Protocol):
    """Who speaks HTTP to one endpoint. `in_flight` are the answers going on now, `opened` counts connections."""

    @property
    def in_flight(self) -> Collection[Answer]: ...

    @property
    def opened(self) -> int: ...

    async def open(self, count: int) -> None:
        """Open `count` connections ahead of the requests, where it can; OSError or TimeoutError where none opens."""

    async def carry(self, attempt: Attempt) -> None:
        """Send the request of `attempt` and stay until its answer is over.

        Requests of one session go over one connection, which carries no other one's.

        Whatever the server does once the request is out is the answer's failure. OSError, ssl.SSLError or
        TimeoutError: no connection. Cancelling hangs up, and leaves an answer that had begun `cancelled`.
        """

    async def end_session(self, session: int) -> None:
        """Close the connection of a session that is over."""

    async def close(self) -> None:
        """Close every connection."""
