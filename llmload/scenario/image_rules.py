"""What images that llmload makes cannot be asked beside."""

from __future__ import annotations

from collections.abc import Iterator

from llmload.frameworks.registry import adapter_for
from llmload.scenario.document.target import Target
from llmload.scenario.document.workload import Prompts, Workload
from llmload.scenario.tree import Step

_WORKLOAD: tuple[Step, ...] = ("spec", "workload")


def image_refusals(target: Target | None, workload: Workload) -> Iterator[tuple[tuple[Step, ...], str, str]]:
    """Where, what is wrong there, and what to do."""
    for prompts, path in _described(workload):
        if prompts.synthetic is None or prompts.synthetic.images is None:
            continue
        where = (*path, "synthetic", "images")
        if prompts.synthetic.shared_prefix.tokens:
            yield (
                where,
                "images come before the text, so that a shared prefix would begin no prompt",
                "Keep one of them",
            )
        if workload.sessions is not None:
            yield where, "conversations are made of words alone", "Delete images, or sessions"
        if target is None:
            continue
        dialects = adapter_for(target.framework).dialects
        api = workload.api or target.api or next(iter(dialects))
        if api in dialects and not dialects[api].takes_messages:
            able = [name for name, dialect in dialects.items() if dialect.takes_messages]
            where_api = "Delete workload.api" if workload.api else f"Write target.api: {' or '.join(able)}"
            hint = where_api if able else "Delete it: this framework has no such API"
            yield where, f"images need an API that takes messages, and {api} takes one bare prompt", hint


def _described(workload: Workload) -> Iterator[tuple[Prompts, tuple[Step, ...]]]:
    if workload.mixture is None:
        yield workload.prompts, (*_WORKLOAD, "prompts")
    for index, each in enumerate(workload.mixture or ()):
        yield each.prompts, (*_WORKLOAD, "mixture", index, "prompts")
