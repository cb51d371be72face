"""Runs that were made to find a capacity, without any load: 3 requests in flight hold the SLO, 4 do not."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace

from llmload.domain import Observation
from llmload.planned import Look, Step
from llmload.scenario.asked import Scenario
from tests.cli.stored_runs import scenario_of
from tests.store.observations import window

PEAK = "\n  recommend: {peak_concurrency: 10}\n"
_LATE_NS = 3_000_000_000


def asking(name: str = "chat", more: str = PEAK) -> Scenario:
    """Of a TTFT within 500 ms; answers take 200 ms, or 3.2 s."""
    return scenario_of(name, load="[1, 2, 4]", more=more)


def searched() -> Sequence[Observation]:
    """The ladder, and the one load between its last two that the search needs."""
    between = replace(window(0, requests=300), look=Look(Step(3, "concurrency", 3.0), 0, 300))
    return [window(0, requests=300), window(1, requests=300), between, late(window(2, requests=300))]


def late(seen: Observation) -> Observation:
    """The same requests, each answered 3 s later."""
    records = tuple(
        replace(
            record,
            event_ns=array("q", (at + _LATE_NS for at in record.event_ns)),
            answer_ns=None if record.answer_ns is None else record.answer_ns + _LATE_NS,
            done_ns=record.done_ns + _LATE_NS,
        )
        for record in seen.records
    )
    return replace(seen, records=records)
