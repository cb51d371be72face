"""Settings of a server that are worth trying next: suggestions, each with the figure that it rests on.

What they do is from the tuning guides of vLLM and SGLang: a larger budget of tokens per batch begins answers sooner and
slows the others down, fewer sequences at once do the opposite, and a fuller KV cache takes requests back.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from llmload.analysis.bottleneck import Bottleneck, Bound, is_kv_cache_free, kv_cache_of, waiting_of
from llmload.analysis.wording import milliseconds, percent
from llmload.capacity import Profile
from llmload.domain import StepResult, TargetFacts
from llmload.promises import Slo
from llmload.scenario.traffic import Workload
from llmload.units import format_number

_REACHED = 0.95
"""Share of the sequences that may run from which there is no room for more."""

_MOST_MEMORY = 0.95
"""Share of a GPU's memory beyond which the rest is needed for other things."""

_PARALLEL, _SEQUENCES = "tensor_parallel_size", "max_num_seqs"

_QUANTIZED = re.compile(r"awq|gptq|fp8|int8|int4|nvfp4|mxfp4|w4a16|w8a8|bnb|gguf|[48]bit", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Names:
    """What a framework calls them: the share of memory it may use, sequences that run at once, tokens of a batch."""

    memory: str | None
    sequences: str | None
    prefill: str


_NAMES = {
    "vllm": _Names("gpu_memory_utilization", "max_num_seqs", "max_num_batched_tokens"),
    "sglang": _Names("mem_fraction_static", "max_running_requests", "chunked_prefill_size"),
    "lmdeploy": _Names("cache_max_entry_count", "max_batch_size", "max_prefill_token_num"),
    "ollama": _Names(None, None, "OLLAMA_NUM_PARALLEL"),
}


@dataclass(frozen=True, slots=True)
class Around:
    """A run at its knee: `step` is the load that breaks the SLO or comes next, `found` what bounds the server there."""

    step: StepResult
    found: Bottleneck | None
    facts: TargetFacts
    slo: Slo
    profile: Profile


def settings_to_try(around: Around, workload: Workload) -> Iterator[str]:
    """Sentences; none for frameworks of which nothing is known."""
    names = _NAMES.get(around.facts.framework)
    if names is None:
        return
    if around.found is not None and around.found.bound is Bound.KV_CACHE:
        yield from _more_room(around, names)
    elif (said := _more_sequences(around)) is not None:
        yield said
    else:
        yield from _seats_of_unknown_number(around, names)
        yield from _by_latency(around, names)
    if around.facts.in_force.get("enable_prefix_caching") is False and not workload.unique:
        yield "Try enable_prefix_caching: it is off, and prompts of this workload may begin alike"


def _more_room(around: Around, names: _Names) -> Iterator[str]:
    """What leaves more of the GPUs' memory to the KV cache."""
    settings, label = around.facts.in_force, around.step.step.label
    used = kv_cache_of(around.step)
    why = f"the KV cache is up to {percent(used)} full at {label}" if used else f"requests are preempted at {label}"
    share = settings.get(names.memory or "")
    if isinstance(share, int | float) and share < _MOST_MEMORY:
        yield f"Try a {names.memory} above {format_number(share)}: {why}"
    if settings.get("quantization") == "none" and not _QUANTIZED.search(around.facts.model):
        yield f"Try a quantized model, whose weights leave more room: {why}"
    parallel = settings.get(_PARALLEL)
    if isinstance(parallel, int):
        yield f"Try a {_PARALLEL} above {parallel}, with fewer weights on each GPU: {why}"


def _more_sequences(around: Around) -> str | None:
    """Where requests wait for nothing but a place in the batch; not where the batch is too large for TPOT already."""
    step, most = around.step, around.facts.known.get(_SEQUENCES)
    running = None if step.server is None else step.server.running
    waiting, used = waiting_of(step), kv_cache_of(step)
    if not isinstance(most, int) or running is None or used is None or around.profile.replicas > 1:
        return None
    if running < _REACHED * most or waiting < 1 or not is_kv_cache_free(step) or _over(step, "tpot", around.slo):
        return None
    return (
        f"Try a {_SEQUENCES} above {most:,}: {round(running):,} requests run and {round(waiting):,} wait at"
        f" {step.step.label}, and the KV cache is at most {percent(used)} full"
    )


def _seats_of_unknown_number(around: Around, names: _Names) -> Iterator[str]:
    """The same where nobody told how many may run: a suspicion, since a small budget of tokens makes them wait too."""
    step, server = around.step, around.step.server
    if names.sequences is None or names.sequences in around.facts.known or server is None or server.running is None:
        return
    used, waiting = kv_cache_of(step), server.waiting or 0.0
    if used is None or waiting < 1 or not is_kv_cache_free(step):
        return
    if _over(step, "ttft", around.slo) and not _over(step, "tpot", around.slo):
        yield (
            f"Try a larger {names.sequences}, if that is what requests wait for: {round(server.running):,} run and"
            f" {round(waiting):,} wait at {step.step.label}, and the KV cache is at most"
            f" {percent(used)} full"
        )


def _by_latency(around: Around, names: _Names) -> Iterator[str]:
    """Where one of TTFT and TPOT breaks while the other holds, one may be had for the other."""
    step = around.step
    first, each = _over(step, "ttft", around.slo), _over(step, "tpot", around.slo)
    if first and not each and _is_kept(step, "tpot", around.slo):
        yield f"Try a larger {names.prefill}: {first}, while TPOT holds"
    elif each and not first and _is_kept(step, "ttft", around.slo):
        if around.facts.in_force.get("chunked_prefill") is False:
            yield f"Try chunked_prefill, which is off: {each}, while TTFT holds"
        yield from _fewer_sequences(around, names, each)


def _fewer_sequences(around: Around, names: _Names, why: str) -> Iterator[str]:
    """No more at once than one replica was measured to carry."""
    carried = around.profile.at_slo
    if carried is None or names.sequences is None:
        return
    one = math.floor(carried.concurrency / around.profile.replicas)
    most = around.facts.known.get(names.sequences)
    if one >= 1 and (not isinstance(most, int) or most > one):
        yield f"Try a {names.sequences} of {one:,}, which holds the SLO: {why}, while TTFT holds"


def _over(step: StepResult, metric: str, slo: Slo) -> str:
    """How far a latency is beyond its limit, in words; "" where it is not, or has none."""
    seen, limit = _latency(step, metric), _limit(metric, slo)
    if seen is None or limit is None or seen <= limit:
        return ""
    return f"p95 {metric.upper()} is {milliseconds(seen)} at {step.step.label}, over {milliseconds(limit)}"


def _is_kept(step: StepResult, metric: str, slo: Slo) -> bool:
    seen, limit = _latency(step, metric), _limit(metric, slo)
    return seen is not None and limit is not None and seen <= limit


def _latency(step: StepResult, metric: str) -> float | None:
    summary = step.metrics.latency.get(metric)
    return None if summary is None else summary.p95_ms


def _limit(metric: str, slo: Slo) -> float | None:
    return slo.ttft_ms if metric == "ttft" else slo.tpot_ms
