"""The seam between our load and somebody's server: what an adapter knows of one framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from llmload.domain import PlannedRequest
from llmload.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts as the server told them; None = it did not tell."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None


class Event(NamedTuple):
    """What one event of an answer carries. Most carry only text.

    A tuple, since one is made for every streamed event and a frozen dataclass takes three times as long (tests/bench).

    `answer` is text meant for the user; `thought` is reasoning or tool-call text. Either makes it a text event.
    `is_last` marks the protocol's own end ([DONE]); `error` is the server's words for a failure inside the stream.
    """

    answer: str = ""
    thought: str = ""
    usage: Usage | None = None
    finish_reason: str | None = None
    is_last: bool = False
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Dialect:
    """One API of a framework.

    `body` writes the request; `read_event` tells what one streamed payload means (ValueError: not the protocol);
    `read_answer` the same for a whole non-streamed body. `tells_finish`: every complete answer says why it stopped,
    so that one which does not is truncated.
    """

    path: str
    body: Callable[[Endpoint, PlannedRequest], bytes]
    read_event: Callable[[bytes], Event]
    read_answer: Callable[[bytes], Event]
    tells_finish: bool = True


@dataclass(frozen=True, slots=True)
class Adapter:
    """One framework. `settings` is its dataclass of typed, annotated settings; `dialects` by API, default first.

    No dialects: the settings are known and validated, but this version cannot talk to it yet. `optional_sampling`
    are fields of the request that some releases refuse; the probe finds out, leaves them out and reports it.
    """

    name: str
    settings: type
    dialects: Mapping[str, Dialect]
    ready_paths: tuple[str, ...] = ("/health", "/v1/models")
    optional_sampling: tuple[str, ...] = ("ignore_eos", "min_tokens", "top_k", "min_p", "repetition_penalty")
