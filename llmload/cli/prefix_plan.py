"""What `plan` tells of shared prefixes: how popular their groups are, and which hits of a cache they let expect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from llmload.analysis.forecast import StepForecast, mean_input
from llmload.plain_text import plain
from llmload.scenario.asked import Scenario
from llmload.scenario.traffic import SharedPrefix
from llmload.workload.shared_prefix import expected_first_meetings, popularity


@dataclass(frozen=True, slots=True)
class PrefixPlan:
    """Shares are of input tokens, 0..1, and expectations for a cache with room for every prefix; the chat template,
    which such a cache has too, is left out.

    `warm_hits` is of requests whose prefix was asked before: prefix over mean input tokens. `first_hits`, of the
    first window, is that without the requests that are expected to be the first of their group; None where nobody knows
    how many requests it has. `declared` is what the scenario says; `most_popular` the share of requests of one group.
    """

    traffic_class: str | None
    tokens: int
    groups: int
    zipf: float
    most_popular: float
    warm_hits: float
    first_hits: float | None
    declared: float | None


def prefix_plans(scenario: Scenario, steps: Sequence[StepForecast]) -> tuple[PrefixPlan, ...]:
    """The shared prefixes of a scenario, class by class in a mixture; none where nothing is shared, or where prompts
    share their conversation as well.
    """
    if scenario.workload.sessions is not None:
        return ()
    return tuple(_prefix_plan(scenario, name, prefix, steps[0]) for name, prefix in scenario.workload.prefixes.items())


def _prefix_plan(scenario: Scenario, name: str | None, prefix: SharedPrefix, first: StepForecast) -> PrefixPlan:
    mine = scenario.workload.named(name) if name is not None else None
    share, prompts = (1.0, scenario.workload.prompts) if mine is None else (mine.share, mine.prompts)
    mean = mean_input(replace(scenario.workload, prompts=prompts)) or prefix.tokens
    warm, cold = min(1.0, prefix.tokens / mean), None
    if first.requests and (requests := round(share * first.requests)):
        cold = expected_first_meetings(prefix, round(share * first.warmup), requests) / requests
    return PrefixPlan(
        traffic_class=name,
        tokens=prefix.tokens,
        groups=prefix.groups,
        zipf=prefix.zipf,
        most_popular=popularity(prefix)[0],
        warm_hits=warm,
        first_hits=None if cold is None else warm * (1 - cold),
        declared=prefix.hits,
    )


def as_text(found: PrefixPlan) -> Iterator[str]:
    """Its lines."""
    groups = "one prefix" if found.groups == 1 else f"{found.groups:,} prefixes"
    popular = "" if found.groups == 1 else f", the most popular one in {found.most_popular:.0%} of the requests"
    whose = "prompts" if found.traffic_class is None else f"prompts of {plain(found.traffic_class)}"
    yield f"    {whose} begin with {groups} of {found.tokens:,} tokens{popular}"
    first = "" if found.first_hits is None else f", {found.first_hits:.0%} in the first window, where some are cold"
    declared = "" if found.declared is None else f"; {found.declared:.0%} declared (hits)"
    warm = f"a cache with room for them has {found.warm_hits:.0%} of the input tokens once they are warm"
    yield f"    {warm}{first}{declared}"
