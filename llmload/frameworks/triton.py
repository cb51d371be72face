"""Triton Inference Server: its generate extension, for TensorRT-LLM, the vLLM backend and models in Python.

Which inputs a model has is its author's business, so they are learnt from its configuration, and a request holds only
those. An answer is `text_output`, in parts if the model is decoupled; the end of the body is the end of the answer. The
vLLM backend of release 24.12 and later tells counts and the reason for the end when asked, newer TensorRT-LLM models
tell counts; from others tokens are counted here. Sources: docs/protocol/extension_generate.md in
github.com/triton-inference-server/server, the configurations in tensorrtllm_backend, docs/additional_outputs.md in
vllm_backend. TensorRT-LLM's own OpenAI server is tested as `framework: openai`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import orjson
from annotated_types import Ge

from llmload.endpoint import Endpoint
from llmload.frameworks import metric_names
from llmload.frameworks.adapter import (
    Adapter,
    Dialect,
    Event,
    Listing,
    Question,
    ReadEvent,
    Replies,
    ServedModel,
    Unrepeated,
    Usage,
    Versioning,
)
from llmload.frameworks.error_body import found_error
from llmload.frameworks.replies import count, document, items, member, whole, word
from llmload.planned import PlannedRequest

_CONFIG, _INDEX, _SERVER = "/v2/models/{model}/config", "/v2/repository/index", "/v2"
_PROMPT = "text_input"
_SAMPLING = "sampling_parameters"  # vLLM's parameters, as JSON inside a string
_TELL_TOKENS, _TELL_FINISH = "return_num_output_tokens", "return_finish_reason"
_EXCLUDE = "exclude_input_in_output"
_PREFIX = "sampling_param_"  # of TensorRT-LLM's LLM API model
_WISHES = (_EXCLUDE, _TELL_TOKENS, "return_num_input_tokens", _TELL_FINISH)
"""Inputs that make the model tell what we need; true where it has them."""
_TENSORS = {
    "max_tokens": ("max_tokens", "request_output_len"),
    "min_tokens": ("min_tokens", "min_length"),
    "seed": ("seed", "random_seed"),
    "stop": ("stop_words", "stop"),
    "stream": ("stream", "streaming"),
    _EXCLUDE: (_EXCLUDE, f"{_PREFIX}exclude_input_from_output"),
}
"""Under which names models take a field, newest first; every other field has its own name."""
_ASSUMED = {_PROMPT: "TYPE_STRING", "max_tokens": "TYPE_INT32", "stream": "TYPE_BOOL"}
"""Inputs of a model that does not tell them."""


@dataclass(frozen=True, slots=True)
class TritonSettings:
    """What stands in the model's `config.pbtxt`: its backend, and how many instances of it run."""

    backend: Literal["tensorrt_llm", "vllm", "python"] = "tensorrt_llm"
    instance_count: Annotated[int, Ge(1)] = 1


# ---------------------------------------------------------------- asking


def generate_body(endpoint: Endpoint, request: PlannedRequest) -> bytes:
    """The request of `generate` and `generate_stream`: inputs of the model by name, each of the type it declares."""
    inputs = _inputs(endpoint)
    wanted = {**endpoint.sampling, "max_tokens": request.output_tokens, "stream": endpoint.stream}
    wanted.update(dict.fromkeys(_WISHES, True))
    tensors: dict[str, object] = {name: "" for name in _required(endpoint) if inputs.get(name) == "TYPE_STRING"}
    tensors[_PROMPT] = request.prompt
    for name, value in wanted.items():
        if (tensor := _tensor(name, inputs)) is not None:
            tensors[tensor] = _as_type(value, inputs[tensor])
    if _SAMPLING in inputs:
        others = {name: wanted[name] for name in (*endpoint.sampling, "max_tokens") if _tensor(name, inputs) is None}
        tensors[_SAMPLING] = orjson.dumps(others).decode()
    return orjson.dumps(tensors)


def _unknown(endpoint: Endpoint) -> tuple[str, ...]:
    inputs = _inputs(endpoint)
    if _SAMPLING in inputs:
        return ()
    return tuple(name for name in endpoint.sampling if _tensor(name, inputs) is None)


def _tensor(name: str, inputs: Mapping[str, str]) -> str | None:
    """The input that takes the field `name`."""
    if name in (_PROMPT, _SAMPLING):
        return None
    return next((each for each in (*_TENSORS.get(name, (name,)), _PREFIX + name) if each in inputs), None)


def _as_type(value: object, declared: str) -> object:
    """A number as the model declares it: 0 is no float for every reader of JSON."""
    if declared.startswith(("TYPE_FP", "TYPE_BF")) and type(value) is int:
        return float(value)
    if declared.startswith(("TYPE_INT", "TYPE_UINT")) and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _inputs(endpoint: Endpoint) -> Mapping[str, str]:
    told = endpoint.learnt.get("inputs")
    return told if isinstance(told, Mapping) else _ASSUMED


def _required(endpoint: Endpoint) -> list[str]:
    return [name for name in items(endpoint.learnt.get("required")) if isinstance(name, str)]


