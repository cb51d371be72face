"""vLLM: its own OpenAI-compatible server, with the extras `ignore_eos` and `min_tokens` honoured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from llmload.frameworks import openai
from llmload.frameworks.adapter import Adapter


@dataclass(frozen=True, slots=True)
class VllmSettings:
    """How the server was started: the flags of `vllm serve`, by their long names. None = the server decides."""

    gpu_memory_utilization: Annotated[float, Gt(0), Le(1)] = 0.9
    tensor_parallel_size: Annotated[int, Ge(1)] = 1
    pipeline_parallel_size: Annotated[int, Ge(1)] = 1
    max_num_seqs: Annotated[int, Ge(1)] = 256
    max_model_len: Annotated[int, Ge(1)] | None = None
    quantization: Literal["awq", "gptq", "fp8", "int8", "none"] = "none"
    enable_prefix_caching: bool | None = None


ADAPTER = Adapter(
    name="vllm",
    settings=VllmSettings,
    dialects=openai.DIALECTS,
    models=openai.MODELS,
    version=openai.VERSION,
)
