"""OpenAI's embeddings API: one text in, one vector out, in one piece; no text is generated.

Sent as https://platform.openai.com/docs/api-reference/embeddings has it, which vLLM, SGLang, Ollama and llama.cpp
follow. The vector is asked for as numbers, since not all of them know base64.
"""

from __future__ import annotations

import orjson

from llmload.endpoint import Endpoint
from llmload.frameworks.adapter import Adapter, Dialect, Event, Usage
from llmload.frameworks.error_body import found_error
from llmload.frameworks.replies import count, member
from llmload.planned import PlannedRequest

EMBEDDINGS = "embeddings"
"""What the API is called in `workload.api`, and in what is told of the target."""

_OF_ANSWERS = (
    *("temperature", "top_p", "top_k", "min_p", "typical_p", "seed", "stop", "ignore_eos", "min_tokens", "logprobs"),
    *("presence_penalty", "frequency_penalty", "repetition_penalty", "repeat_penalty", "response_format", "tools"),
)
"""Sampling fields that say how an answer is generated, of which there is none here."""
_NUMBERS = {int, float}
_NEEDS = (
    "Serve a model that embeds (vLLM: --runner pooling, SGLang: --is-embedding, llama.cpp: --embeddings), or delete"
    " workload.api"
)


def text_apis(adapter: Adapter) -> tuple[str, ...]:
    """What `target.api` may name of a framework; embeddings are asked for by the workload."""
    return tuple(name for name in adapter.dialects if name != EMBEDDINGS)


def embeddings_body(endpoint: Endpoint, request: PlannedRequest) -> bytes:
    """The request of `/v1/embeddings`; of sampling it takes what embeddings know, such as `dimensions`."""
    asked = {"model": endpoint.model, "input": request.prompt, "encoding_format": "float"}
    return orjson.dumps({**endpoint.sampling, **asked})


def read_embedding(body: bytes) -> Event:
    """A whole answer; ValueError when it is neither a vector nor an error.

    An embedding has no output tokens, whether or not the server says so.
    """
    document = orjson.loads(body)
    if not isinstance(document, dict):
        raise ValueError("the answer is not a JSON object")
    if (error := found_error(document)) is not None:
        return Event(error=error)
    data = document.get("data")
    vector = member(data[0], "embedding") if isinstance(data, list) and data else None
    if not isinstance(vector, list) or not vector or not _NUMBERS.issuperset(map(type, vector)):
        raise ValueError("the answer holds no embedding (data[0].embedding is no list of numbers)")
    prompt = count(member(document, "usage", "prompt_tokens"))
    cached = count(member(document, "usage", "prompt_tokens_details", "cached_tokens"))
    return Event(usage=Usage(prompt, 0, cached))


def _of_answers(endpoint: Endpoint) -> tuple[str, ...]:
    return tuple(name for name in endpoint.sampling if name in _OF_ANSWERS)


DIALECT = Dialect(
    "/v1/embeddings",
    embeddings_body,
    read_embedding,
    read_embedding,
    unknown_sampling=_of_answers,
    needs=_NEEDS,
)
