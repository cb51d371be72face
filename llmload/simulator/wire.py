"""Answers as bytes. A streamed token is two ready pieces put together: the request's head and the word's tail."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import orjson

from llmload.simulator.answers import WORDS
from llmload.simulator.openai import Api

_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nserver: llmload-simulator\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"transfer-encoding: chunked\r\n"
)
END_OF_CHUNKS = b"0\r\n\r\n"
_BEFORE_WORD = {
    Api.CHAT: b'"choices":[{"index":0,"delta":{"content":" ',
    Api.COMPLETIONS: b'"choices":[{"index":0,"text":" ',
}
_AFTER_WORD = {Api.CHAT: b'"},"logprobs":null,"finish_reason":', Api.COMPLETIONS: b'","logprobs":null,"finish_reason":'}
_AFTER_REASON = {
    Api.CHAT: b',"token_ids":null}]',
    Api.COMPLETIONS: b',"stop_reason":null,"prompt_token_ids":null,"token_ids":null}]',
}
_OBJECT = {
    Api.CHAT: ("chat.completion.chunk", "chat.completion"),
    Api.COMPLETIONS: ("text_completion", "text_completion"),
}
_BYTES = tuple(word.encode("ascii") for word in WORDS)
_LENGTHS = tuple(len(word) for word in WORDS)
_TAILS = {
    api: tuple(word + _AFTER_WORD[api] + b"null" + _AFTER_REASON[api] + b"}\n\n\r\n" for word in _BYTES) for api in Api
}


class Finish(Enum):
    """Why an answer ended: the model stopped, or its limit was reached."""

    STOP = b'"stop"'
    LENGTH = b'"length"'


@dataclass(frozen=True, slots=True)
class Count:
    """Token counts of one answer; `cached` None = the server does not tell."""

    prompt: int
    completion: int
    cached: int | None

    def usage(self) -> dict[str, object]:
        """VLLM's usage object."""
        details = None if self.cached is None else {"cached_tokens": self.cached}
        return {
            "prompt_tokens": self.prompt,
            "total_tokens": self.prompt + self.completion,
            "completion_tokens": self.completion,
            "prompt_tokens_details": details,
        }


def chunk(payload: bytes) -> bytes:
    """One piece of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(payload), payload)


class StreamWire:
    """The pieces of one streamed answer."""

    def __init__(self, api: Api, answer_id: str, created: int, model: str) -> None:
        self._api = api
        kind = _OBJECT[api][0]
        self._envelope = b'data: {"id":"%b","object":"%b","created":%d,"model":%b,' % (
            answer_id.encode("ascii"),
            kind.encode("ascii"),
            created,
            orjson.dumps(model),
        )
        self._tails = _TAILS[api]
        before = self._envelope + _BEFORE_WORD[api]
        around = len(before) + len(self._tails[0]) - 2 - _LENGTHS[0]
        self._heads = tuple(b"%x\r\n%b" % (around + length, before) for length in range(max(_LENGTHS) + 1))

    def opening(self, *, keep_alive: bool) -> bytes:
        """The response head and, in a chat, the event that only names the role."""
        head = _STREAM_HEAD + (b"\r\n" if keep_alive else b"connection: close\r\n\r\n")
        if self._api is Api.COMPLETIONS:
            return head
        role = (
            b'"choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}'
        )
        return head + chunk(self._envelope + role + b"\n\n")

    def token(self, word: int) -> bytes:
        """One token's chunk: the hot path, one addition."""
        return self._heads[_LENGTHS[word]] + self._tails[word]

    def full_token(self, word: int, finish: Finish | None, count: Count | None) -> bytes:
        """A token's chunk that also tells why the answer ends, or the usage so far."""
        api = self._api
        reason = b"null" if finish is None else finish.value
        usage = b"" if count is None else b',"usage":' + orjson.dumps(count.usage())
        event = (self._envelope, _BEFORE_WORD[api], _BYTES[word], _AFTER_WORD[api], reason, _AFTER_REASON[api], usage)
        return chunk(b"".join(event) + b"}\n\n")

    def usage(self, count: Count) -> bytes:
        """The chunk with the usage and no choices."""
        return chunk(self._envelope + b'"choices":[],"usage":' + orjson.dumps(count.usage()) + b"}\n\n")

    def malformed(self) -> bytes:
        """An event that breaks off in the middle of its JSON."""
        return chunk(self._envelope + b'"choices":[{"index":0,\n\n')


DONE = chunk(b"data: [DONE]\n\n")


def whole_answer(wire_id: str, created: int, model: str, api: Api, text: str, finish: Finish, count: Count) -> bytes:
    """The body of an answer in one piece."""
    said: dict[str, object] = (
        {"message": {"role": "assistant", "content": text, "refusal": None}} if api is Api.CHAT else {"text": text}
    )
    choice = {"index": 0, **said, "logprobs": None, "finish_reason": orjson.loads(finish.value), "stop_reason": None}
    return orjson.dumps(
        {
            "id": wire_id,
            "object": _OBJECT[api][1],
            "created": created,
            "model": model,
            "choices": [choice],
            "usage": count.usage(),
        }
    )
