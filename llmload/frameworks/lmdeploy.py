"""LMDeploy: the OpenAI-compatible `lmdeploy serve api_server`.

Written from its documentation (lmdeploy.readthedocs.io, "OpenAI Compatible Server"); never run against a real one,
since it wants a GPU and none was there where this was written. It tells its models and no more of how it was started.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le

from llmload.frameworks import openai
from llmload.frameworks.adapter import Adapter


@dataclass(frozen=True, slots=True)
class LmdeploySettings:
    """How the server was started: the flags of `lmdeploy serve api_server`. None = the server decides."""

    tensor_parallel_size: Annotated[int, Ge(1)] = 1
    cache_max_entry_count: Annotated[float, Gt(0), Le(1)] = 0.8
    session_len: Annotated[int, Ge(1)] | None = None


ADAPTER = Adapter(
    name="lmdeploy",
    settings=LmdeploySettings,
    dialects=openai.DIALECTS,
    models=openai.MODELS,
    version=openai.VERSION,
    context_setting="session_len",
)
