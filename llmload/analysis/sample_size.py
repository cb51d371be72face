"""Whether a promise can be decided with the planned sample, before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import numpy as np

from llmload.analysis.claims import share_target
from llmload.analysis.conversations import turns_of_a_request
from llmload.analysis.looks import gates_at, look_level, planned_sizes, steps_of
from llmload.analysis.search import capacity_gate
from llmload.analysis.shares import LEAST_EFFECTIVE, ShareDecision, decide_share
from llmload.analysis.stats import LEAST_BLOCKS, Bools, clopper_pearson
from llmload.analysis.wording import percent
from llmload.errors import Problem, ScenarioError
from llmload.planned import Step
from llmload.promises import Bound, Gate, slos_of
from llmload.scenario.asked import Scenario, Trace
from llmload.scenario.tree import find, lines_of, read
from llmload.scenario.validation import key_place
from llmload.verdict import Status

BAD_COUNTS = (0, 1, 2, 3, 5, 10)
"""Numbers of bad requests that the table of METRICS.md shows."""

_SMALL_FOR_P99 = 1000
_LARGEST = 1_000_000
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the planned sample of one step can say about one share or percentile gate.

    `table[i]` is the smallest number of effective requests that passes with `BAD_COUNTS[i]` bad ones at one look's
    level, no less than any verdict needs, None where no number does. `most_bad` is how many of `requests` may be bad,
    spread evenly, for a pass at the last look; None means that the gate can never pass. In open loop the blocks are
    larger the slower the server is: `blocks` and `most_bad` then take the SLO's e2e for its slowness, where that is
    written and lets a gate pass.
    """

    gate: Gate
    step: Step
    target: float
    requests: int
    looks: int
    alpha: float
    blocks: int
    most_bad: int | None
    table: tuple[int | None, ...]
    warnings: tuple[str, ...]


def smallest_sample(target: float, bad: int, alpha: float) -> int | None:
    """Smallest number of independent requests with which `bad` bad ones still prove `target` at level `alpha`."""
    if target >= 1:
        return None
    low, high = bad, max(2 * bad, 1)
    while not _proves(high, bad, target, alpha):
        low, high = high, 2 * high
        if high > _LARGEST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _proves(middle, bad, target, alpha) else (middle, high)
    return high


def outlooks(scenario: Scenario) -> tuple[Outlook, ...]:
    """Every share and percentile gate at every step it speaks of; empty where the load says only how long.

    Means, maxima, rates and relative gates need no sample that could be counted before the run.
    """
    if scenario.load.requests is None:
        return ()
    found = []
    for step in steps_of(scenario):
        for gate in gates_at(scenario.gates, step):
            target = share_target(gate, gate.promise) if isinstance(gate.promise, Bound) else None
            if target is not None:
                found.append(_outlook(gate, step, target, scenario))
    return tuple(found)


def capacity_outlooks(scenario: Scenario) -> tuple[Outlook, ...]:
    """What each load of the ladder can say of the capacity; empty where none is wanted."""
    gate = capacity_gate(scenario)
    return () if gate is None else outlooks(replace(scenario, gates=(gate,)))


def check_reachable(scenario: Scenario) -> None:
    """ScenarioError, at their own lines, if a gate can never pass even when every request is good.

    The same where a capacity is wanted and no load of the ladder could ever be known to hold.
    """
    problems = [_problem(outlook, scenario) for outlook in outlooks(scenario) if outlook.most_bad is None]
    capacity = capacity_outlooks(scenario)
    if capacity and all(outlook.most_bad is None for outlook in capacity):
        problems.append(_capacity_problem(capacity[-1], scenario))
    if problems:
        raise ScenarioError(problems)


