"""What every protocol has in common: what a request asks of the engine, and how an answer to it becomes bytes.

A protocol is a module with `apis` (the paths that generate) and `pages` (what else it answers, engine or not).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Protocol

import orjson

from llmload.simulator.answers import answer_text
from llmload.simulator.engine import Generation
from llmload.simulator.profiles import Machine

EVENT_STREAM = "text/event-stream; charset=utf-8"
JSON = "application/json"
END_OF_CHUNKS = b"0\r\n\r\n"


class Finish(Enum):
    """Why an answer ended: the model stopped, or its limit was reached."""

    STOP = "stop"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class Page:
    """A whole answer: what is not streamed."""

    status: int
    body: bytes
    content_type: str = JSON


class RefusedError(Exception):
    """A request that gets an error answer."""

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self.page = page


@dataclass(frozen=True, slots=True)
class Served:
    """The model, and what requests for it are held against; `aliases` are other names that it answers to.

    `reasoning_tokens` are the first tokens of an answer, where its protocol here knows reasoning.
    """

    model: str
    machine: Machine
    prefix_cache: bool
    started_s: int
    refuse_fields: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    reasoning_tokens: int = 0

    @property
    def context(self) -> int:
        """Tokens that a prompt and its answer may have together."""
        return self.machine.max_model_len


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of an answer before its first token; its `generation` goes on while it is written."""

    number: int
    created_s: int
    digest: int
    finish: Finish
    generation: Generation
    tells_cached: bool

    @property
    def text(self) -> str:
        """What was said so far."""
        return answer_text(self.digest, self.generation.generated)


class Stream(Protocol):
    """One streamed answer as bytes. Every token comes through `token` or, the last one, `ending`: once and in order."""

    def opening(self, *, keep_alive: bool) -> bytes:
        """The head of the response, and what goes before the first token."""

    def token(self, word: int) -> bytes:
        """One token: the hot path."""

    def ending(self, word: int) -> bytes:
        """The last token, and everything to the end of the body."""

    def malformed(self) -> bytes:
        """An event that breaks off in the middle of its JSON."""

    def failure(self, message: str) -> bytes:
        """What the server says when it fails in the middle, to the end of the body."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One valid request for an answer. `limit` is the most tokens of it, `minimum` the fewest.

    `stream` None = asked for in one piece, which `page` writes when the answer is complete.
    """

    tokens: list[str]
    limit: int
    page: Callable[[Answer], Page]
    stream: Callable[[Answer], Stream] | None = None
    minimum: int = 0
    ignore_eos: bool = False


class Api(Protocol):
    """One way to ask for an answer."""

    def read(self, body: bytes, served: Served) -> Asked:
        """What a request asks for; RefusedError says how a real server would refuse it."""

    def failure(self, status: int, message: str) -> Page:
        """What a server says when it fails for no fault of the client."""


Respond = Callable[[bytes], Page]
"""Answers a request that asks the engine nothing, from its body."""
Pages = Mapping[tuple[str, str], Respond]
"""What is answered, by method and path."""


def page_of(document: object) -> Respond:
    """Answers with the same JSON whatever was asked."""
    page = Page(200, orjson.dumps(document))
    return lambda _body: page


def chunk(payload: bytes) -> bytes:
    """One piece of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(payload), payload)


@cache
def stream_head(content_type: str, *, keep_alive: bool) -> bytes:
    """The head of an answer in chunks."""
    lines = [
        "HTTP/1.1 200 OK",
        "server: llmload-simulator",
        f"content-type: {content_type}",
        "transfer-encoding: chunked",
    ]
    if not keep_alive:
        lines.append("connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def object_of(body: bytes) -> dict[str, object]:
    """The JSON object of a body; ValueError where it is none (orjson.JSONDecodeError where it is no JSON)."""
    document: object = orjson.loads(body)
    if not isinstance(document, dict):
        raise ValueError("body is not an object")
    return document


def integer(document: Mapping[str, object], name: str, default: int) -> int:
    """A whole number, or `default` where it is absent or null; ValueError names it otherwise."""
    value = document.get(name)
    if value is None:
        return default
    if type(value) is not int:
        raise ValueError(f"{name} must be a whole number")
    return value
