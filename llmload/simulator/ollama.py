"""Ollama's own protocol: /api/chat and /api/generate, one JSON document a line, and what its clients ask besides.

As in Ollama a prompt that is longer than the context is cut silently, a request that says nothing of `stream` is
streamed, and nothing makes the model go on when it would stop (no ignore_eos, no min_tokens).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial

import orjson

from llmload import __version__
from llmload.simulator.answers import WORDS
from llmload.simulator.images import image_text
from llmload.simulator.protocol import (
    END_OF_CHUNKS,
    Answer,
    Api,
    Asked,
    Page,
    Pages,
    RefusedError,
    Served,
    chunk,
    integer,
    object_of,
    page_of,
    stream_head,
)
from llmload.simulator.tokens import chat_tokens, token_id, tokens_of

_NDJSON = "application/x-ndjson"
_JSON = "application/json; charset=utf-8"
_MODEL_BYTES = 16 * 10**9  # about 8 B parameters in 16 bit


class Kind(Enum):
    """The two APIs, by how text stands in their events."""

    CHAT = (b'"message":{"role":"assistant","content":"', b'"}')
    GENERATE = (b'"response":"', b'"')


@dataclass(frozen=True, slots=True)
class OllamaApi:
    """Chat or generate."""

    kind: Kind

    def read(self, body: bytes, served: Served) -> Asked:
        """What a request asks for; RefusedError says how Ollama would refuse it."""
        try:
            document = object_of(body)
            model = _model(document, served)
            tokens = _chat(document) if self.kind is Kind.CHAT else _prompt(document)
            options = document.get("options") or {}
            if not isinstance(options, dict):
                raise ValueError("options must be an object")
            context = min(max(2, integer(options, "num_ctx", served.context)), served.context)
            tokens = tokens[-(context - 1) :]
            room = context - len(tokens)
            wanted = integer(options, "num_predict", -1)
        except ValueError as error:
            raise RefusedError(_error(400, str(error))) from None
        return Asked(
            tokens,
            min(wanted, room) if wanted > 0 else room,
            page=partial(_write_page, self.kind, model),
            stream=None if document.get("stream") is False else partial(OllamaStream, self.kind, model),
        )

    def failure(self, status: int, message: str) -> Page:
        """Ollama's error body, which is also what stands in a stream."""
        return _error(status, message)


class OllamaStream:
    """The lines of one streamed answer; `model` is repeated as it was asked for."""

    def __init__(self, kind: Kind, model: str, answer: Answer) -> None:
        self._answer = answer
        self._begin = b'{"model":%b,"created_at":"' % orjson.dumps(model)
        before, after = kind.value
        self._before, self._after = b'",' + before + b" ", after + b',"done":false}\n'
        self._empty = b'",' + before + after + b',"done":true,'

    def opening(self, *, keep_alive: bool) -> bytes:
        """The response head: nothing is said before the first token."""
        return stream_head(_NDJSON, keep_alive=keep_alive)

    def token(self, word: int) -> bytes:
        """One token's line."""
        return chunk(self._begin + _now() + self._before + WORDS[word].encode("ascii") + self._after)

    def ending(self, word: int) -> bytes:
        """The last token's line, and the one with the counts and durations."""
        summary = orjson.dumps(_summary(self._answer))[1:]
        return self.token(word) + chunk(self._begin + _now() + self._empty + summary + b"\n") + END_OF_CHUNKS

    def malformed(self) -> bytes:
        """A line that breaks off in the middle of its JSON."""
        return chunk(self._begin + _now() + b'","mess\n')

    def failure(self, message: str) -> bytes:
        """The line of an error, the last one."""
        return chunk(orjson.dumps({"error": message}) + b"\n") + END_OF_CHUNKS


def apis(_served: Served) -> Mapping[str, Api]:
    """The paths that generate."""
    return {"/api/chat": OllamaApi(Kind.CHAT), "/api/generate": OllamaApi(Kind.GENERATE)}


