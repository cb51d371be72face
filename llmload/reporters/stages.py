"""The steps of a run below its curves over time: shades from the first window of each to its last, with their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from llmload.plain_text import display_width
from llmload.reporters import palette
from llmload.reporters.chart import WIDTH, Range, Spec, known, rows
from llmload.reporters.texts import Texts
from llmload.reporters.wording import label_in
from llmload.timeline import Span

_LETTER = 7.5
"""Pixels that a letter takes at most, for what is written into a span: pages make charts a little narrower."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step from its first window to its last, as long as no other came between."""

    label: str
    start_s: float
    end_s: float


def stages_of(spans: Sequence[Span]) -> list[Stage]:
    """The windows of a run, those of one step that follow each other taken together."""
    grouped = (list(group) for _, group in groupby(spans, key=lambda span: span.label))
    return [Stage(group[0].label, group[0].start_s, group[-1].end_s) for group in grouped]


def shades(stages: Sequence[Stage], x: Spec) -> Spec:
    """A layer that shades each stage; `x` has the scale and axis of the view."""
    return {
        "data": rows([{"start": known(stage.start_s), "end": known(stage.end_s)} for stage in stages]),
        "mark": {"type": "rect", "color": palette.INK, "opacity": 0.06, "clip": True},
        "encoding": {"x": {**x, "field": "start"}, "x2": {"field": "end"}},
    }


def names(stages: Sequence[Stage], span: Range, texts: Texts) -> Spec:
    """A layer with the name of each stage in its shade: whole where it fits, else only the load, else nothing."""
    named = []
    for stage in stages:
        pixels = (stage.end_s - stage.start_s) / (span.high - span.low) * WIDTH
        label = label_in(stage.label, texts)
        short = stage.label.rpartition(" ")[2]
        fitting = next((words for words in (label, short) if display_width(words) * _LETTER <= pixels), "")
        named.append({"middle": known((stage.start_s + stage.end_s) / 2), "name": fitting})
    return {
        "data": rows([row for row in named if row["name"]]),
        "mark": {"type": "text", "baseline": "top", "opacity": palette.QUIET, "clip": True},
        "encoding": {
            "x": {"field": "middle", "type": "quantitative"},
            "y": {"value": 3},
            "text": {"field": "name", "type": "nominal"},
        },
    }