def _outlook(gate: Gate, step: Step, target: float, scenario: Scenario) -> Outlook:
    share = _share(gate, scenario)
    sizes = _part(planned_sizes(scenario, step), share)
    looks = len(sizes)
    alpha = look_level(scenario, looks)
    block = _block(step, scenario, share)
    best = _decide(sizes, 0, target, alpha, block)
    if best.status is not Status.PASS and step.axis != "concurrency":
        # a faster server makes smaller blocks: what passes with these is not refused
        block = _least_block(step, scenario, share)
        best = _decide(sizes, 0, target, alpha, block)
    first = _decide(sizes[:1], 0, target, alpha, _block(step, scenario, share))
    return Outlook(
        gate=gate,
        step=step,
        target=target,
        requests=sum(sizes),
        looks=looks,
        alpha=alpha,
        blocks=best.blocks,
        most_bad=_most_bad(sizes, target, alpha, block) if best.status is Status.PASS else None,
        table=tuple(_smallest_verdict(target, bad, alpha) for bad in BAD_COUNTS),
        warnings=tuple(_warnings(gate, step, first, scenario)),
    )


def _share(gate: Gate, scenario: Scenario) -> float:
    """Of all requests, those that the gate speaks of: 0..1."""
    mine = None if gate.traffic_class is None else scenario.workload.named(gate.traffic_class)
    return 1.0 if mine is None else mine.share


def _part(sizes: Sequence[int], share: float) -> list[int]:
    """What a class gets of each window, all together no more than its share."""
    totals = [math.floor(total * share + _ROUNDING) for total in accumulate(sizes)]
    return [total - before for before, total in pairwise((0, *totals))] if share < 1 else list(sizes)


def _smallest_verdict(target: float, bad: int, alpha: float) -> int | None:
    """`smallest_sample`, and no less than any verdict needs."""
    smallest = smallest_sample(target, bad, alpha)
    return None if smallest is None else max(smallest, LEAST_EFFECTIVE)


def _warnings(gate: Gate, step: Step, first: ShareDecision, scenario: Scenario) -> list[str]:
    found = []
    if gate.stat == "p99" and first.n < _SMALL_FOR_P99:
        wanted = math.ceil(_SMALL_FOR_P99 / _share(gate, scenario))
        found.append(f"p99 rests on {first.n // 100} requests of the first {first.n}; ask for {wanted} or more")
    if first.blocks < LEAST_BLOCKS:
        wanted = math.ceil(LEAST_BLOCKS * first.block_size / _share(gate, scenario))
        so = (
            "so the first look stays open"
            if step.axis == "concurrency"
            else "if answers take as long as slo.e2e allows"
        )
        found.append(
            f"{first.n} requests at {step.label} make {first.blocks} of the {LEAST_BLOCKS} blocks a verdict needs, "
            f"{so}; load.requests: {wanted} would do"
        )
    if step.axis == "rate" and _slowest_s(scenario) is None:
        found.append(
            f"a verdict needs {LEAST_BLOCKS} blocks of rate x p99(e2e) requests, and only the run knows how slow "
            "answers are; slo.e2e would let the plan reckon with it"
        )
    return found


def _slowest_s(scenario: Scenario) -> float | None:
    """How long an answer may take, where every SLO says so."""
    limits = [slo.e2e_ms for slo in slos_of(scenario.promised)]
    known = [limit / 1000 for limit in limits if limit is not None]
    return max(known) if known and len(known) == len(limits) else None


def _least_block(step: Step, scenario: Scenario, share: float = 1.0) -> int:
    """Requests of a block on the fastest server: concurrency, of a class its share of it, or in open loop one.

    Of conversations, as many times that as they have turns.
    """
    if step.axis != "concurrency":
        return 1
    return max(1, math.ceil(int(step.value) * share - _ROUNDING)) * turns_of_a_request(scenario.workload.sessions)


def _block(step: Step, scenario: Scenario, share: float) -> int:
    """Requests of a block: concurrency, or at a rate those that come while the slowest answer of the SLO takes."""
    slowest_s = _slowest_s(scenario)
    if step.axis == "rate" and slowest_s is not None:
        return math.ceil(step.value * slowest_s * share - _ROUNDING)
    return _least_block(step, scenario, share)


def _most_bad(sizes: Sequence[int], target: float, alpha: float, block: int) -> int:
    """Bisect for the last count that still passes; evenly spread, so that blocks cost nothing."""
    low, high = 0, sum(sizes)
    while high - low > 1:
        middle = (low + high) // 2
        passes = _decide(sizes, middle, target, alpha, block).status is Status.PASS
        low, high = (middle, high) if passes else (low, middle)
    return low


