"""OpenAI's answers as bytes. A streamed token is two ready pieces put together: the answer's head, the word's tail."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import orjson

from llmload.simulator.answers import WORDS
from llmload.simulator.protocol import END_OF_CHUNKS, EVENT_STREAM, Answer, Finish, Page, chunk, stream_head


class Kind(Enum):
    """The two APIs, by the prefix of their ids."""

    CHAT = "chatcmpl"
    COMPLETIONS = "cmpl"


_BEFORE_WORD = {
    Kind.CHAT: b'"choices":[{"index":0,"delta":{"content":" ',
    Kind.COMPLETIONS: b'"choices":[{"index":0,"text":" ',
}
_AFTER_WORD = {
    Kind.CHAT: b'"},"logprobs":null,"finish_reason":',
    Kind.COMPLETIONS: b'","logprobs":null,"finish_reason":',
}
_AFTER_REASON = {
    Kind.CHAT: b',"token_ids":null}]',
    Kind.COMPLETIONS: b',"stop_reason":null,"prompt_token_ids":null,"token_ids":null}]',
}
_OBJECT = {
    Kind.CHAT: ("chat.completion.chunk", "chat.completion"),
    Kind.COMPLETIONS: ("text_completion", "text_completion"),
}
_ROLE = b'"choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}\n\n'
_REASONS = {Finish.STOP: b'"stop"', Finish.LENGTH: b'"length"'}
_BYTES = tuple(word.encode("ascii") for word in WORDS)
_LENGTHS = tuple(len(word) for word in WORDS)
_TAILS = {
    kind: tuple(word + _AFTER_WORD[kind] + b"null" + _AFTER_REASON[kind] + b"}\n\n\r\n" for word in _BYTES)
    for kind in Kind
}
DONE = chunk(b"data: [DONE]\n\n")


class OpenAIStream:
    """The pieces of one streamed answer; `tells_usage` = an event of its own has it."""

    def __init__(self, kind: Kind, model: str, answer: Answer, *, tells_usage: bool) -> None:
        self._kind, self._answer, self._tells_usage = kind, answer, tells_usage
        self._envelope = b'data: {"id":"%b","object":"%b","created":%d,"model":%b,' % (
            id_of(kind, answer).encode("ascii"),
            _OBJECT[kind][0].encode("ascii"),
            answer.created_s,
            orjson.dumps(model),
        )
        self._tails = _TAILS[kind]
        before = self._envelope + _BEFORE_WORD[kind]
        around = len(before) + len(self._tails[0]) - 2 - _LENGTHS[0]
        self._heads = tuple(b"%x\r\n%b" % (around + length, before) for length in range(max(_LENGTHS) + 1))

    def opening(self, *, keep_alive: bool) -> bytes:
        """The response head and, in a chat, the event that only names the role."""
        head = stream_head(EVENT_STREAM, keep_alive=keep_alive)
        return head if self._kind is Kind.COMPLETIONS else head + chunk(self._envelope + _ROLE)

    def token(self, word: int) -> bytes:
        """One token's chunk: the hot path, one addition."""
        return self._heads[_LENGTHS[word]] + self._tails[word]

    def ending(self, word: int) -> bytes:
        """The last token with the reason, the usage where it was asked for, and [DONE]."""
        usage = (
            chunk(self._envelope + b'"choices":[],"usage":' + self._usage() + b"}\n\n") if self._tells_usage else b""
        )
        return self._event(word, self._answer.finish) + usage + DONE + END_OF_CHUNKS

    def malformed(self) -> bytes:
        """An event that breaks off in the middle of its JSON."""
        return chunk(self._envelope + b'"choices":[{"index":0,\n\n')

    def failure(self, message: str) -> bytes:
        """VLLM's error inside a stream, which [DONE] follows."""
        told = {"message": message, "type": "InternalServerError", "param": None, "code": 500}
        return chunk(b"data: " + orjson.dumps({"error": told}) + b"\n\n") + DONE + END_OF_CHUNKS

    def _event(self, word: int, finish: Finish | None, usage: bytes = b"") -> bytes:
        """A token's chunk that tells more than a word."""
        kind = self._kind
        reason = b"null" if finish is None else _REASONS[finish]
        event = (self._envelope, _BEFORE_WORD[kind], _BYTES[word], _AFTER_WORD[kind], reason, _AFTER_REASON[kind])
        return chunk(b"".join(event) + usage + b"}\n\n")

    def _usage(self) -> bytes:
        return orjson.dumps(usage_of(self._answer))


class ContinuousStream(OpenAIStream):
    """With the usage so far in every event (vLLM's `continuous_usage_stats`)."""

    def token(self, word: int) -> bytes:
        """One token with its usage."""
        return self._event(word, None)

    def _event(self, word: int, finish: Finish | None, usage: bytes = b"") -> bytes:
        return super()._event(word, finish, usage or b',"usage":' + self._usage())


def write_page(kind: Kind, model: str, answer: Answer) -> Page:
    """An answer in one piece."""
    said: dict[str, object] = (
        {"message": {"role": "assistant", "content": answer.text, "refusal": None}}
        if kind is Kind.CHAT
        else {"text": answer.text}
    )
    choice = {**said, "finish_reason": answer.finish.value, "stop_reason": None}
    return page_of_choice(kind, model, answer, choice, usage_of(answer))


def page_of_choice(
    kind: Kind, model: str, answer: Answer, choice: Mapping[str, object], usage: Mapping[str, object]
) -> Page:
    """An answer in one piece, of this one choice."""
    document = {
        "id": id_of(kind, answer),
        "object": _OBJECT[kind][1],
        "created": answer.created_s,
        "model": model,
        "choices": [{"index": 0, "logprobs": None, **choice}],
        "usage": usage,
    }
    return Page(200, orjson.dumps(document))


def id_of(kind: Kind, answer: Answer) -> str:
    """The id of an answer."""
    return f"{kind.value}-{answer.number:016x}"


def usage_of(answer: Answer) -> dict[str, object]:
    """VLLM's usage object; no details where the server does not tell what was cached."""
    prompt, made = answer.generation.prompt_tokens, answer.generation.generated
    return {
        "prompt_tokens": prompt,
        "total_tokens": prompt + made,
        "completion_tokens": made,
        "prompt_tokens_details": {"cached_tokens": answer.generation.cached_tokens} if answer.tells_cached else None,
    }
