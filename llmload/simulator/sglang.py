"""SGLang's native `/generate`, whose every event repeats all text so far, and what it tells of how it was started.

Its OpenAI path is openai.py's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from llmload import __version__
from llmload.simulator.answers import WORDS, word_index
from llmload.simulator.openai_stream import DONE
from llmload.simulator.protocol import (
    END_OF_CHUNKS,
    EVENT_STREAM,
    Answer,
    Api,
    Asked,
    Finish,
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
from llmload.simulator.tokens import token_id, tokens_of

_DEFAULT_LIMIT = 128
_END_TOKEN = 2
_IDS = tuple(token_id(word) for word in WORDS)


@dataclass(frozen=True, slots=True)
class GenerateApi:
    """`/generate`."""

    def read(self, body: bytes, served: Served) -> Asked:
        """What a request asks for; RefusedError says how SGLang would refuse it."""
        try:
            document = object_of(body)
            tokens = _tokens(document)
            sampling = document.get("sampling_params") or {}
            if not isinstance(sampling, dict):
                raise ValueError("sampling_params must be an object")
            limit = integer(sampling, "max_new_tokens", _DEFAULT_LIMIT)
            minimum = integer(sampling, "min_new_tokens", 0)
            if not 0 <= minimum <= limit or limit < 1:
                raise ValueError(f"min_new_tokens must be in [0, max_new_tokens({limit})], got {minimum}.")
            if len(tokens) + limit > served.context:
                raise ValueError(_too_long(len(tokens), limit, served.context))
        except ValueError as error:
            raise RefusedError(_error(400, str(error))) from None
        return Asked(
            tokens,
            limit,
            page=_write_page,
            stream=SglangStream if document.get("stream") is True else None,
            minimum=minimum,
            ignore_eos=sampling.get("ignore_eos") is True,
        )

    def failure(self, status: int, message: str) -> Page:
        """The native API's error body, which is also what stands in a stream."""
        return _error(status, message)


class SglangStream:
    """The events of one streamed answer: each has all the text, and all ids of tokens, up to it."""

    def __init__(self, answer: Answer) -> None:
        self._answer, self._epoch_ns = answer, _epoch_ns()
        self._text = ""
        self._ids: list[int] = []

    def opening(self, *, keep_alive: bool) -> bytes:
        """The response head: nothing is said before the first token."""
        return stream_head(EVENT_STREAM, keep_alive=keep_alive)

    def token(self, word: int) -> bytes:
        """One more token, after everything before it."""
        return self._event(word, _meta(self._answer, len(self._ids) + 1, self._epoch_ns))

    def ending(self, word: int) -> bytes:
        """The last token with the reason and the server's own view of how long it took, and [DONE]."""
        meta = _meta(self._answer, len(self._ids) + 1, self._epoch_ns)
        return self._event(word, meta | _outcome(self._answer, self._epoch_ns)) + DONE + END_OF_CHUNKS

    def malformed(self) -> bytes:
        """An event that breaks off in the middle of its JSON."""
        return chunk(b'data: {"text":" \n\n')

    def failure(self, message: str) -> bytes:
        """The event of an error, which [DONE] follows."""
        return chunk(b"data: " + _error(400, message).body + b"\n\n") + DONE + END_OF_CHUNKS

    def _event(self, word: int, meta: Mapping[str, object]) -> bytes:
        self._text += f" {WORDS[word]}"
        self._ids.append(_IDS[word])
        event = orjson.dumps({"text": self._text, "output_ids": self._ids, "meta_info": meta})
        return chunk(b"data: " + event + b"\n\n")


def apis(_served: Served) -> Mapping[str, Api]:
    """The path that generates."""
    return {"/generate": GenerateApi()}


def pages(served: Served) -> Pages:
    """The model and the server, under their present names and those of older releases."""
    model = page_of(
        {
            "model_path": served.model,
            "served_model_name": served.model,
            "tokenizer_path": served.model,
            "is_generation": True,
            "preferred_sampling_params": None,
            "weight_version": "default",
        }
    )
    machine = served.machine
    server = page_of(
        {
            "model_path": served.model,
            "served_model_name": served.model,
            "context_length": served.context,
            "quantization": None,
            "tp_size": 1,
            "max_running_requests": machine.max_num_seqs,
            "max_total_tokens": machine.kv_cache_tokens,
            "chunked_prefill_size": machine.prefill_budget_tokens,
            "disable_radix_cache": not served.prefix_cache,
            "status": "ready",
            "max_total_num_tokens": machine.kv_cache_tokens,
            "version": f"simulator-{__version__}",
        }
    )
    return {
        ("GET", "/model_info"): model,
        ("GET", "/get_model_info"): model,
        ("GET", "/server_info"): server,
        ("GET", "/get_server_info"): server,
        ("GET", "/health"): lambda _body: Page(200, b""),
        ("GET", "/health_generate"): lambda _body: Page(200, b""),
    }


