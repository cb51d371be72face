"""Of a step's traffic, the figures of each part by itself: each class of a mixture, each turn of conversations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from llmload.analysis.metrics import measure
from llmload.domain import Observation, PartFigures, RequestRecord, StepMetrics
from llmload.planned import Part
from llmload.promises import Promised

Name = TypeVar("Name", str, int)


def parts_of(windows: Sequence[Observation], slo: Promised) -> tuple[PartFigures, ...]:
    """Classes first, in the order of their names, then turns in their order; nothing where traffic has no parts.

    What is good of a class is so by its own SLO.
    """
    return (*_classes(windows, slo), *_turns(windows, slo))


def _classes(windows: Sequence[Observation], slo: Promised) -> Iterator[PartFigures]:
    found = _split(windows, lambda part: part.traffic_class)
    for name in sorted(found):
        yield PartFigures("class", name, _figures(found[name], slo))


def _turns(windows: Sequence[Observation], slo: Promised) -> Iterator[PartFigures]:
    """Those that were measured: the longest conversations may reach their last turns after the window's end alone."""
    found = _split(windows, lambda part: part.turn)
    for turn in sorted(found):
        metrics = _figures(found[turn], slo)
        if metrics.attempts:
            yield PartFigures("turn", str(turn + 1), metrics)


def _figures(windows: Sequence[Observation], slo: Promised) -> StepMetrics:
    return replace(measure(windows, slo), histograms={})


def _split(
    windows: Sequence[Observation], name_of: Callable[[Part], Name | None]
) -> Mapping[Name, Sequence[Observation]]:
    """The same windows once for each part, with its requests alone. What was planned of each part, nobody counted.

    All parts in one pass: a store from elsewhere may have a thousand.
    """
    found: dict[Name, list[list[RequestRecord]]] = {}
    for place, window in enumerate(windows):
        for record in window.records:
            if (name := name_of(record.part)) is not None:
                found.setdefault(name, [[] for _ in windows])[place].append(record)
    return {
        name: [
            replace(window, records=tuple(mine), planned=None) for window, mine in zip(windows, records, strict=True)
        ]
        for name, records in found.items()
    }