def pages(served: Served) -> Pages:
    """Version, models, what is loaded, and what a model is."""
    name = full_name(served.model)
    model: dict[str, object] = {
        "name": name,
        "model": name,
        "size": _MODEL_BYTES,
        "digest": f"{token_id(name):064x}",
        "details": _DETAILS,
    }
    since = _rfc3339(served.started_s * 10**9).decode()
    loaded = {**model, "expires_at": since, "size_vram": _MODEL_BYTES, "context_length": served.context}
    return {
        ("GET", "/api/version"): page_of({"version": f"simulator-{__version__}"}),
        ("GET", "/api/tags"): page_of({"models": [{**model, "modified_at": since}]}),
        ("GET", "/api/ps"): page_of({"models": [loaded]}),
        ("POST", "/api/show"): partial(_show, served),
    }


_DETAILS = {
    "parent_model": "",
    "format": "gguf",
    "family": "llama",
    "families": ["llama"],
    "parameter_size": "8.0B",
    "quantization_level": "F16",
}


def _show(served: Served, body: bytes) -> Page:
    try:
        _model(object_of(body), served)
    except RefusedError as refusal:
        return refusal.page
    except ValueError as error:
        return _error(400, str(error))
    told = {
        "modelfile": f"FROM {served.model}",
        "parameters": "",
        "template": "{{ .Prompt }}",
        "details": _DETAILS,
        "model_info": {"general.architecture": "llama", "llama.context_length": served.context},
        "capabilities": ["completion"],
        "modified_at": _rfc3339(served.started_s * 10**9).decode(),
    }
    return Page(200, orjson.dumps(told), _JSON)


# ------------------------------------------------------------ requests


def _model(document: Mapping[str, object], served: Served) -> str:
    """The name as it was asked for; without a tag it means `:latest`."""
    model = document.get("model") or document.get("name")  # /api/show once had `name`
    if not isinstance(model, str) or not model:
        raise ValueError("model is required")
    if full_name(model) != full_name(served.model):
        raise RefusedError(_error(404, f"model '{model}' not found"))
    return model


def full_name(model: str) -> str:
    """A name with its tag: without one it means `:latest`."""
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


def _chat(document: Mapping[str, object]) -> list[str]:
    messages = document.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ValueError("the simulator needs at least one message")
    return chat_tokens([_message(message) for message in messages])


def _message(message: object) -> tuple[str, str]:
    role = message.get("role") if isinstance(message, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(role, str) or not isinstance(content, str):
        raise ValueError("a message must be an object with a role and a content")
    images = message.get("images") if isinstance(message, dict) else None
    texts = [image_text(image) for image in images if isinstance(image, str)] if isinstance(images, list) else []
    return role, " ".join([*texts, content])


def _prompt(document: Mapping[str, object]) -> list[str]:
    """The prompt in the model's template, unless it is `raw`."""
    prompt, system = document.get("prompt"), document.get("system")
    if not isinstance(prompt, str) or not prompt.strip():
        raise ValueError("the simulator needs a prompt")
    if document.get("raw") is True:
        return tokens_of(prompt)
    before = [("system", system)] if isinstance(system, str) and system else []
    return chat_tokens([*before, ("user", prompt)])


# ------------------------------------------------------------ answers


def _write_page(kind: Kind, model: str, answer: Answer) -> Page:
    """An answer in one piece."""
    text = answer.text
    said = {"message": {"role": "assistant", "content": text}} if kind is Kind.CHAT else {"response": text}
    told = {"model": model, "created_at": _now().decode(), **said, "done": True, **_summary(answer)}
    return Page(200, orjson.dumps(told), _JSON)


def _summary(answer: Answer) -> dict[str, object]:
    """What the last line tells: counts, and durations in ns as the engine's model of time has them.

    `load_duration` is the wait until the engine took the request on, so that the three parts are the total.
    """
    generation = answer.generation
    arrived, admitted = generation.arrival_ns, generation.admitted_ns or generation.arrival_ns
    first = generation.first_ns or admitted
    ended = generation.ended_ns or first
    return {
        "done_reason": answer.finish.value,
        "total_duration": ended - arrived,
        "load_duration": admitted - arrived,
        "prompt_eval_count": generation.prompt_tokens,
        "prompt_eval_duration": first - admitted,
        "eval_count": generation.generated,
        "eval_duration": ended - first,
    }


def _error(status: int, message: str) -> Page:
    return Page(status, orjson.dumps({"error": message}), _JSON)


def _now() -> bytes:
    return _rfc3339(time.time_ns())


def _rfc3339(ns: int) -> bytes:
    """As Go writes an instant in UTC."""
    seconds, rest = divmod(ns, 10**9)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z".encode("ascii")
