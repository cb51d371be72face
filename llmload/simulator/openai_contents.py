"""Answers of a chat that are more than words: reasoning first, then a call of a tool, as vLLM streams them.

The shapes are those of vLLM with its parsers for reasoning and tools: a piece of `reasoning_content` for each token,
the name of the tool with its first token, then its arguments in fragments. The arguments are whole JSON where the model
stopped by itself, and cut off at a limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from llmload.simulator.answers import WORDS, word_index
from llmload.simulator.openai_stream import Kind, OpenAIStream, id_of, page_of_choice, usage_of
from llmload.simulator.protocol import Answer, Finish, Page, chunk

_REASONS = {Finish.STOP: "stop", Finish.LENGTH: "length"}


@dataclass(frozen=True, slots=True)
class Content:
    """What an answer is made of: so many tokens of reasoning, then a call of `tool`; without one, words."""

    reasoning_tokens: int = 0
    tool: str | None = None

    @property
    def is_words_alone(self) -> bool:
        """As nearly all answers are."""
        return not self.reasoning_tokens and self.tool is None


class ContentStream(OpenAIStream):
    """The pieces of one streamed answer with such content; usage comes at its end, never with every event."""

    def __init__(self, content: Content, model: str, answer: Answer, *, tells_usage: bool) -> None:
        super().__init__(Kind.CHAT, model, answer, tells_usage=tells_usage)
        self._content, self._place = content, 0

    def token(self, word: int) -> bytes:
        """One token."""
        return self._event(word, None)

    def _event(self, word: int, finish: Finish | None, usage: bytes = b"") -> bytes:
        place, self._place = self._place, self._place + 1
        delta = _delta(self._content, self._answer, place, WORDS[word], finish)
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": _reason(self._content, finish)}
        return chunk(self._envelope + b'"choices":' + orjson.dumps([choice]) + usage + b"}\n\n")

    def _usage(self) -> bytes:
        return orjson.dumps(_usage(self._content, self._answer))


def _delta(content: Content, answer: Answer, place: int, word: str, finish: Finish | None) -> Mapping[str, object]:
    """What the token at `place` adds."""
    if place < content.reasoning_tokens:
        return {"reasoning_content": f" {word}"}
    if content.tool is None:
        return {"content": f" {word}"}
    nth = place - content.reasoning_tokens
    written = {"arguments": _fragment(nth, word) + (_close(nth) if finish is Finish.STOP else "")}
    if nth:
        return {"tool_calls": [{"index": 0, "function": written}]}
    begun = {"id": _call_id(answer), "type": "function", "index": 0, "function": {"name": content.tool, **written}}
    return {"tool_calls": [begun]}


def _fragment(nth: int, word: str) -> str:
    """The arguments of the `nth` token of a call, whose first one is the name."""
    return ("", '{"text":"')[nth] if nth < 2 else f" {word}"


def _close(nth: int) -> str:
    return '"}' if nth else "{}"


def write_page(content: Content, model: str, answer: Answer) -> Page:
    """An answer in one piece."""
    words = [WORDS[word_index(answer.digest, place)] for place in range(answer.generation.generated)]
    reasoned, said = words[: content.reasoning_tokens], words[content.reasoning_tokens :]
    message: dict[str, object] = {"role": "assistant", "content": _joined(said), "refusal": None}
    if reasoned:
        message["reasoning_content"] = _joined(reasoned)
    if content.tool is not None and said:
        arguments = "".join(_fragment(nth, word) for nth, word in enumerate(said))
        arguments += _close(len(said) - 1) if answer.finish is Finish.STOP else ""
        function = {"name": content.tool, "arguments": arguments}
        message |= {"content": None, "tool_calls": [{"id": _call_id(answer), "type": "function", "function": function}]}
    choice = {"message": message, "finish_reason": _reason(content, answer.finish), "stop_reason": None}
    return page_of_choice(Kind.CHAT, model, answer, choice, _usage(content, answer))


def _joined(words: Sequence[str]) -> str | None:
    return "".join(f" {word}" for word in words) or None


def _reason(content: Content, finish: Finish | None) -> str | None:
    if finish is None:
        return None
    return "tool_calls" if content.tool is not None and finish is Finish.STOP else _REASONS[finish]


def _call_id(answer: Answer) -> str:
    return f"call-{id_of(Kind.CHAT, answer)}"


def _usage(content: Content, answer: Answer) -> dict[str, object]:
    told = usage_of(answer)
    if content.reasoning_tokens:
        reasoned = min(content.reasoning_tokens, answer.generation.generated)
        told["completion_tokens_details"] = {"reasoning_tokens": reasoned}
    return told
