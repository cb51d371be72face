"""Ollama: its own API, which streams one JSON document a line, and its OpenAI-compatible one.

Written from its documentation (docs/api.md in github.com/ollama/ollama, docs.ollama.com/api); never run against a real
Ollama, since none can be had where this was written. Its server cuts a prompt that is longer than its context without a
word, and ignores options that it does not know, so those are left out and reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import orjson
from annotated_types import Ge

from llmload.endpoint import Endpoint
from llmload.frameworks import embeddings, openai
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
from llmload.frameworks.error_body import found_error
from llmload.frameworks.replies import count, document, items, member, whole, word
from llmload.planned import PlannedRequest

_TAGS, _LOADED, _VERSION = "/api/tags", "/api/ps", "/api/version"
_LATEST = ":latest"
_FIELDS = ("keep_alive", "think", "format", "system", "template", "raw")
"""Fields of a request beside its options, which an author may write among `workload.sampling`."""
_TOOLS = "tools"
"""One more, of conversations only."""
_OPTIONS = {
    **{name: name for name in ("temperature", "top_p", "top_k", "min_p", "typical_p", "seed", "stop", "num_keep")},
    **{name: name for name in ("presence_penalty", "frequency_penalty", "repeat_penalty", "repeat_last_n")},
    **{name: name for name in ("mirostat", "mirostat_tau", "mirostat_eta", "num_batch", "num_thread", "main_gpu")},
    "repetition_penalty": "repeat_penalty",
}
"""Sampling fields by the name of the option that they become."""
_OPENAI_FIELDS = (
    *("temperature", "top_p", "seed", "stop", "presence_penalty", "frequency_penalty"),
    *("response_format", "reasoning_effort", "reasoning", "tools"),
)


@dataclass(frozen=True, slots=True)
class OllamaSettings:
    """How the model is loaded: Ollama's options `num_ctx` and `num_gpu` (layers that GPUs take; 0 = none).

    Those that are written go with every request of Ollama's own API, since that is how Ollama is told.
    """

    context_length: Annotated[int, Ge(1)] = 4096
    num_gpu: Annotated[int, Ge(0)] = 1


def chat_body(endpoint: Endpoint, request: PlannedRequest) -> bytes:
    """The request of `/api/chat`: one user message, or a conversation, and what its row asks beside it.

    Contents are texts here, no lists of parts; arguments of calls are objects, and a tool is known by its name.
    """
    asked, names = request.fields, _names_of_calls(request.conversation)
    messages = [_message(message, names) for message in request.conversation]
    beside = {"tools": asked["tools"]} if "tools" in asked else {}
    if "response_format" in asked:
        beside["format"] = _format(asked["response_format"])
    return _body(endpoint, request, {**beside, "messages": messages})


def _names_of_calls(messages: Sequence[Mapping[str, object]]) -> Mapping[object, object]:
    calls = [call for message in messages for call in items(message.get("tool_calls"))]
    return {member(call, "id"): member(call, "function", "name") for call in calls}


def _message(message: Mapping[str, object], names: Mapping[object, object]) -> Mapping[str, object]:
    told = {"role": message["role"], "content": _one_text(message["content"])}
    if images := _images(message["content"]):
        told["images"] = images
    if calls := items(message.get("tool_calls")):
        functions = [
            {"name": member(call, "function", "name"), "arguments": _object(member(call, "function", "arguments"))}
            for call in calls
        ]
        told["tool_calls"] = [{"function": function} for function in functions]
    if "tool_call_id" in message:
        told["tool_name"] = names.get(message["tool_call_id"])
    return told


def _object(arguments: object) -> object:
    return orjson.loads(arguments or "{}") if isinstance(arguments, str) else {}


def _format(wanted: object) -> object:
    """`json`, or the schema itself; a text may have any form."""
    schema = member(wanted, "json_schema", "schema") or member(wanted, "schema")
    if schema is not None:
        return schema
    return None if member(wanted, "type") == "text" else "json"


def _one_text(content: object) -> object:
    if not isinstance(content, list):
        return content or ""
    return "".join(part.get("text", "") for part in content)


def _images(content: object) -> list[str]:
    """The images among the parts, in base64 without the head of their data URL, as Ollama takes them."""
    urls = (word(member(part, "image_url", "url")) for part in items(content))
    return [url.partition(",")[2] for url in urls if url]


def generate_body(endpoint: Endpoint, request: PlannedRequest) -> bytes:
    """The request of `/api/generate`, to which Ollama applies the model's template unless `raw` says no."""
    return _body(endpoint, request, {"prompt": request.prompt})


