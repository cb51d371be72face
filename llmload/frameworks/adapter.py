"""The seam between our load and somebody's server: what an adapter knows of one framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from urllib.parse import quote

from llmload.endpoint import Endpoint
from llmload.frameworks.metric_names import MetricNames
from llmload.planned import PlannedRequest


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts as the server told them; None = it did not tell. Those of reasoning are among the output tokens."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class Event(NamedTuple):
    """What one event of an answer carries. Most carry only text.

    A tuple, since one is made for every streamed event and a frozen dataclass takes three times as long (tests/bench).

    `answer` is text meant for the user, `thought` reasoning, `call` the names and arguments of tools that the model
    calls. Any of them makes it a text event.
    `is_last` marks the protocol's own end ([DONE]); `error` is the server's words for a failure inside the stream.
    """

    answer: str = ""
    thought: str = ""
    usage: Usage | None = None
    finish_reason: str | None = None
    is_last: bool = False
    error: str | None = None
    call: str = ""


Framing = Literal["sse", "ndjson"]
"""How a stream is cut into events: server-sent events, or one JSON document a line."""

ReadEvent = Callable[[bytes], Event]
"""What one payload means; ValueError: it is not the protocol's."""


class Unrepeated:
    """Reads the events of one answer of which each repeats all the text so far, and tells only what is new.

    Where a server thinks better of the end of its text, that end is told again as it is now.
    """

    __slots__ = ("_read_event", "_told")

    def __init__(self, read_event: ReadEvent) -> None:
        self._read_event, self._told = read_event, ""

    def __call__(self, payload: bytes) -> Event:
        event = self._read_event(payload)
        if not event.answer:
            return event
        told, self._told = self._told, event.answer
        known = len(told) if event.answer.startswith(told) else _shared(told, event.answer)
        return event._replace(answer=event.answer[known:])


def _shared(one: str, other: str) -> int:
    """How many characters both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _nothing_unknown(_endpoint: Endpoint) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Dialect:
    """One API of a framework.

    `path` and `whole_path` (where whole answers are asked for, if elsewhere) may hold `{model}`. `body` writes the
    request; `read_event` tells what one streamed payload means (ValueError: not the protocol); `read_answer` the same
    for a whole non-streamed body. `tells_finish`: every complete answer says why it stopped, so that one which does
    not is truncated. `memory` wraps `read_event` anew for each answer whose events make sense only with the earlier
    ones. `unknown_sampling` names the fields of the endpoint's sampling that have no place in a body; they are left
    out and reported. `takes_messages`: bodies carry whole conversations (`PlannedRequest.conversation`); otherwise a
    scenario with such prompts is refused. `row_fields` are those of `PlannedRequest.fields` that bodies carry, and rows
    that have others are refused. `needs` tells a person whose server does not take it what to do.
    """

    path: str
    body: Callable[[Endpoint, PlannedRequest], bytes]
    read_event: ReadEvent
    read_answer: ReadEvent
    tells_finish: bool = True
    framing: Framing = "sse"
    whole_path: str | None = None
    memory: Callable[[ReadEvent], ReadEvent] | None = None
    unknown_sampling: Callable[[Endpoint], tuple[str, ...]] = _nothing_unknown
    takes_messages: bool = False
    needs: str = ""
    row_fields: tuple[str, ...] = ()

    def path_for(self, endpoint: Endpoint) -> str:
        """Where `endpoint` takes its requests."""
        return fill_path(self.path if endpoint.stream or self.whole_path is None else self.whole_path, endpoint.model)

    def reader(self) -> ReadEvent:
        """What reads the events of one answer, from its first to its last."""
        return self.read_event if self.memory is None else self.memory(self.read_event)


def fill_path(path: str, model: str) -> str:
    """`path` with the name of the model in place of `{model}`."""
    return path.replace("{model}", quote(model, safe=""))


@dataclass(frozen=True, slots=True)
class Question:
    """A request that tells something about the server and generates nothing: GET, or POST of `body`.

    `path` may hold `{model}`; replies are found under `path` as it is written here.
    """

    path: str
    body: bytes | None = None


Replies = Mapping[str, bytes]
"""What the server said to questions, by their paths; those that it does not know are missing."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One model as the server lists it; `names` are all that it answers to, its own id first."""

    names: tuple[str, ...]
    max_model_len: int | None


@dataclass(frozen=True, slots=True)
class Listing:
    """How a server is asked what it serves; `read` never raises."""

    questions: tuple[Question, ...]
    read: Callable[[Replies], tuple[ServedModel, ...]]


@dataclass(frozen=True, slots=True)
class Versioning:
    """How a server is asked for its version; `read` never raises, None = it does not tell."""

    questions: tuple[Question, ...]
    read: Callable[[Replies], str | None]


def _nothing_actual(_replies: Replies) -> Mapping[str, object]:
    return {}


def _as_it_is(dialect: Dialect, _endpoint: Endpoint) -> Dialect:
    return dialect


@dataclass(frozen=True, slots=True)
class Adapter:
    """One framework. `settings` is its dataclass of typed, annotated settings; `dialects` by API, default first.

    `unready` are the statuses by which a ready path says "not yet". `optional_sampling` are fields of the request that
    some releases refuse; the probe finds out, leaves them out and reports it. `questions` tell how the server was
    started, and `read_actual` makes of their replies the settings by their names in `settings` (those that the server
    does not tell are missing; it never raises). `lessons` tell what bodies and readers need to know: `learn` makes
    `Endpoint.learnt` of them, `settle` the dialect as this very server speaks it. `context_setting` is the setting
    that, where declared, is the context in tokens whatever the server tells. `metric_names` are the families of its
    Prometheus metrics by our names, newest release first; `metrics_port` is where they are, if not where its API
    is. `ran_against` names the real servers that this adapter was run against; empty: none, only the simulator.
    """

    name: str
    settings: type
    dialects: Mapping[str, Dialect]
    models: Listing
    version: Versioning
    ready_paths: tuple[str, ...] = ("/health", "/v1/models")
    unready: tuple[int, ...] = (503,)
    optional_sampling: tuple[str, ...] = ("ignore_eos", "min_tokens", "top_k", "min_p", "repetition_penalty")
    questions: tuple[Question, ...] = ()
    read_actual: Callable[[Replies], Mapping[str, object]] = _nothing_actual
    lessons: tuple[Question, ...] = ()
    learn: Callable[[Replies], Mapping[str, object]] = _nothing_actual
    settle: Callable[[Dialect, Endpoint], Dialect] = _as_it_is
    context_setting: str | None = None
    metric_names: MetricNames = field(default_factory=dict)
    metrics_port: int | None = None
    ran_against: str = ""
