"""LMDeploy: the OpenAI-compatible `lmdeploy serve api_server`.

Written from its documentation (lmdeploy.readthedocs.io, "OpenAI Compatible Server"); never run against a real one,
since it wants a GPU and none was there where this was written. It tells its models and no more of how it was started.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from annotated_types import Ge, Gt, Le

from llmload.endpoint import Endpoint
from llmload.frameworks import metric_names, openai
from llmload.frameworks.adapter import Adapter
from llmload.planned import PlannedRequest

_MINIMUM, _ITS_MINIMUM = "min_tokens", "min_new_tokens"


@dataclass(frozen=True, slots=True)
class LmdeploySettings:
    """How the server was started: the flags of `lmdeploy serve api_server`. None = the server decides."""

    tensor_parallel_size: Annotated[int, Ge(1)] = 1
    cache_max_entry_count: Annotated[float, Gt(0), Le(1)] = 0.8
    session_len: Annotated[int, Ge(1)] | None = None


def chat_body(endpoint: Endpoint, request: PlannedRequest) -> bytes:
    """The request of `/v1/chat/completions`, which ignores a `min_tokens` and has a name of its own for it."""
    sampling = {_ITS_MINIMUM if name == _MINIMUM else name: value for name, value in endpoint.sampling.items()}
    return openai.chat_body(replace(endpoint, sampling=sampling), request)


def _no_minimum(endpoint: Endpoint) -> tuple[str, ...]:
    return (*(name for name in endpoint.sampling if name in (_MINIMUM, _ITS_MINIMUM)), *openai.no_tools(endpoint))


ADAPTER = Adapter(
    name="lmdeploy",
    settings=LmdeploySettings,
    dialects={
        "chat": replace(openai.DIALECTS["chat"], body=chat_body),
        "completions": replace(openai.DIALECTS["completions"], unknown_sampling=_no_minimum),
    },
    models=openai.MODELS,
    version=openai.VERSION,
    context_setting="session_len",
    metric_names=metric_names.LMDEPLOY,
)
