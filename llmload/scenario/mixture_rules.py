"""What a document with classes of traffic may not ask for beside them, and what gates on a class may not."""

from __future__ import annotations

from collections.abc import Iterator

from llmload.promises import Change, Gate
from llmload.scenario.document.load import Load
from llmload.scenario.document.workload import Workload
from llmload.scenario.nearest import nearest

Refusal = tuple[str, str]
"""What is wrong, and what to do."""


def mixture_refusals(workload: Workload, load: Load | None, *, seeks_capacity: bool) -> Iterator[Refusal]:
    """What does not go together with `workload.mixture`; conversations refuse it themselves."""
    if workload.mixture is None:
        return
    if load is not None and load.trace is not None:
        message = "a trace says how long each request is, and a mixture says it of its classes"
        yield message, "Keep one: delete mixture, or write a concurrency or a rate"
    if workload.api == "embeddings":
        yield "embeddings have no classes yet", "Write prompts instead of mixture, one scenario for each class"
    own = [each.traffic_class for each in workload.mixture if each.slo is not None]
    if seeks_capacity and own:
        message = f"capacity is counted within one SLO, and the class {own[0]} has its own"
        yield message, "Write spec.slo for all classes, or delete recommend"


def class_refusal(gate: Gate, workload: Workload) -> Refusal | None:
    """Why this gate cannot speak of its class; None where it can, or speaks of all requests."""
    if gate.traffic_class is None:
        return None
    known = [each.traffic_class for each in workload.mixture or ()]
    if not known:
        message = f"there is no class {gate.traffic_class}, since the workload has no classes"
        return message, "Write workload.mixture, or take the class out of the gate"
    if gate.traffic_class not in known:
        return f"the mixture has no class {gate.traffic_class}", nearest(gate.traffic_class, known)
    if isinstance(gate.promise, Change):
        message = "a baseline keeps the figures of all requests, and none of a class"
        return message, "Write a bound, like p95(ttft) of chat <= 800ms"
    return None
