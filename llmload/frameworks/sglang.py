"""SGLang: an OpenAI-compatible server, and its own `/generate`.

Its `/health` runs a generation of its own, so it is asked once before the load and never while measuring. `/generate`
takes the bare prompt and streams all the text so far with every event, unless the server was started with
`--incremental-streaming-output`. Source: docs.sglang.ai, "Sampling Parameters"; captures of release 0.5.23.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

import orjson
from annotated_types import Ge, Gt, Le

from llmload.endpoint import Endpoint
from llmload.frameworks import metric_names, openai
from llmload.frameworks.adapter import Adapter, Dialect, Event, Question, Replies, Unrepeated, Usage, Versioning
from llmload.frameworks.error_body import found_error
from llmload.frameworks.replies import count, document, member, word
from llmload.planned import PlannedRequest

_INFO = ("/server_info", "/get_server_info")  # its present name, and the older one
_NAMES = {"max_tokens": "max_new_tokens", "min_tokens": "min_new_tokens", "seed": "sampling_seed"}
_DONE = Event(is_last=True)


@dataclass(frozen=True, slots=True)
class SglangSettings:
    """How the server was started: the flags of `sglang.launch_server`."""

    tensor_parallel_size: Annotated[int, Ge(1)] = 1
    chunked_prefill: bool = True
    mem_fraction_static: Annotated[float, Gt(0), Le(1)] = 0.9


def generate_body(endpoint: Endpoint, request: PlannedRequest) -> bytes:
    """The request of `/generate`: the bare prompt, no model."""
    sampling = {**endpoint.sampling, "max_tokens": request.output_tokens}
    named = {_NAMES.get(name, name): value for name, value in sampling.items()}
    return orjson.dumps({"text": request.prompt, "sampling_params": named, "stream": endpoint.stream})


def _no_conversation(endpoint: Endpoint) -> tuple[str, ...]:
    return tuple(name for name in endpoint.sampling if name in openai.ROW_FIELDS)


def read_event(payload: bytes) -> Event:
    """One event of `/generate`: the whole text so far, and the counts so far."""
    return _DONE if payload == b"[DONE]" else _meaning(orjson.loads(payload))


def read_answer(body: bytes) -> Event:
    """A whole answer of `/generate`; ValueError when it has neither text nor an error."""
    event = _meaning(orjson.loads(body))
    if event.error is None and b'"text"' not in body:
        raise ValueError("the answer has no text")
    return event


def _meaning(told: object) -> Event:
    if not isinstance(told, dict):
        raise ValueError("the event is not a JSON object")
    text = told.get("text", "")
    if not isinstance(text, str):
        raise ValueError("text is not text")
    meta, error = told.get("meta_info"), found_error(told)
    finish = member(meta, "finish_reason")  # an object; a word in old releases
    reason = word(member(finish, "type")) or word(finish)
    if reason == "abort" and error is None:
        error = word(member(finish, "message")) or "the server aborted the request"
    usage = None
    if isinstance(meta, dict):
        counts = ("prompt_tokens", "completion_tokens", "cached_tokens")
        usage = Usage(*(count(meta.get(name)) for name in counts))
    return Event(text, "", usage, reason, error=error)


def _info(replies: Replies) -> object:
    return next((told for path in _INFO if (told := document(replies.get(path))) is not None), None)


def learn(replies: Replies) -> Mapping[str, object]:
    """Whether `/generate` streams only what is new; `stream_output` is the flag's name in older releases."""
    info = _info(replies)
    is_new = member(info, "incremental_streaming_output") is True or member(info, "stream_output") is True
    return {"streams_only_new": is_new}


def settle(dialect: Dialect, endpoint: Endpoint) -> Dialect:
    """`/generate` as this server streams it."""
    return replace(dialect, memory=None) if endpoint.learnt.get("streams_only_new") is True else dialect


def read_version(replies: Replies) -> str | None:
    """What the server's own account of itself says."""
    return word(member(_info(replies), "version"))


def read_actual(replies: Replies) -> Mapping[str, object]:
    """The flags that the server tells it was started with."""
    info = _info(replies)
    told: dict[str, object] = {}
    if (size := count(member(info, "tp_size"))) is not None:
        told["tensor_parallel_size"] = size
    if isinstance(share := member(info, "mem_fraction_static"), float):
        told["mem_fraction_static"] = share
    if isinstance(chunk := member(info, "chunked_prefill_size"), int):
        told["chunked_prefill"] = chunk > 0  # -1 turns it off
    return told


_QUESTIONS = tuple(Question(path) for path in _INFO)

ADAPTER = Adapter(
    name="sglang",
    settings=SglangSettings,
    dialects={
        **openai.DIALECTS,
        "generate": Dialect(
            "/generate",
            generate_body,
            read_event,
            read_answer,
            memory=Unrepeated,
            unknown_sampling=_no_conversation,
        ),
    },
    models=openai.MODELS,
    version=Versioning(_QUESTIONS, read_version),
    questions=_QUESTIONS,
    read_actual=read_actual,
    lessons=_QUESTIONS,
    learn=learn,
    settle=settle,
    metric_names=metric_names.SGLANG,
)
