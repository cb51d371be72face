"""Why a recommendation is what it is, in sentences that stand beside its formula."""

from __future__ import annotations

from collections.abc import Sequence

from llmload.analysis.wording import counted, percent
from llmload.capacity import Carried, LoadResults, MeasuredLoad, Profile
from llmload.units import format_number
from llmload.verdict import Status

NOT_OVER = "The search for the capacity was not over: the server may carry more, and fewer GPUs may do"
"""Of a run that ended before, or that is judged by another SLO than it was measured for."""


_PARALLEL = "tensor_parallel_size"
_TOLD = ("vllm", "sglang", "lmdeploy")
"""Frameworks that spread one replica over GPUs by a setting of that name."""

_UNTOLD = "Nobody told its tensor_parallel_size, taken as 1: declare it in target.framework_config"


def reasoning_of(profile: Profile, carried: Carried, results: LoadResults, replicas: int) -> str:
    """What was measured, what bounds it, and what was counted as one replica; `replicas` are advised."""
    heavier = [load for load in results.concurrency_results if load.concurrency > carried.concurrency]
    said = (_holds(profile, carried), *_bounded(profile, heavier), *_replicas(profile), *_carries(profile, replicas))
    return ". ".join(said)


def _holds(profile: Profile, carried: Carried) -> str:
    held = f"{format_number(carried.concurrency)} in flight is the heaviest load that surely holds the SLO"
    if carried.goodput is None or carried.goodput_low is None:
        return held
    sure = f"at least {percent(carried.goodput_low)} at {percent(profile.confidence)} confidence"
    return f"{held}: {percent(carried.goodput)} of requests are good there, {sure}"


def _bounded(profile: Profile, heavier: Sequence[MeasuredLoad]) -> list[str]:
    """What was found above the load that holds."""
    breaks = profile.fails_at
    if not heavier:
        return ["No heavier load was measured: it may carry more, and fewer GPUs may do"]
    said = ["No load that was measured surely breaks it" if breaks is None else _broken_at(breaks)]
    below = [load for load in heavier if breaks is None or load.concurrency < breaks]
    undecided = [load for load in below if load.status is not Status.ERROR]
    unmeasured = [load for load in below if load.status is Status.ERROR]
    again = [load for load in heavier if load not in below and load.status is Status.PASS]
    for loads, what in (
        (undecided, "Not sure to hold it, nor to break it"),
        (unmeasured, "Could not be measured"),
        (again, "What holds above a load that breaks does not count"),
    ):
        if loads:
            said.append(f"{what}: {', '.join(format_number(load.concurrency) for load in loads)}")
    return said


def _broken_at(load: float) -> str:
    return f"At {format_number(load)} it surely breaks"


def _replicas(profile: Profile) -> list[str]:
    """What was taken as one replica, where that is not plain."""
    each, count = profile.gpus_per_replica, profile.gpu_count
    if count is None:
        taken = f"taken as one replica of {counted(each, 'GPU')}"
        return [f"How many GPUs the server uses is not known: {taken}; recommend.gpu.count says it"]
    if count % each:
        taken = f"taken as {counted(profile.replicas, 'replica')}"
        odd = f"{counted(count, 'GPU')} at work are no multiple of the {each} of one replica"
        return [f"{odd}: {taken}; recommend.gpu.count says how many the server uses"]
    if profile.replicas > 1:
        shared = f"It was shared by {profile.replicas} replicas of {counted(each, 'GPU')}"
        return [shared] if _PARALLEL in profile.settings or profile.framework not in _TOLD else [shared, _UNTOLD]
    return []


def _carries(profile: Profile, replicas: int) -> list[str]:
    """Whether what was measured would do."""
    if replicas > profile.replicas:
        return []
    enough = "The installation that was measured carries the peak with its headroom"
    return [enough if replicas == profile.replicas else f"{enough}, and more"]