def _body(endpoint: Endpoint, request: PlannedRequest, prompt: Mapping[str, object]) -> bytes:
    sampling, settings = endpoint.sampling, endpoint.settings
    options = {_OPTIONS[name]: value for name, value in sampling.items() if name in _OPTIONS}
    if "context_length" in settings:
        options["num_ctx"] = settings["context_length"]
    if "num_gpu" in settings:
        options["num_gpu"] = settings["num_gpu"]
    options["num_predict"] = request.output_tokens
    fields = {name: value for name, value in sampling.items() if name in (*_FIELDS, _TOOLS)}
    planned: dict[str, object] = {"model": endpoint.model, **prompt, "stream": endpoint.stream, "options": options}
    return orjson.dumps({**fields, **planned})


def _no_option(endpoint: Endpoint) -> tuple[str, ...]:
    return tuple(name for name in _no_tool_option(endpoint) if name != _TOOLS)


def _no_tool_option(endpoint: Endpoint) -> tuple[str, ...]:
    return tuple(name for name in endpoint.sampling if name not in _OPTIONS and name not in _FIELDS)


def _no_openai_field(endpoint: Endpoint) -> tuple[str, ...]:
    return tuple(name for name in endpoint.sampling if name not in _OPENAI_FIELDS)


def read_event(payload: bytes) -> Event:
    """One line of either API; ValueError when it is not JSON or not of this protocol.

    The line with `done: true` is the last one and has the counts; an `error` may take the place of any line.
    """
    told = orjson.loads(payload)
    if not isinstance(told, dict):
        raise ValueError("the line is not a JSON object")
    message = told.get("message")
    call = ""
    if isinstance(message, dict):
        answer, thought, call = _text(message.get("content")), _text(message.get("thinking")), _calls(message)
    else:
        answer, thought = _text(told.get("response")), _text(told.get("thinking"))
    if told.get("done") is not True:
        return Event(answer, thought, error=found_error(told), call=call)
    usage = Usage(count(told.get("prompt_eval_count")), count(told.get("eval_count")))
    finish = word(told.get("done_reason")) or "stop"  # older releases do not say why
    return Event(answer, thought, usage, finish, is_last=True, error=found_error(told), call=call)


def read_answer(body: bytes) -> Event:
    """A whole answer of either API; ValueError when it is neither a complete one nor an error."""
    event = read_event(body)
    if event.error is None and not event.is_last:
        raise ValueError("the answer is not done")
    return event


def _text(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError("the text of a line is not text")
    return value


def _calls(message: Mapping[str, object]) -> str:
    """Names and arguments of tool calls, which Ollama tells whole."""
    return "".join(_call_parts(message))


def _call_parts(message: Mapping[str, object]) -> Iterator[str]:
    for call in items(message.get("tool_calls")):
        yield word(member(call, "function", "name")) or ""
        if arguments := member(call, "function", "arguments"):
            yield orjson.dumps(arguments).decode()


def read_models(replies: Replies) -> tuple[ServedModel, ...]:
    """Every installed model, by its name with and without `:latest`; the context of those that are loaded now."""
    contexts = {
        word(member(entry, "name")): whole(member(entry, "context_length"))
        for entry in items(member(document(replies.get(_LOADED)), "models"))
    }
    names = [word(member(entry, "name")) for entry in items(member(document(replies.get(_TAGS)), "models"))]
    return tuple(
        ServedModel((name, name.removesuffix(_LATEST)) if name.endswith(_LATEST) else (name,), contexts.get(name))
        for name in names
        if name
    )


def read_version(replies: Replies) -> str | None:
    """What `/api/version` says."""
    return word(member(document(replies.get(_VERSION)), "version"))


def read_actual(replies: Replies) -> Mapping[str, object]:
    """The context with which the one loaded model runs; nothing where several are, since any of them may be meant."""
    loaded = items(member(document(replies.get(_LOADED)), "models"))
    length = whole(member(loaded[0], "context_length")) if len(loaded) == 1 else None
    return {} if length is None else {"context_length": length}


DIALECTS: Mapping[str, Dialect] = {
    "chat": Dialect(
        "/api/chat",
        chat_body,
        read_event,
        read_answer,
        framing="ndjson",
        unknown_sampling=_no_option,
        takes_messages=True,
        row_fields=("tools", "response_format"),
    ),
    "generate": Dialect(
        "/api/generate", generate_body, read_event, read_answer, framing="ndjson", unknown_sampling=_no_tool_option
    ),
    "openai": replace(
        openai.DIALECTS["chat"], unknown_sampling=_no_openai_field, row_fields=("tools", "response_format")
    ),
    "completions": replace(openai.DIALECTS["completions"], unknown_sampling=_no_openai_field),
    embeddings.EMBEDDINGS: embeddings.DIALECT,
}

ADAPTER = Adapter(
    name="ollama",
    settings=OllamaSettings,
    dialects=DIALECTS,
    models=Listing((Question(_TAGS), Question(_LOADED)), read_models),
    version=Versioning((Question(_VERSION),), read_version),
    ready_paths=(_VERSION,),
    optional_sampling=(),
    questions=(Question(_LOADED),),
    read_actual=read_actual,
    context_setting="context_length",
)
