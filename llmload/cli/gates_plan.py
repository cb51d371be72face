"""What `plan` tells of gates: the sample that each needs, and what one against a baseline can tell apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from llmload.analysis.relative_outlook import Prospect, RelativeOutlook, Variation
from llmload.analysis.sample_size import BAD_COUNTS, Outlook
from llmload.analysis.wording import level
from llmload.baseline import Design
from llmload.promises import Bound
from llmload.scenario.asked import Scenario


def gate_document(outlook: Outlook) -> dict[str, object]:
    """What the planned sample of one step can say about one gate, for programs."""
    return {
        "gate": str(outlook.gate),
        "step": outlook.step.label,
        "target": outlook.target,
        "max_requests": outlook.requests,
        "looks": outlook.looks,
        "confidence_per_look": 1 - outlook.alpha,
        "blocks": outlook.blocks,
        "can_pass": outlook.most_bad is not None,
        "most_bad_requests": outlook.most_bad,
        "smallest_effective_sample": dict(zip(map(str, BAD_COUNTS), outlook.table, strict=True)),
        "warnings": outlook.warnings,
    }


def relative_document(outlook: RelativeOutlook) -> dict[str, object]:
    """What runs and pairs can tell of one gate against a baseline, for programs."""
    return {
        "gate": str(outlook.gate),
        "step": outlook.step.label,
        "change": outlook.change,
        "variations": [
            {
                "cv": variation.cv,
                "paired_cv": variation.paired_cv,
                "source": variation.source or None,
                "is_assumed": not variation.source,
                "designs": [asdict(prospect) for prospect in prospects],
            }
            for variation, prospects in outlook.prospects
        ],
        "warnings": outlook.warnings,
    }


def gates_as_text(scenario: Scenario, gates: Sequence[Outlook]) -> Iterator[str]:
    """A gate and what it takes to decide it at each step; those that no sample can be planned for, at the end."""
    if not scenario.gates:
        yield "no gates: the run will be measured, not judged"
        return
    yield f"gates, at {level(scenario.decision.confidence)} confidence"
    for outlook in gates:
        yield f"  {outlook.gate} [{outlook.step.label}]: {_prospect(outlook)}"
        cells = (f"{bad}: {'never' if n is None else n}" for bad, n in zip(BAD_COUNTS, outlook.table, strict=True))
        yield f"    smallest effective sample by bad requests: {', '.join(cells)}"
        yield from (f"    warning: {warning}" for warning in outlook.warnings)
    told = {outlook.gate for outlook in gates}
    yield from (
        f"  {gate}: decided on what is measured, no sample size to plan"
        for gate in scenario.gates
        if gate not in told and isinstance(gate.promise, Bound)
    )


def relative_as_text(outlooks: Sequence[RelativeOutlook]) -> Iterator[str]:
    """Gates that can say the same, at whatever steps, together."""
    groups: dict[tuple[object, ...], list[RelativeOutlook]] = {}
    for outlook in outlooks:
        groups.setdefault((outlook.change, outlook.prospects, outlook.warnings), []).append(outlook)
    if groups:
        yield "  least margin: the smallest with which a server that did not change passes 9 of 10 times"
    for group in groups.values():
        yield from (f"  {outlook.gate} [{outlook.step.label}]" for outlook in group)
        for variation, prospects in group[0].prospects:
            yield f"    {_variation(variation)}"
            yield from (f"      {_chances(prospect, group[0].change)}" for prospect in prospects)
        yield from (f"    warning: {warning}" for warning in group[0].warnings)


def _variation(variation: Variation) -> str:
    if variation.source:
        paired = f", {variation.paired_cv:.1%} within a pair" if variation.paired_cv != variation.cv else ""
        return f"runs differ by {variation.cv:.1%}{paired} (CV; {variation.source})"
    return f"if runs differ by {variation.cv:.0%} (CV; assumed, `llmload calibrate` measures it)"


def _chances(prospect: Prospect, change: float) -> str:
    against = f"one run against {prospect.n} earlier ones"
    if prospect.design is Design.PAIRED:
        against = f"`llmload ab` with {prospect.n} pairs"
    return (
        f"{against}: an unchanged server passes {_chance(prospect.passes)}, one that is {change:.0%} worse is caught "
        f"{_chance(prospect.catches)}; least margin {prospect.least_margin:.1%}"
    )


def _prospect(outlook: Outlook) -> str:
    if outlook.most_bad is None:
        return f"can never pass with {outlook.requests:,} requests"
    return (
        f"passes with at most {outlook.most_bad} bad of {outlook.requests:,} requests, in up to {outlook.looks} looks"
    )


def _chance(share: float) -> str:
    """Whole percent; what only rounds to certainty is not called certain."""
    if share >= 0.995:
        return "over 99%"
    return f"{share:.0%}" if share >= 0.005 else "under 1%"