def _decide(sizes: Sequence[int], bad: int, target: float, alpha: float, block: int) -> ShareDecision:
    """What the verdict engine itself says of this many bad requests, spread evenly over all windows."""
    total = sum(sizes)
    count = np.arange(total + 1) * bad // max(total, 1)  # a class may get none
    holds: Bools = np.diff(count) == 0
    windows = np.split(holds, np.cumsum(sizes)[:-1])
    return decide_share(windows, target, block=block, alpha=alpha)


def _proves(n: int, bad: int, target: float, alpha: float) -> bool:
    return n > bad and clopper_pearson(n - bad, n, alpha).low >= target


def _problem(outlook: Outlook, scenario: Scenario) -> Problem:
    gate, line = outlook.gate, outlook.gate.line or 1
    lines = scenario.document.text.splitlines()
    source_line = lines[line - 1] if gate.line and line <= len(lines) else ""
    of_class = f" of the class {gate.traffic_class}" if gate.traffic_class else ""
    message = f"{gate} can never pass at {outlook.step.label} with {outlook.requests} requests{of_class}"
    return Problem(
        file=scenario.document.source,
        line=line,
        column=len(source_line) - len(source_line.lstrip(" -")) + 1,
        path=f"spec.gates[{scenario.gates.index(gate)}]",
        message=message,
        hint=_way_out(outlook, scenario),
        source_line=source_line,
    )


def _capacity_problem(outlook: Outlook, scenario: Scenario) -> Problem:
    path = ("spec", "recommend", "goodput_target")
    text = scenario.document.text
    root, _ = read(text, scenario.document.source)
    place = None if root is None else key_place(root, path if find(root, path) else path[:-1])
    message = f"no load of the ladder can be known to hold {percent(outlook.target)}"
    if place is None:
        return Problem(scenario.document.source, 1, 1, ".".join(path), message, _way_out(outlook, scenario))
    lines = lines_of(text)
    source_line = lines[place.line - 1] if place.line <= len(lines) else ""
    hint = _way_out(outlook, scenario)
    return Problem(place.file, place.line, place.column, ".".join(path), message, hint, source_line)


def _way_out(outlook: Outlook, scenario: Scenario) -> str:
    if outlook.table[0] is None:
        return f"No sample of up to {_LARGEST:,} requests proves so much: promise a little less, such as 99.9%"
    needed = max(outlook.table[0], LEAST_EFFECTIVE)
    if isinstance(scenario.load.shape, Trace):
        return (
            f"Even without one bad request it takes {needed} independent ones, and a few more for their dependence: "
            "replay more of the trace, or a longer one"
        )
    if outlook.blocks < LEAST_BLOCKS:
        share = _share(outlook.gate, scenario)
        size = _least_block(outlook.step, scenario, share)
        # with only four blocks a request is worth less than half an independent one
        wanted = max(math.ceil(LEAST_BLOCKS * size / share), _round_up(math.ceil(3 * needed / share)))
        return f"A verdict needs {LEAST_BLOCKS} blocks of {size} requests or more: set load.requests to {wanted}"
    return (
        f"Even without one bad request it takes {needed} independent ones, and a few more for their dependence: "
        f"set decision.max_requests to {_enough(outlook, scenario, needed)}"
    )


def _enough(outlook: Outlook, scenario: Scenario, needed: int) -> int:
    """The first round number that would do; more requests may mean more looks, each at a smaller level."""
    share = _share(outlook.gate, scenario)
    block = _least_block(outlook.step, scenario, share)
    proposed = _round_up(math.ceil(needed / share))
    while True:
        larger = replace(scenario, decision=replace(scenario.decision, max_requests=proposed))
        sizes = _part(planned_sizes(larger, outlook.step), share)
        alpha = look_level(larger, len(sizes))
        if _decide(sizes, 0, outlook.target, alpha, block).status is Status.PASS:
            return proposed
        proposed = _round_up(proposed + proposed // 10)


def _round_up(requests: int) -> int:
    """Two leading digits, upwards."""
    unit = int(10 ** max(len(str(requests)) - 2, 0))
    return -(-requests // unit) * unit
