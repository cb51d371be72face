"""What the server says it took from its prefix cache, held against what the scenario declares of shared prefixes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmload.analysis.wording import percent
from llmload.domain import Observation, Outcome, Phase, RequestRecord
from llmload.planned import Step
from llmload.scenario.asked import Scenario
from llmload.scenario.traffic import HITS_TOLERANCE
from llmload.verdict import Finding

KIND = "prefix_hits"

_TOO_FEW = (
    "prefixes were met for the first time, the cache had no room for all, or each slot or replica has a cache of its"
    " own; raise load.warmup.requests, give the cache more room, or correct hits"
)
_TOO_MANY = (
    "the server knew more of the prompts than was meant, such as words of another client or of the same run before;"
    " restart the server, or correct hits"
)


@dataclass(frozen=True, slots=True)
class CacheHits:
    """Tokens of the measured requests that completed and of which the server told both counts."""

    input_tokens: int
    cached_tokens: int

    @property
    def share(self) -> float:
        """Of all input tokens, those that the cache had: sum of cached over sum of input tokens, 0..1."""
        return self.cached_tokens / self.input_tokens


def hits_of(windows: Sequence[Observation], traffic_class: str | None = None) -> CacheHits | None:
    """What the server told of these windows, of one class where they are of a mixture; None where it told of no request
    how many tokens were cached.
    """
    told = [
        (record.input_tokens, record.cached_tokens)
        for record in _completed(windows, traffic_class)
        if record.input_tokens and record.cached_tokens is not None
    ]
    if not told:
        return None
    return CacheHits(sum(tokens for tokens, _ in told), sum(cached for _, cached in told))


def missed_hits(step: Step, windows: Sequence[Observation], scenario: Scenario) -> tuple[Finding, ...]:
    """The hits of one step where they are more than 5 points off what is declared, class by class in a mixture; nothing
    where none are declared, or the server tells none.
    """
    return tuple(
        _finding(step, name, declared, found.share)
        for name, declared in _declared(scenario)
        if (found := hits_of(windows, name)) is not None and abs(found.share - declared) > HITS_TOLERANCE
    )


def unchecked_hits(windows: Sequence[Observation], scenario: Scenario) -> tuple[str, ...]:
    """Sentences that say why declared hits were held against nothing; none for those that were."""
    return tuple(
        f"shared_prefix.hits: {percent(declared)} was not checked, since the server does not tell cached tokens"
        " (vLLM does with --enable-prompt-tokens-details)"
        for name, declared in _declared(scenario)
        if hits_of(windows, name) is None and any(_completed(windows, name))
    )


def _declared(scenario: Scenario) -> Iterator[tuple[str | None, float]]:
    """Hits that are declared, with the class of the mixture that they are of."""
    for name, prefix in scenario.workload.prefixes.items():
        if prefix.hits is not None:
            yield name, prefix.hits


def _finding(step: Step, name: str | None, declared: float, found: float) -> Finding:
    return Finding(
        subject="prefix-cache hits" if name is None else f"prefix-cache hits of {name}",
        expected=f"{percent(declared)} of input tokens",
        actual=f"{percent(found)} of input tokens",
        cause=_TOO_FEW if found < declared else _TOO_MANY,
        step=step.label,
        kind=KIND,
    )


def _completed(windows: Sequence[Observation], name: str | None) -> Iterator[RequestRecord]:
    for window in windows:
        for record in window.records:
            is_counted = record.phase is Phase.MEASURED and record.outcome is Outcome.OK
            if is_counted and record.part.traffic_class == name:
                yield record
