"""What vLLM answers beside OpenAI's protocol: that it is alive, its version, and its tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import orjson

from llmload import __version__
from llmload.simulator.openai import check_model, prompt_tokens, read_object
from llmload.simulator.openai_stream import Kind
from llmload.simulator.protocol import Api, Page, Pages, RefusedError, Served, page_of
from llmload.simulator.tokens import token_id


def apis(_served: Served) -> Mapping[str, Api]:
    """None of its own that generates."""
    return {}


def pages(served: Served) -> Pages:
    """Health, version, and the count of a prompt's tokens."""
    return {
        ("GET", "/health"): lambda _body: Page(200, b""),
        ("GET", "/version"): page_of({"version": f"simulator-{__version__}"}),
        ("POST", "/tokenize"): partial(_tokenize, served),
    }


def _tokenize(served: Served, body: bytes) -> Page:
    try:
        document = read_object(body)
        check_model(document, served)
        tokens = prompt_tokens(Kind.CHAT if "messages" in document else Kind.COMPLETIONS, document)
    except RefusedError as refusal:
        return refusal.page
    told = {
        "count": len(tokens),
        "max_model_len": served.context,
        "tokens": [token_id(token) for token in tokens],
        "token_strs": tokens if document.get("return_token_strs") is True else None,
    }
    return Page(200, orjson.dumps(told))
