"""OpenAI's embeddings as vLLM speaks them: a text costs its prefill, and comes back as a vector that it alone decides.

The vectors mean nothing: equal texts have equal ones, of length 1, and that is all that they have of real ones.
"""

from __future__ import annotations

import math
import struct
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b

import orjson

from llmload.simulator.openai import OpenAIApi, bad_request, check_model, read_object, refuse_fields, whole_number
from llmload.simulator.openai_stream import Kind
from llmload.simulator.protocol import Answer, Api, Asked, Page, Pages, Served
from llmload.simulator.tokens import tokens_of

DIMENSIONS = 64
"""Of a vector, where the request names no other number."""

_MOST_DIMENSIONS = 4096


@dataclass(frozen=True, slots=True)
class EmbeddingsApi:
    """`/v1/embeddings`: one text, or several at once."""

    def read(self, body: bytes, served: Served) -> Asked:
        """What a request asks for; RefusedError says how vLLM would refuse it."""
        document = read_object(body)
        refuse_fields(document, served)
        check_model(document, served)
        texts = [_tokens(text, served.context) for text in _texts(document.get("input"))]
        dimensions = whole_number(document, "dimensions", DIMENSIONS)
        if not 1 <= dimensions <= _MOST_DIMENSIONS:
            raise bad_request(f"dimensions must be between 1 and {_MOST_DIMENSIONS}", "dimensions")
        encoding = document.get("encoding_format", "float")
        if encoding not in ("float", "base64"):
            raise bad_request("encoding_format must be float or base64", "encoding_format")
        vectors = [_vector(" ".join(tokens), dimensions) for tokens in texts]
        data = [_coded(vector) for vector in vectors] if encoding == "base64" else vectors
        page = partial(_write_page, served.model, data)
        return Asked([token for tokens in texts for token in tokens], 0, page=page, ignore_eos=True)

    def failure(self, status: int, message: str) -> Page:
        """VLLM's 500, with any status."""
        return OpenAIApi(Kind.COMPLETIONS).failure(status, message)


def apis(_served: Served) -> Mapping[str, Api]:
    """The path that embeds."""
    return {"/v1/embeddings": EmbeddingsApi()}


def pages(_served: Served) -> Pages:
    """Nothing else."""
    return {}


def _texts(given: object) -> list[str]:
    texts = given if isinstance(given, list) else [given]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise bad_request("input must be a text or a list of texts", "input")
    return [str(text) for text in texts]


def _tokens(text: str, room: int) -> list[str]:
    tokens = tokens_of(text) if text.strip() else []
    if not tokens:
        raise bad_request("the input is empty", "input")
    if len(tokens) > room:
        raise bad_request(
            f"This model's maximum context length is {room} tokens. However, you requested {len(tokens)} tokens in the"
            " input for embedding generation. Please reduce the length of the input.",
            "input",
        )
    return tokens


def _vector(text: str, dimensions: int) -> list[float]:
    """A point of the unit sphere that the text decides."""
    given = text.encode("utf-8", "surrogatepass")
    drawn = b"".join(
        blake2b(given, digest_size=64, salt=part.to_bytes(8)).digest() for part in range(-(-dimensions // 64))
    )
    raw = [byte - 127.5 for byte in drawn[:dimensions]]
    length = math.sqrt(sum(each * each for each in raw))
    return [round(each / length, 7) for each in raw]


def _coded(vector: list[float]) -> str:
    return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _write_page(model: str, data: list[list[float]] | list[str], answer: Answer) -> Page:
    prompt = answer.generation.prompt_tokens
    document = {
        "id": f"embd-{answer.number:016x}",
        "object": "list",
        "created": answer.created_s,
        "model": model,
        "data": [{"index": index, "object": "embedding", "embedding": each} for index, each in enumerate(data)],
        "usage": {"prompt_tokens": prompt, "total_tokens": prompt, "completion_tokens": 0},
    }
    return Page(200, orjson.dumps(document))
