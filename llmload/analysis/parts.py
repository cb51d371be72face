"""Of a step's traffic, the figures of each part by itself: each class of a mixture, each turn of conversations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from llmload.analysis.metrics import measure
from llmload.domain import Observation, PartFigures, RequestRecord
from llmload.planned import Part
from llmload.promises import Slo


def parts_of(windows: Sequence[Observation], slo: Slo | None) -> tuple[PartFigures, ...]:
    """Classes first, in the order of their names, then turns in their order; nothing where traffic has no parts."""
    return (*_classes(windows, slo), *_turns(windows, slo))


def only(windows: Sequence[Observation], belongs: Callable[[RequestRecord], bool]) -> tuple[Observation, ...]:
    """The same windows with those requests alone. What was planned of each part, nobody counted."""
    return tuple(
        replace(window, records=tuple(record for record in window.records if belongs(record)), planned=None)
        for window in windows
    )


def _classes(windows: Sequence[Observation], slo: Slo | None) -> Iterator[PartFigures]:
    for name in sorted({name for part in _parts(windows) if (name := part.traffic_class) is not None}):
        mine = only(windows, partial(_is_of_class, name))
        yield PartFigures("class", name, replace(measure(mine, slo), histograms={}))


def _turns(windows: Sequence[Observation], slo: Slo | None) -> Iterator[PartFigures]:
    for turn in sorted({turn for part in _parts(windows) if (turn := part.turn) is not None}):
        mine = only(windows, partial(_is_of_turn, turn))
        yield PartFigures("turn", str(turn + 1), replace(measure(mine, slo), histograms={}))


def _parts(windows: Sequence[Observation]) -> set[Part]:
    return {record.part for window in windows for record in window.records}


def _is_of_class(name: str, record: RequestRecord) -> bool:
    return record.part.traffic_class == name


def _is_of_turn(turn: int, record: RequestRecord) -> bool:
    return record.part.turn == turn