def _tokens(document: Mapping[str, object]) -> list[str]:
    text, ids = document.get("text"), document.get("input_ids")
    if isinstance(text, list) and len(text) == 1:
        text = text[0]
    if isinstance(text, str) and ids is None:
        tokens = tokens_of(text)
    elif text is None and isinstance(ids, list) and all(type(token) is int for token in ids):
        tokens = [str(token) for token in ids]
    else:
        raise ValueError("Either text or input_ids should be provided, one prompt of them.")
    if not tokens:
        raise ValueError("the prompt is empty")
    return tokens


def _too_long(prompt: int, limit: int, context: int) -> str:
    return (
        f"Requested token count exceeds the model's maximum context length of {context} tokens. You requested a total "
        f"of {prompt + limit} tokens: {prompt} tokens from the input messages and {limit} tokens for the completion. "
        "Please reduce the number of tokens in the input messages or the completion to fit within the limit."
    )


def _error(status: int, message: str) -> Page:
    return Page(status, orjson.dumps({"error": {"message": message}}))


def _write_page(answer: Answer) -> Page:
    """An answer in one piece."""
    made, epoch_ns = answer.generation.generated, _epoch_ns()
    meta = _meta(answer, made, epoch_ns) | _outcome(answer, epoch_ns)
    ids = [_IDS[word_index(answer.digest, place)] for place in range(made)]
    return Page(200, orjson.dumps({"text": answer.text, "output_ids": ids, "meta_info": meta}))


def _meta(answer: Answer, made: int, epoch_ns: int) -> dict[str, object]:
    """`meta_info` of any event; instants are of the engine's model of time, as seconds since 1970."""
    generation = answer.generation
    admitted = generation.admitted_ns or generation.arrival_ns
    first = generation.first_ns or admitted
    meta: dict[str, object] = {
        "id": f"{answer.number:032x}",
        "finish_reason": None,
        "prompt_tokens": generation.prompt_tokens,
        "weight_version": "default",
        "num_retractions": 0,
        "storage_prefetch_wait": 0.0,
        "storage_staging_wait": 0.0,
        "forward_entry_time": (epoch_ns + admitted) / 1e9,
        "prefill_finished_time": (epoch_ns + first) / 1e9,
        "queue_time": (admitted - generation.arrival_ns) / 1e9,
        "reasoning_tokens": 0,
        "completion_tokens": made,
        "cached_tokens": generation.cached_tokens,
        "cached_tokens_details": None,
        "dp_rank": None,
    }
    if made == 1:
        meta["response_sent_to_client_ts"] = time.time()
    return meta


def _outcome(answer: Answer, epoch_ns: int) -> dict[str, object]:
    """What `meta_info` of the last event tells besides."""
    generation = answer.generation
    arrived, made = generation.arrival_ns, generation.generated
    first = generation.first_ns or arrived
    ended = generation.ended_ns or first
    decode_s = (ended - first) / 1e9
    return {
        "finish_reason": (
            {"type": "length", "length": made}
            if answer.finish is Finish.LENGTH
            else {"type": "stop", "matched": _END_TOKEN}
        ),
        "weight_versions": [{"version": "default", "start": 0, "end": made}],
        "e2e_latency": (ended - arrived) / 1e9,
        "request_received_ts": (epoch_ns + arrived) / 1e9,
        "first_token_latency": (first - arrived) / 1e9,
        "api_server_dispatch_finish_ts": (epoch_ns + arrived) / 1e9,
        "response_sent_to_client_ts": (epoch_ns + first) / 1e9,
        "request_finished_ts": (epoch_ns + ended) / 1e9,
        "decode_throughput": (made - 1) / decode_s if decode_s else 0.0,
    }


def _epoch_ns() -> int:
    """What turns an instant of our clock into one since 1970."""
    return time.time_ns() - time.monotonic_ns()
