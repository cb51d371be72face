"""Triton's generate extension, over a decoupled model with the inputs of its vLLM backend and `max_tokens`.

As with a real one there is no usage, no finish reason and no [DONE], an error may have status 200, and without
`stream` even `generate_stream` sends the whole answer at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

import orjson

from llmload import __version__
from llmload.simulator.answers import WORDS
from llmload.simulator.protocol import (
    END_OF_CHUNKS,
    EVENT_STREAM,
    Answer,
    Api,
    Asked,
    Page,
    Pages,
    RefusedError,
    Respond,
    Served,
    chunk,
    integer,
    object_of,
    page_of,
    stream_head,
)
from llmload.simulator.tokens import tokens_of

_DEFAULT_LIMIT = 16
_INPUTS = {
    "text_input": "STRING",
    "stream": "BOOL",
    "max_tokens": "INT32",
    "sampling_parameters": "STRING",
    "exclude_input_in_output": "BOOL",
}
_NOT_ONE_RESPONSE = (
    "generate expects model to produce exactly 1 response, use generate stream for model that generates various "
    "number of responses"
)
_EXTENSIONS = ("model_repository", "model_configuration", "parameters", "statistics")


@dataclass(frozen=True, slots=True)
class Generate:
    """`/generate`: one response in JSON."""

    def read(self, body: bytes, served: Served) -> Asked:
        """What a request asks for; one that asks for a stream gets an error with status 200."""
        inputs = _inputs(body, served)
        if inputs.get("stream") is True:
            raise RefusedError(Page(200, _error_body(_NOT_ONE_RESPONSE)))
        return _asked(self, inputs, served)

    def failure(self, status: int, message: str) -> Page:
        """What the model answered in place of a text."""
        return Page(status, _error_body(message))

    def page(self, served: Served, answer: Answer) -> Page:
        """The answer in one piece."""
        return Page(200, _text_body(served, answer.text))


@dataclass(frozen=True, slots=True)
class GenerateStream:
    """`/generate_stream`: one event for each response of the model."""

    def read(self, body: bytes, served: Served) -> Asked:
        """What a request asks for; RefusedError says how Triton would refuse it."""
        return _asked(self, _inputs(body, served), served)

    def failure(self, status: int, message: str) -> Page:
        """An error as the first response: an event, whatever the status."""
        return Page(status, _event(_error_body(message)), EVENT_STREAM)

    def page(self, served: Served, answer: Answer) -> Page:
        """The one event of a model that was not asked to stream."""
        return Page(200, _event(_text_body(served, answer.text)), EVENT_STREAM)


class TritonStream:
    """The events of one streamed answer."""

    def __init__(self, served: Served, _answer: Answer) -> None:
        self._before, self._after = _text_body(served, " ").rsplit(b'"', 1)

    def opening(self, *, keep_alive: bool) -> bytes:
        """The response head: nothing is said before the first token."""
        return stream_head(EVENT_STREAM, keep_alive=keep_alive)

    def token(self, word: int) -> bytes:
        """One token's event."""
        return chunk(_event(self._before + WORDS[word].encode("ascii") + b'"' + self._after))

    def ending(self, word: int) -> bytes:
        """The last token; the end of the body is the only end."""
        return self.token(word) + END_OF_CHUNKS

    def malformed(self) -> bytes:
        """An event that breaks off in the middle of its JSON."""
        return chunk(_event(b'{"model_name":"'))

    def failure(self, message: str) -> bytes:
        """The event of an error, the last one."""
        return chunk(_event(_error_body(message))) + END_OF_CHUNKS


def apis(served: Served) -> Mapping[str, Api]:
    """The paths that generate."""
    versions = [path for name in _paths(served) for path in (name, f"{name}/versions/1")]
    generate: dict[str, Api] = {f"{path}/generate": Generate() for path in versions}
    return generate | {f"{path}/generate_stream": GenerateStream() for path in versions}


def pages(served: Served) -> Pages:
    """Health, the server, the repository, and the model with its inputs."""
    empty = Page(200, b"", "text/plain")
    told: dict[tuple[str, str], Respond] = {
        ("GET", "/v2/health/live"): lambda _body: empty,
        ("GET", "/v2/health/ready"): lambda _body: empty,
        ("GET", "/v2"): page_of({"name": "triton", "version": f"simulator-{__version__}", "extensions": _EXTENSIONS}),
        ("POST", "/v2/repository/index"): page_of([{"name": served.model, "version": "1", "state": "READY"}]),
    }
    for path in _paths(served):
        told |= {
            ("GET", path): page_of(_metadata(served)),
            ("GET", f"{path}/ready"): lambda _body: empty,
            ("GET", f"{path}/config"): page_of(_config(served)),
        }
    return told


