"""Every framework that a scenario may name: ours, and those of installed plug-ins, which are loaded when asked for."""

from __future__ import annotations

from collections.abc import Mapping

from llmload.endpoint import Endpoint
from llmload.errors import UsageError
from llmload.frameworks import lmdeploy, ollama, openai, plugins, sglang, triton, vllm
from llmload.frameworks.adapter import Adapter, Dialect
from llmload.frameworks.plugins import Refusal

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
"""Our own. A plug-in cannot take the place of one of them."""


def known_names() -> tuple[str, ...]:
    """Every name that may be written, whether or not a plug-in behind it can be loaded."""
    return tuple(sorted({*REGISTRY, *plugins.offers()}))


def adapter_for(name: str) -> Adapter:
    """The adapter of the framework called `name`. UsageError: nobody knows it, or the plug-in that does is broken."""
    if name in REGISTRY:
        return REGISTRY[name]
    if name in plugins.offers():
        return plugins.load(name)
    known = ", ".join(known_names())
    raise UsageError("framework", f"{name!r} is not a framework we know{unreadable()}", f"Use one of: {known}")


def unreadable() -> str:
    """The end of a sentence about an unknown framework: which packages could not be asked whether they offer it."""
    return "".join(f"; the entry points of {name} cannot be read" for name in plugins.unreadable())


def adapters() -> Mapping[str, Adapter]:
    """Every adapter that can be used, by name; what cannot is among the `refusals`."""
    return _survey()[0]


def refusals() -> tuple[Refusal, ...]:
    """The offers of installed plug-ins that are not used, and why."""
    return _survey()[1]


def _survey() -> tuple[Mapping[str, Adapter], tuple[Refusal, ...]]:
    usable = dict(REGISTRY)
    refused = [Refusal("?", owner, "its entry points cannot be read") for owner in plugins.unreadable()]
    for name, offered in plugins.offers().items():
        for owner in (plugins.owner_of(each) for each in offered):
            if name in REGISTRY:
                refused.append(Refusal(name, owner, "the name is taken already by llmload itself"))
                continue
            try:
                usable[name] = plugins.load(name)
            except UsageError as error:
                refused.append(Refusal(name, owner, error.problem))
    return dict(sorted(usable.items())), tuple(refused)


def dialect_for(endpoint: Endpoint) -> Dialect:
    """How the server at `endpoint` is spoken to; UsageError lists what its framework knows."""
    adapter = adapter_for(endpoint.framework)
    if endpoint.api not in adapter.dialects:
        known = f"Use one of: {', '.join(adapter.dialects)}"
        raise UsageError("target.api", f"{endpoint.framework} has no API {endpoint.api!r} that we speak", known)
    return adapter.settle(adapter.dialects[endpoint.api], endpoint)
