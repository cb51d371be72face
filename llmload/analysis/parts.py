"""Of a step's traffic, the figures of each part by itself: each class of a mixture, each turn of conversations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from llmload.analysis.folded import only
from llmload.analysis.metrics import measure
from llmload.domain import Observation, PartFigures, RequestRecord
from llmload.planned import Part
from llmload.promises import Promised


def parts_of(windows: Sequence[Observation], slo: Promised) -> tuple[PartFigures, ...]:
    """Classes first, in the order of their names, then turns in their order; nothing where traffic has no parts.

    What is good of a class is so by its own SLO.
    """
    return (*_classes(windows, slo), *_turns(windows, slo))


def _classes(windows: Sequence[Observation], slo: Promised) -> Iterator[PartFigures]:
    for name in sorted({name for part in _parts(windows) if (name := part.traffic_class) is not None}):
        mine = only(windows, partial(_is_of_class, name))
        yield PartFigures("class", name, replace(measure(mine, slo), histograms={}))


def _turns(windows: Sequence[Observation], slo: Promised) -> Iterator[PartFigures]:
    for turn in sorted({turn for part in _parts(windows) if (turn := part.turn) is not None}):
        mine = only(windows, partial(_is_of_turn, turn))
        yield PartFigures("turn", str(turn + 1), replace(measure(mine, slo), histograms={}))


def _parts(windows: Sequence[Observation]) -> set[Part]:
    return {record.part for window in windows for record in window.records}


def _is_of_class(name: str, record: RequestRecord) -> bool:
    return record.part.traffic_class == name


def _is_of_turn(turn: int, record: RequestRecord) -> bool:
    return record.part.turn == turn
