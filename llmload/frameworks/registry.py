"""Every framework that a scenario may name."""

from __future__ import annotations

from collections.abc import Mapping

from llmload.errors import UsageError
from llmload.frameworks import lmdeploy, ollama, openai, sglang, triton, vllm
from llmload.frameworks.adapter import Adapter

REGISTRY: Mapping[str, Adapter] = {
    adapter.name: adapter
    for adapter in (
        openai.ADAPTER,
        vllm.ADAPTER,
        sglang.ADAPTER,
        ollama.ADAPTER,
        triton.ADAPTER,
        lmdeploy.ADAPTER,
    )
}


def adapter_for(name: str) -> Adapter:
    """The adapter of the framework called `name`; UsageError lists the known names."""
    try:
        return REGISTRY[name]
    except KeyError:
        known = ", ".join(sorted(REGISTRY))
        raise UsageError("framework", f"{name!r} is not a framework we know", f"Use one of: {known}") from None
