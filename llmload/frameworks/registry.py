"""Every framework that a scenario may name."""

from __future__ import annotations

from collections.abc import Mapping

from llmload.endpoint import Endpoint
from llmload.errors import UsageError
from llmload.frameworks import lmdeploy, ollama, openai, sglang, triton, vllm
from llmload.frameworks.adapter import Adapter, Dialect

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


def dialect_for(endpoint: Endpoint) -> Dialect:
    """How the server at `endpoint` is spoken to; UsageError lists what its framework knows."""
    adapter = adapter_for(endpoint.framework)
    if endpoint.api not in adapter.dialects:
        known = f"Use one of: {', '.join(adapter.dialects)}"
        raise UsageError("target.api", f"{endpoint.framework} has no API {endpoint.api!r} that we speak", known)
    return adapter.settle(adapter.dialects[endpoint.api], endpoint)
