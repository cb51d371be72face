"""Triton Inference Server: settings only; its `generate_stream` is not spoken yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from llmload.frameworks import openai
from llmload.frameworks.adapter import Adapter


@dataclass(frozen=True, slots=True)
class TritonSettings:
    """What stands in the model's `config.pbtxt`: its backend, and how many instances of it run."""

    backend: Literal["tensorrt_llm", "vllm", "python"] = "tensorrt_llm"
    instance_count: Annotated[int, Ge(1)] = 1


ADAPTER = Adapter(
    name="triton",
    settings=TritonSettings,
    dialects={},
    models=openai.MODELS,
    version=openai.VERSION,
    ready_paths=("/v2/health/ready",),
    optional_sampling=(),
)
