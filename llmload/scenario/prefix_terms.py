"""What a shared prefix does not go with: a trace, and hits that no cache can have of it."""

from __future__ import annotations

from collections.abc import Iterator

from llmload.scenario.document.load import Load
from llmload.scenario.document.shared_prefix import shortest
from llmload.scenario.document.workload import Synthetic, Workload
from llmload.scenario.traffic import HITS_TOLERANCE
from llmload.scenario.tree import Step

Path = tuple[Step, ...]


def prefix_refusals(workload: Workload, load: Load | None) -> Iterator[tuple[Path, str, str]]:
    """Where it is written, what is wrong, and what to do."""
    for path, synthetic in _synthetic(workload):
        prefix = synthetic.shared_prefix
        if not prefix.tokens:
            continue
        if load is not None and load.trace is not None:
            message = "a trace has prompts of its own lengths, and may say itself which of them begin alike"
            yield (*path, "shared_prefix"), message, "Delete shared_prefix, or load with concurrency or a rate"
        share = prefix.tokens / shortest(synthetic.input_tokens)
        hits = (*path, "shared_prefix", "hits")
        if workload.sessions is not None and prefix.hits is not None:
            message = "a cache has all that was said before in a conversation too, and nobody knows how much that is"
            yield hits, message, "Delete hits, or sessions"
        elif prefix.hits is not None and prefix.hits > share + HITS_TOLERANCE:
            message = f"the prefix is at most {share:.0%} of a prompt, and hits asks for {prefix.hits:.0%}"
            yield hits, message, "Write a longer prefix, shorter prompts, or fewer hits"


def _synthetic(workload: Workload) -> Iterator[tuple[Path, Synthetic]]:
    """Where synthetic prompts are asked for, of all traffic or of a class, and how."""
    at: Path = ("spec", "workload")
    if workload.prompts.synthetic is not None:
        yield (*at, "prompts", "synthetic"), workload.prompts.synthetic
    for index, each in enumerate(workload.mixture or ()):
        if each.prompts.synthetic is not None:
            yield (*at, "mixture", index, "prompts", "synthetic"), each.prompts.synthetic