def learn(replies: Replies) -> Mapping[str, object]:
    """The inputs of the model with their types, which of them it requires, and whether it repeats all text so far.

    TensorRT-LLM's BLS model with `accumulate_tokens` streams the whole text with every response.
    """
    config = document(replies.get(_CONFIG))
    inputs = {name: each for each in items(member(config, "input")) if (name := word(member(each, "name")))}
    if not inputs:
        return {}
    accumulates = word(member(config, "parameters", "accumulate_tokens", "string_value")) or ""
    return {
        "inputs": {name: word(member(each, "data_type")) or "" for name, each in inputs.items()},
        "required": [name for name, each in inputs.items() if member(each, "optional") is not True],
        "repeats_text": accumulates.lower() in ("true", "1"),
    }


# ---------------------------------------------------------------- reading


class Summed:
    """Reads the events of one answer of which each counts only its own tokens, and tells the sum so far."""

    __slots__ = ("_read_event", "_tokens")

    def __init__(self, read_event: ReadEvent) -> None:
        self._read_event, self._tokens = read_event, 0

    def __call__(self, payload: bytes) -> Event:
        event = self._read_event(payload)
        if event.usage is None or event.usage.output_tokens is None:
            return event
        self._tokens += event.usage.output_tokens
        return event._replace(usage=replace(event.usage, output_tokens=self._tokens))


def read_event(payload: bytes) -> Event:
    """One response of the model; ValueError when it is not JSON or not of this protocol."""
    told = orjson.loads(payload)
    if not isinstance(told, dict):
        raise ValueError("the response is not a JSON object")
    text = _first(told.get("text_output", ""))
    if not isinstance(text, str):
        raise ValueError("text_output is not text")
    tokens = count(_first(told.get("num_output_tokens")))
    usage = None if tokens is None else Usage(count(_first(told.get("num_input_tokens"))), tokens)
    finish = word(_first(told.get("finish_reason")))
    return Event(text, "", usage, None if finish == "None" else finish, error=found_error(told))


def read_answer(body: bytes) -> Event:
    """A whole answer; ValueError when it has neither text nor an error."""
    event = read_event(body)
    if event.error is None and b'"text_output"' not in body:
        raise ValueError("the answer has no text_output")
    return event


def _first(value: object) -> object:
    """The first of several sequences (batches and beams come as lists); a plain value stands for itself."""
    return (value[0] if value else None) if isinstance(value, list) else value


def settle(dialect: Dialect, endpoint: Endpoint) -> Dialect:
    """The dialect of this model: whether it counts tokens, tells why it stopped, or repeats its text."""
    inputs = _inputs(endpoint)
    counts, repeats = _TELL_TOKENS in inputs, endpoint.learnt.get("repeats_text") is True
    memory = _summed_and_unrepeated if counts and repeats else Summed if counts else Unrepeated if repeats else None
    return replace(dialect, memory=memory, tells_finish=_TELL_FINISH in inputs)


def _summed_and_unrepeated(read_event: ReadEvent) -> ReadEvent:
    """TensorRT-LLM's newer BLS models do both: all the text, and the tokens of this response alone."""
    return Summed(Unrepeated(read_event))


# ---------------------------------------------------------------- what it tells of itself


def read_models(replies: Replies) -> tuple[ServedModel, ...]:
    """Every model of the repository that is ready, whichever versions of it; parts of an ensemble are among them."""
    return tuple(ServedModel((name,), None) for name in dict.fromkeys(_ready(items(document(replies.get(_INDEX))))))


def _ready(entries: list[object]) -> Iterator[str]:
    for entry in entries:
        name = word(member(entry, "name"))
        if name is not None and member(entry, "state") in (None, "READY"):
            yield name


def read_version(replies: Replies) -> str | None:
    """The version of the server, not of the backend."""
    return word(member(document(replies.get(_SERVER)), "version"))


def read_actual(replies: Replies) -> Mapping[str, object]:
    """Backend and instances of the model; an ensemble has no instances, and the backend of what it is made of."""
    config = document(replies.get(_CONFIG))
    told = {"backend": _backend(config), "instance_count": _instances(config)}
    return {name: value for name, value in told.items() if value is not None}


def _backend(config: object) -> str | None:
    steps = items(member(config, "ensemble_scheduling", "step"))
    inner = [word(member(step, "model_name")) or "" for step in steps]
    parameters = member(config, "parameters")
    names = [*inner, *(parameters if isinstance(parameters, dict) else ())]
    if any(name.startswith("tensorrt_llm") for name in names):
        return "tensorrt_llm"
    backend = word(member(config, "backend"))
    return {"tensorrtllm": "tensorrt_llm"}.get(backend, backend) if backend else None


def _instances(config: object) -> int | None:
    return whole(sum(whole(member(group, "count")) or 0 for group in items(member(config, "instance_group"))))


ADAPTER = Adapter(
    name="triton",
    settings=TritonSettings,
    dialects={
        "generate": Dialect(
            "/v2/models/{model}/generate_stream",
            generate_body,
            read_event,
            read_answer,
            tells_finish=False,
            whole_path="/v2/models/{model}/generate",
            unknown_sampling=_unknown,
        )
    },
    models=Listing((Question(_INDEX, b"{}"),), read_models),
    version=Versioning((Question(_SERVER),), read_version),
    ready_paths=("/v2/health/ready",),
    unready=(400, 503),
    questions=(Question(_CONFIG),),
    read_actual=read_actual,
    ran_against="Triton 2.51, models in Python",
    lessons=(Question(_CONFIG),),
    learn=learn,
    settle=settle,
    metric_names=metric_names.TRITON,
    metrics_port=8002,
)
