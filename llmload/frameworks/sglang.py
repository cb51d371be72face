"""SGLang: an OpenAI-compatible server. Its `/health` runs a generation of its own: never poll it while measuring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le

from llmload.frameworks import openai
from llmload.frameworks.adapter import Adapter


@dataclass(frozen=True, slots=True)
class SglangSettings:
    """How the server was started: the flags of `sglang.launch_server`."""

    tensor_parallel_size: Annotated[int, Ge(1)] = 1
    chunked_prefill: bool = True
    mem_fraction_static: Annotated[float, Gt(0), Le(1)] = 0.9


ADAPTER = Adapter(
    name="sglang",
    settings=SglangSettings,
    dialects=openai.DIALECTS,
    models=openai.MODELS,
    version=openai.VERSION,
)
