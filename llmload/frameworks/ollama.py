"""Ollama: settings only; its own NDJSON protocol is not spoken yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from llmload.frameworks import openai
from llmload.frameworks.adapter import Adapter


@dataclass(frozen=True, slots=True)
class OllamaSettings:
    """How the model is loaded: Ollama's `num_ctx` and the number of GPUs it may use (0 = processor only)."""

    context_length: Annotated[int, Ge(1)] = 4096
    num_gpu: Annotated[int, Ge(0)] = 1


ADAPTER = Adapter(
    name="ollama",
    settings=OllamaSettings,
    dialects={},
    models=openai.MODELS,
    version=openai.VERSION,
    ready_paths=("/api/version",),
)
