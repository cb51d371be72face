"""Any OpenAI-compatible server: chat and plain completions, streamed or whole.

What servers differ in (usage in four places, empty and merged chunks, errors inside an answer) is read here without
asking which server it is; docs and captured bytes of each are in tests/captures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from llmload.endpoint import Endpoint
from llmload.frameworks import embeddings, metric_names
from llmload.frameworks.adapter import (
    Adapter,
    Dialect,
    Event,
    Listing,
    Question,
    Replies,
    ServedModel,
    Usage,
    Versioning,
)
from llmload.frameworks.error_body import error_message, found_error
from llmload.frameworks.replies import count, document, items, member, whole, word
from llmload.planned import PlannedRequest

__all__ = ["ADAPTER", "DIALECTS", "MODELS", "VERSION", "OpenAISettings", "error_message", "read_answer", "read_event"]

_DONE = Event(is_last=True)
_new = tuple.__new__  # spares the hot path the defaults of Event, a tenth of what reading an event costs
_OF_TOOLS = ("tools", "tool_choice", "parallel_tool_calls")
ROW_FIELDS = (*_OF_TOOLS, "response_format")
"""What a request of a chat may have beside its messages."""
_THOUGHTS = ("reasoning_content", "reasoning")
_FAILED = ("error", "abort")  # of LMDeploy and vLLM, of SGLang: an answer of status 200 that the server gave up


@dataclass(frozen=True, slots=True)
class OpenAISettings:
    """Nothing is known of how a generic server was started."""


def chat_body(endpoint: Endpoint, request: PlannedRequest) -> bytes:
    """The request of `/v1/chat/completions`: one user message, or a conversation, and what its row asks beside it."""
    return _body(endpoint, request, {**request.fields, "messages": request.conversation})


def completions_body(endpoint: Endpoint, request: PlannedRequest) -> bytes:
    """The request of `/v1/completions`: the bare prompt."""
    return _body(endpoint, request, {"prompt": request.prompt})


def no_tools(endpoint: Endpoint) -> tuple[str, ...]:
    """Fields of the sampling that only a conversation has a place for."""
    return tuple(name for name in endpoint.sampling if name in _OF_TOOLS)


def _body(endpoint: Endpoint, request: PlannedRequest, prompt: Mapping[str, object]) -> bytes:
    # `max_tokens`: every engine knows it, `max_completion_tokens` only some; what the plan decides wins over sampling.
    planned: dict[str, object] = {"model": endpoint.model, **prompt, "max_tokens": request.output_tokens}
    planned["stream"] = endpoint.stream
    if endpoint.stream:
        planned["stream_options"] = {"include_usage": True}
    return orjson.dumps({**endpoint.sampling, **planned})


def read_event(payload: bytes) -> Event:
    """One streamed payload of either API; ValueError when it is not JSON or not of this protocol."""
    if payload == b"[DONE]":
        return _DONE
    document = orjson.loads(payload)
    try:  # nearly every event is a chat delta with nothing but text, and this is the hot path (tests/bench)
        choice = document["choices"][0]
        delta = choice["delta"]
        text = delta["content"]
        is_plain = type(text) is str and len(delta) == 1 and choice["finish_reason"] is None
        if is_plain and "usage" not in document and "error" not in document:
            return _new(Event, (text, "", None, None, False, None, ""))
    except (LookupError, TypeError):  # one of the many other shapes
        pass
    return _meaning(document, "delta")


def read_answer(body: bytes) -> Event:
    """A whole answer of either API; ValueError when it is not JSON or has neither choices nor an error."""
    event = _meaning(orjson.loads(body), "message")
    if event.error is None and b'"choices"' not in body:
        raise ValueError("the answer has no choices")
    return event


def _meaning(document: object, part: str) -> Event:
    if not isinstance(document, dict):
        raise ValueError("the event is not a JSON object")
    choices = document.get("choices")
    if not choices:
        return Event(usage=_usage(document.get("usage")), error=found_error(document))
    if not isinstance(choices, list) or not isinstance(choices[0], dict):
        raise ValueError("choices is not a list of objects")
    choice = choices[0]
    delta, thought, call = choice.get(part), "", ""
    if isinstance(delta, dict):
        answer = delta.get("content")
        if len(delta) > 1 or answer is None:  # the usual delta has content alone, and this is the hot path
            thought, call = _thought(delta), _call(delta)
    else:
        answer = choice.get("text")
    finish, usage = choice.get("finish_reason"), document.get("usage")
    if type(answer) is str and finish is None and usage is None and not (thought or call) and "error" not in document:
        return Event(answer)
    reason, error = str(finish) if finish else None, found_error(document)
    if error is None and reason in _FAILED:
        error = f"the server ended the answer with finish_reason {reason}"
    return Event(_text(answer), thought, _usage(usage), reason, error=error, call=call)


def _text(content: object) -> str:
    """Text of a `content`: a string, null, or a list of parts."""
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    raise ValueError("content is not text")


def _thought(delta: Mapping[str, object]) -> str:
    """Reasoning, by either of its names."""
    return next((_text(delta[name]) for name in _THOUGHTS if delta.get(name)), "")


def _call(delta: Mapping[str, object]) -> str:
    """Names and arguments of tool calls, as far as this piece has them; `function_call` is their older form."""
    words = ""
    calls = delta.get("tool_calls")
    functions = [call.get("function") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    functions.append(delta.get("function_call"))
    for function in functions:
        if isinstance(function, dict):
            words += _text(function.get("name")) + _text(function.get("arguments"))
    return words


def _usage(told: object) -> Usage | None:
    if not isinstance(told, dict):
        return None
    details = told.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    details = told.get("completion_tokens_details")
    reasoning = details.get("reasoning_tokens") if isinstance(details, dict) else None
    if reasoning is None:
        reasoning = told.get("reasoning_tokens")  # SGLang's place for it
    return Usage(
        *(count(each) for each in (told.get("prompt_tokens"), told.get("completion_tokens"), cached, reasoning))
    )


def read_models(replies: Replies) -> tuple[ServedModel, ...]:
    """What `/v1/models` lists; nothing where it fails, as it does on some servers."""
    models = map(_served, items(member(document(replies.get(MODELS_PATH)), "data")))
    return tuple(model for model in models if model is not None)


def _served(entry: object) -> ServedModel | None:
    name = word(member(entry, "id"))
    if name is None:
        return None
    aliases = [alias for each in items(member(entry, "aliases")) if (alias := word(each))]
    length = whole(member(entry, "max_model_len")) or whole(member(entry, "meta", "n_ctx"))  # vLLM, SGLang; llama.cpp
    return ServedModel(tuple(dict.fromkeys((name, *aliases))), length)


def read_version(replies: Replies) -> str | None:
    """What `/version` says."""
    return word(member(document(replies.get(VERSION_PATH)), "version"))


MODELS_PATH, VERSION_PATH = "/v1/models", "/version"
MODELS = Listing((Question(MODELS_PATH),), read_models)
VERSION = Versioning((Question(VERSION_PATH),), read_version)

DIALECTS: Mapping[str, Dialect] = {
    "chat": Dialect(
        "/v1/chat/completions", chat_body, read_event, read_answer, takes_messages=True, row_fields=ROW_FIELDS
    ),
    "completions": Dialect("/v1/completions", completions_body, read_event, read_answer, unknown_sampling=no_tools),
    embeddings.EMBEDDINGS: embeddings.DIALECT,
}

ADAPTER = Adapter(
    name="openai",
    settings=OpenAISettings,
    dialects=DIALECTS,
    models=MODELS,
    version=VERSION,
    metric_names=metric_names.EVERY,
    ran_against="llama.cpp",
)