def unknown_model(path: str) -> Page | None:
    """Triton's refusal of a model that it does not have; None for a path that names none."""
    if not path.startswith("/v2/models/"):
        return None
    model = path.removeprefix("/v2/models/").partition("/")[0]
    return Page(404, _error_body(f"Request for unknown model: '{model}' is not found"))


def _paths(served: Served) -> list[str]:
    """The model's path, as it is and percent-encoded: clients differ."""
    return [f"/v2/models/{name}" for name in sorted({served.model, quote(served.model, safe="")})]


def _inputs(body: bytes, served: Served) -> dict[str, object]:
    """The model's inputs, from where a client may put them: the top, `parameters`, and JSON within a string."""
    try:
        document = object_of(body)
        parameters = document.get("parameters") or {}
        if not isinstance(parameters, dict):
            raise ValueError("Expected parameters to be an object")
        inputs = {**document, **parameters}
        sampling = inputs.get("sampling_parameters") or "{}"
        if not isinstance(sampling, str):
            raise ValueError("Unable to parse 'sampling_parameters': attempt to access JSON non-string as string")
        inputs = {**object_of(sampling.encode()), **inputs}
    except ValueError as error:
        raise RefusedError(Page(400, _error_body(f"failed to parse the request: {error}"))) from None
    if not isinstance(inputs.get("text_input"), str):
        got = [name for name in _INPUTS if name in inputs]
        message = (
            f"[request id: <id_unknown>] expected number of inputs between 1 and {len(_INPUTS)} but got {len(got)} "
            f"inputs for model '{served.model}'. Got input(s) {got}, but missing required input(s) ['text_input']. "
            "Please provide all required input(s)."
        )
        raise RefusedError(Page(400, _error_body(message)))
    return inputs


def _asked(api: Generate | GenerateStream, inputs: Mapping[str, object], served: Served) -> Asked:
    tokens = tokens_of(str(inputs["text_input"]))
    try:
        limit = integer(inputs, "max_tokens", _DEFAULT_LIMIT)
        minimum = integer(inputs, "min_tokens", 0)
        if not tokens:
            raise ValueError("the prompt is empty")
        if not 0 <= minimum <= limit or limit < 1:
            raise ValueError(f"max_tokens must be at least 1 and min_tokens, got {limit} and {minimum}")
        if len(tokens) + limit > served.context:
            total = f"{len(tokens)} tokens of prompt and {limit} of answer"
            raise ValueError(f"{total} are more than the model's context of {served.context}")
    except ValueError as error:
        raise RefusedError(api.failure(400, str(error))) from None
    return Asked(
        tokens,
        limit,
        page=partial(api.page, served),
        stream=partial(TritonStream, served) if inputs.get("stream") is True else None,
        minimum=minimum,
        ignore_eos=inputs.get("ignore_eos") is True,
    )


def _text_body(served: Served, text: str) -> bytes:
    return orjson.dumps({"model_name": served.model, "model_version": "1", "text_output": text})


def _error_body(message: str) -> bytes:
    return orjson.dumps({"error": message})


def _event(payload: bytes) -> bytes:
    return b"data: " + payload + b"\n\n"


def _metadata(served: Served) -> dict[str, object]:
    names = {"STRING": "BYTES"}
    inputs = [{"name": name, "datatype": names.get(kind, kind), "shape": [1]} for name, kind in _INPUTS.items()]
    outputs = [{"name": "text_output", "datatype": "BYTES", "shape": [-1]}]
    return {"name": served.model, "versions": ["1"], "platform": "python", "inputs": inputs, "outputs": outputs}


def _config(served: Served) -> dict[str, object]:
    """What of `config.pbtxt` says how the model is asked and how many of it run."""
    inputs = [
        {"name": name, "data_type": f"TYPE_{kind}", "dims": [1], "optional": name != "text_input"}
        for name, kind in _INPUTS.items()
    ]
    return {
        "name": served.model,
        "platform": "",
        "backend": "python",
        "max_batch_size": 0,
        "input": inputs,
        "output": [{"name": "text_output", "data_type": "TYPE_STRING", "dims": [-1]}],
        "instance_group": [{"name": f"{served.model}_0", "kind": "KIND_CPU", "count": 1}],
        "model_transaction_policy": {"decoupled": True},
    }
