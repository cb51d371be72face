"""What is planned before the first byte is sent: steps, the windows of each, and what every request says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from llmload.units import format_number


@dataclass(frozen=True, slots=True)
class Step:
    """One load level. `axis` is "concurrency", "rate" or "speed"; `index` is its place in the ladder, from 0."""

    index: int
    axis: str
    value: float

    @property
    def label(self) -> str:
        """The words every output uses, such as `concurrency 50`."""
        return f"{self.axis} {format_number(self.value)}" + ("/s" if self.axis == "rate" else "")


@dataclass(frozen=True, slots=True)
class Look:
    """One measured window to observe: the `number`-th of its step (from 0), of `requests` measured requests.

    `repeat` says in which climb of the ladder (from 0); numbers go on from one climb to the next.
    """

    step: Step
    number: int
    requests: int
    repeat: int = 0


class Part(NamedTuple):
    """Which part of the traffic a request is; None where the workload has no such parts.

    `traffic_class` is its class in a mixture; `session` and `turn` (both from 0) its conversation within the window,
    and its place there; `group` (from 0) is the one whose prefix it begins with.
    """

    traffic_class: str | None = None
    session: int | None = None
    turn: int | None = None
    group: int | None = None


NO_PART = Part()
"""Of traffic that has no parts."""


@dataclass(frozen=True, slots=True)
class PlannedRequest:
    """What one request will say: a bare prompt of a user or, for chat APIs only, the messages of a conversation.

    `messages` have the shape of OpenAI's; where there are any, `prompt` is empty. Token lengths are what the scenario
    asks for, not what the server will count; `input_tokens` is None where it names a text instead of a length.
    `fields` stand beside the messages, in OpenAI's words: the tools that this request offers, the form of its answer.
    """

    index: int
    prompt: str
    input_tokens: int | None
    output_tokens: int
    messages: tuple[Mapping[str, object], ...] = ()
    part: Part = NO_PART
    fields: Mapping[str, object] = field(default_factory=dict)

    @property
    def conversation(self) -> Sequence[Mapping[str, object]]:
        """What a chat API is sent."""
        return self.messages or ({"role": "user", "content": self.prompt},)

    @property
    def has_images(self) -> bool:
        """Whether any message has parts that are images."""
        contents = (message.get("content") for message in self.messages)
        return any("image_url" in part for parts in contents if isinstance(parts, list) for part in parts)


@dataclass(frozen=True, slots=True)
class PlannedTurn:
    """What one turn adds to a conversation: new `messages`, sent `think_s` seconds after the answer to the turn before.

    `input_tokens` is the asked length of a request that is known beforehand, which is the first one's alone: later
    ones send answers too. None elsewhere, and where a text was asked for.
    """

    messages: tuple[Mapping[str, object], ...]
    input_tokens: int | None
    output_tokens: int
    think_s: float = 0.0


@dataclass(frozen=True, slots=True)
class PlannedSession:
    """One conversation: its turns, at least one, and which part of the traffic all of them are."""

    turns: tuple[PlannedTurn, ...]
    part: Part


@dataclass(frozen=True, slots=True)
class LongestConversation:
    """The last request of the longest conversation of a file, with one word in the place of each earlier answer.

    `earlier_tokens` are what those answers may come to in all; what the words of its users come to, only the server
    can count. It has so many `turns`.
    """

    last: PlannedRequest
    earlier_tokens: int
    turns: int

    @property
    def output_tokens(self) -> int:
        """The longest answer to the last request."""
        return self.last.output_tokens


@dataclass(frozen=True, slots=True)
class Room:
    """The longest prompt and the longest answer of one request, in tokens.

    The prompt holds `further_turns` turns before its last message; what a server's template adds to each comes on top.
    `sample` is one word with the images of a request, of which only the server knows the tokens; None without images.
    """

    input_tokens: int
    output_tokens: int
    further_turns: int = 0
    sample: PlannedRequest | None = None
