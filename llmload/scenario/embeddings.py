"""What `workload.api: embeddings` settles in its document, and what cannot be asked beside it.

Embeddings have one answer, in one piece, and no text in it: nothing to stream, to sample or to be of a length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from llmload.frameworks.embeddings import EMBEDDINGS
from llmload.frameworks.registry import REGISTRY, adapter_for
from llmload.scenario.document.load import Load
from llmload.scenario.document.target import Target
from llmload.scenario.document.workload import Workload
from llmload.scenario.source import Loaded
from llmload.scenario.tree import Node, Step, find

Refusal = tuple[tuple[Step, ...], str, str]
"""Where, what is wrong there, and what to do."""

_WORKLOAD: tuple[Step, ...] = ("spec", "workload")
_TARGET_API: tuple[Step, ...] = ("spec", "target", "api")


def settle_embeddings(loaded: Loaded) -> Loaded:
    """The document with what follows from asking for embeddings; as it was, where it does not."""
    spec = loaded.document.spec
    if spec.workload.api != EMBEDDINGS:
        return loaded
    settled: dict[str, object] = {"stream": False}
    if "sampling" not in spec.workload.model_fields_set:
        settled["sampling"] = {}
    update = {
        "target": spec.target.model_copy(update={"api": EMBEDDINGS}),
        "workload": spec.workload.model_copy(update=settled),
    }
    document = loaded.document.model_copy(update={"spec": spec.model_copy(update=update)})
    return replace(loaded, document=document)


def embedding_refusals(target: Target | None, workload: Workload, load: Load | None, root: Node) -> Iterator[Refusal]:
    """What contradicts asking for embeddings, or asks for them in the wrong place."""
    if workload.api != EMBEDDINGS:
        if target is not None and target.api == EMBEDDINGS:
            yield _TARGET_API, "embeddings are a workload of their own", "Write workload.api: embeddings instead"
        return
    if target is not None:
        yield from _of_the_target(target)
    if load is not None and load.trace is not None:
        path: tuple[Step, ...] = ("spec", "load", "trace")
        yield path, "a trace is of answers, and embeddings have none", "Write a concurrency or a rate"
    if workload.prompts.synthetic is not None and workload.prompts.synthetic.lengths is not None:
        path = (*_WORKLOAD, "prompts", "synthetic", "lengths")
        yield path, "a file of lengths is of prompts with answers, and embeddings have none", "Write input_tokens"
    if workload.stream and find(root, (*_WORKLOAD, "stream")) is not None:
        yield (*_WORKLOAD, "stream"), "embeddings are not streamed", "Delete it"
    for kind in ("synthetic", "file"):
        path = (*_WORKLOAD, "prompts", kind, "output_tokens")
        if find(root, path) is not None:
            yield path, "embeddings have no output tokens", "Delete it"


def _of_the_target(target: Target) -> Iterator[Refusal]:
    if target.api not in (None, EMBEDDINGS):
        yield _TARGET_API, f"the API {target.api} answers in text, and workload.api asks for embeddings", "Delete it"
    if EMBEDDINGS not in adapter_for(target.framework).dialects:
        able = ", ".join(name for name, adapter in REGISTRY.items() if EMBEDDINGS in adapter.dialects)
        message = f"of {target.framework} we know no API for embeddings"
        yield (*_WORKLOAD, "api"), message, f"Measure a server of one of: {able}"
