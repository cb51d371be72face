"""A run in progress as server-sent events: what its process writes into the store, told within half a second.

Events, each with its data as JSON: `progress` (the window that goes on), `steps` (a step has new figures), `state` (the
run has another status) and at last `finished`; then the page of the run has what it came to. A comment every 15 s
keeps proxies from giving up. Whoever comes back is told all of it again, so that nothing depends on what was missed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from llmload.domain import StepResult
from llmload.errors import StoreError
from llmload.plain_text import plain
from llmload.planned import Step
from llmload.reporters.texts import Texts
from llmload.site.standing import gpu_table, ladder_of, progress_document, spoken, step_table, steps_document, told_of
from llmload.store.states import RunState

POLL_S = 0.25
HEARTBEAT_POLLS = round(15 / POLL_S)
LONGEST_POLLS = round(600 / POLL_S)
"""A stream ends after ten minutes; its reader comes back by itself, and is asked again who he is."""

MOST_STREAMS = 32
RETRY_AFTER_S = 10

_SLOWEST_S = 30.0
"""A reader who takes nothing for so long is gone."""

Read = Callable[[], Awaitable[RunState | None]]
ReadSteps = Callable[[], Awaitable[tuple[StepResult, ...]]]
GoesOn = Callable[[], Awaitable[bool]]
"""Waits for the next look at the store; False when nobody listens any more."""

Message = MutableMapping[str, object]


@dataclass(frozen=True, slots=True)
class Source:
    """What a stream is made of: two ways to ask the store, and the reader's language."""

    read: Read
    read_steps: ReadSteps
    texts: Texts


async def events(source: Source, goes_on: GoesOn) -> AsyncGenerator[bytes]:
    """The stream, from where the run stands now to its end. A store that cannot be read ends it: reconnecting helps."""
    yield b"retry: 1000\n\n"
    before: RunState | None = None
    ladder: tuple[Step, ...] = ()
    quiet = 0
    for _ in range(LONGEST_POLLS):
        try:
            now = await source.read()
            if before is None and now is not None:
                ladder = ladder_of(now)
            steps = await source.read_steps() if now is not None and _has_new_steps(before, now) else None
        except StoreError:
            return
        told = b"".join(_changes(before, now, steps, _Words(ladder, source.texts)))
        quiet = 0 if told else quiet + 1
        if told or quiet % HEARTBEAT_POLLS == 0:
            yield told or b": still here\n\n"
        if now is None or not now.is_running or not await goes_on():
            return
        before = now


@dataclass(frozen=True, slots=True)
class _Words:
    ladder: Sequence[Step]
    texts: Texts

    def progress(self, state: RunState) -> Mapping[str, object]:
        told = {name: plain(words) for name, words in told_of(state, self.ladder, self.texts).items()}
        return {
            "progress": progress_document(state.progress),
            "told": told,
            "spoken": spoken(told, self.texts),
            "gpus": [list(row) for row in gpu_table(state, self.texts).rows],
        }

    def steps(self, steps: Sequence[StepResult]) -> Mapping[str, object]:
        rows = [[plain(cell) for cell in row] for row in step_table(steps, self.ladder, self.texts).rows]
        return {"steps": steps_document(steps), "rows": rows}


def _has_new_steps(before: RunState | None, now: RunState) -> bool:
    return before is None or (before.measured, before.attempts) != (now.measured, now.attempts)


def _changes(
    before: RunState | None, now: RunState | None, steps: tuple[StepResult, ...] | None, words: _Words
) -> list[bytes]:
    """What a reader has to be told who knows what was before; None = nothing yet. A run that is gone has ended."""
    if now is None:
        return [_event("finished", {"status": "deleted"})]
    told: list[bytes] = []
    if (now.status if before is None else before.status) != now.status or (before is None and now.is_running):
        told.append(_event("state", {"status": now.status, "because": plain(now.because or "")}))
    if not now.is_running:
        return [*told, _event("finished", {"status": now.status})]
    if steps is not None:
        told.append(_event("steps", words.steps(steps)))
    if before is None or before.progress != now.progress:
        told.append(_event("progress", words.progress(now), mark=round(1000 * (now.seen_s or now.at_s))))
    return told


def _event(name: str, told: Mapping[str, object], mark: int | None = None) -> bytes:
    """One event; JSON holds no line break outside of its escapes, which is all that the format asks for."""
    data = json.dumps(told, sort_keys=True, separators=(",", ":"), allow_nan=False)
    identity = "" if mark is None else f"id: {mark}\n"
    return f"event: {name}\n{identity}data: {data}\n\n".encode()


# ---------------------------------------------------------------- over HTTP


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request as ASGI has it, and whether the server is about to stop."""

    method: str
    receive: Callable[[], Awaitable[Message]]
    send: Callable[[Message], Awaitable[None]]
    is_stopping: Callable[[], bool]

    async def start(self, status: int, *headers: tuple[bytes, bytes]) -> None:
        """Send the head of the answer."""
        always = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"), *headers]
        await self.send({"type": "http.response.start", "status": status, "headers": always})

    async def part(self, content: bytes) -> None:
        """Send a part of the body; TimeoutError where nobody takes it."""
        await asyncio.wait_for(
            self.send({"type": "http.response.body", "body": content, "more_body": True}), _SLOWEST_S
        )

    async def end(self, content: bytes = b"") -> None:
        """Send the last part of the body."""
        await self.send({"type": "http.response.body", "body": content, "more_body": False})

    async def left(self) -> None:
        """Wait until the reader has gone."""
        while (await self.receive())["type"] != "http.disconnect":
            pass


class Streams:
    """The streams that a site has open, and no more than it can carry."""

    def __init__(self, most: int = MOST_STREAMS) -> None:
        self._most, self._open = most, 0

    async def answer(self, source: Source, exchange: Exchange) -> None:
        """Answer one request for events: a stream, 404 for a run that is not there, 503 where there are too many."""
        try:
            state = await source.read()
        except StoreError as error:
            await _refuse(exchange, 503, f"{error.problem}.", _RETRY)
            return
        if state is None:
            await _refuse(exchange, 404, "There is no such run.")
        elif exchange.method == "HEAD":
            await exchange.start(200, _EVENTS)
            await exchange.end()
        elif self._open >= self._most:
            await _refuse(exchange, 503, "Too many readers follow runs in progress; come back soon.", _RETRY)
        else:
            await self._stream(source, exchange)

    async def _stream(self, source: Source, exchange: Exchange) -> None:
        gone = asyncio.ensure_future(exchange.left())

        async def goes_on() -> bool:
            await asyncio.wait({gone}, timeout=POLL_S)
            return not gone.done() and not exchange.is_stopping()

        self._open += 1
        try:
            await exchange.start(200, _EVENTS)
            async with aclosing(events(source, goes_on)) as stream:
                async for told in stream:
                    await exchange.part(told)
            await exchange.end()
        except TimeoutError:
            return  # nobody takes what is sent
        finally:
            self._open -= 1
            gone.cancel()
            await asyncio.wait({gone})


_RETRY = (b"retry-after", str(RETRY_AFTER_S).encode())
_EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")


async def _refuse(exchange: Exchange, status: int, because: str, *headers: tuple[bytes, bytes]) -> None:
    await exchange.start(status, (b"content-type", b"text/plain; charset=utf-8"), *headers)
    await exchange.end(f"{because}\n".encode())
