"""Every place of a document that describes prompts: the workload's own, or those of each class of a mixture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from llmload.scenario.document.workload import Prompts
from llmload.scenario.source import Loaded
from llmload.scenario.tree import Step

_WORKLOAD: tuple[Step, ...] = ("spec", "workload")

Settle = Callable[[Prompts, tuple[Step, ...]], tuple[Prompts, tuple[str, ...]]]
"""Prompts and where they are written -> the same with what their file held, and what to tell of it."""


def settled(loaded: Loaded, settle: Settle) -> Loaded:
    """The document with all its prompts settled; each notice once, however many classes share a file."""
    workload = loaded.document.spec.workload
    if workload.mixture is None:
        prompts, told = settle(workload.prompts, (*_WORKLOAD, "prompts"))
        workload = workload.model_copy(update={"prompts": prompts})
    else:
        found = [
            settle(each.prompts, (*_WORKLOAD, "mixture", index, "prompts"))
            for index, each in enumerate(workload.mixture)
        ]
        pairs = zip(workload.mixture, found, strict=True)
        mixture = [each.model_copy(update={"prompts": prompts}) for each, (prompts, _) in pairs]
        told = tuple(dict.fromkeys(notice for _, notices in found for notice in notices))
        workload = workload.model_copy(update={"mixture": mixture})
    spec = loaded.document.spec.model_copy(update={"workload": workload})
    document = loaded.document.model_copy(update={"spec": spec})
    return replace(loaded, document=document, notices=(*loaded.notices, *told))
