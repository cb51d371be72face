"""The x axis of charts against load: the steps of one kind of load, never two units on one axis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from llmload.capacity import Knee
from llmload.domain import RunResult, StepResult
from llmload.plain_text import display_width
from llmload.planned import Step
from llmload.reporters import sections
from llmload.reporters.chart import NUMBER, WIDTH, Range, Spec, rows
from llmload.reporters.texts import Texts
from llmload.reporters.wording import sentence, step_label
from llmload.units import format_number

_LOG_FROM = 10
"""How many times the lowest load the highest one must be for a logarithmic axis."""

_ROW = 15
"""Pixels from one label at the top of a view to the next."""

_DASHES: Mapping[str, Sequence[int]] = {"knee": (5, 3), "saturation": (1, 3)}

Side = Literal["left", "right"]
"""What a label is aligned by: by its left end it stands on the right of a rule."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """A load that is marked by a rule; `place` is where it lies, 0 at the left end of the axis and 1 at the right."""

    load: float
    words: str
    dash: Sequence[int]
    place: float

    @property
    def fits_before(self) -> bool:
        """Whether there is room for the words on the left of the rule."""
        return self.place * WIDTH >= _pixels(self.words)

    @property
    def fits_behind(self) -> bool:
        """Whether there is room for them on the right."""
        return (1 - self.place) * WIDTH >= _pixels(self.words)


def _pixels(words: str) -> float:
    """What bold words take at most, with the distance to a rule on either side."""
    return 7.5 * display_width(words) + 12


def _placed(marks: Sequence[_Mark]) -> list[tuple[Side, int]]:
    """How each label is aligned, and in which row from the top it stands."""
    if len(marks) < 2:
        return [("right" if mark.fits_before else "left", 0) for mark in marks]
    order = sorted(range(len(marks)), key=lambda place: marks[place].load)
    low, high = (marks[place] for place in order)
    found: list[tuple[Side, int]]
    if low.fits_before and high.fits_behind:
        found = [("right", 0), ("left", 0)]
    elif high.fits_behind:
        found = [("left", 0), ("left", 1)]
    else:
        found = [("right", 1), ("right", 0)]
    return [found[order.index(place)] for place in range(len(marks))]


@dataclass(frozen=True, slots=True)
class LoadAxis:
    """The steps that are drawn, by rising load, and those of another axis."""

    axis: str  # as in Step
    steps: tuple[StepResult, ...]
    left_out: tuple[Step, ...]

    @property
    def range(self) -> Range:
        """Logarithmic for ladders that span a decade; a single step stands in the middle."""
        values = [result.step.value for result in self.steps]
        low, high = min(values), max(values)
        if low > 0 and (high == low or high / low >= _LOG_FROM):
            room = (high / low) ** 0.04 if high > low else 2
            return Range(low / room, high * room, "log")
        room = (high - low) * 0.05 or 1.0
        return Range(low - room, high + room)

    def encoding(self, texts: Texts) -> Spec:
        """Ticks stand where something was measured, as far as there is room for their labels."""
        return {
            "field": "load",
            "type": "quantitative",
            "scale": self.range.scale,
            "axis": {
                "title": texts[f"charts.axis.{self.axis}"],
                "values": [result.step.value for result in self.steps],
                "format": NUMBER,
                "labelOverlap": "greedy",
                "labelSeparation": 7,
                "grid": False,
            },
        }

    def label(self, result: StepResult, texts: Texts) -> str:
        """One of its steps in words: `concurrency 8`."""
        return step_label(result.step, texts)

    def note(self, texts: Texts) -> str:
        """What was measured and is not drawn; "" where nothing is missing."""
        labels = ", ".join(step_label(step, texts) for step in self.left_out)
        return texts["charts.left_out"].format(steps=labels) if labels else ""

    def knee_layers(self, knee: Knee | None, texts: Texts) -> Iterator[Spec]:
        """A rule at the knee and one at saturation, each with its label at its top.

        Where both labels have to stand on one side, one of them passes over the other rule, which begins below it.
        """
        marks = [
            _Mark(load, texts[f"charts.{name}"].format(load=format_number(load)), _DASHES[name], self.range.place(load))
            for name, load in self._marks(knee)
        ]
        for mark, (side, row) in zip(marks, _placed(marks), strict=True):
            text = {"text": mark.words, "fontWeight": "bold", "align": side, "dx": 6 if side == "left" else -6}
            data = rows([{"load": mark.load}])
            x = {"field": "load", "type": "quantitative"}
            rule = {"type": "rule", "opacity": 0.75, "strokeDash": mark.dash, "size": 1.5, "clip": True}
            yield {
                "data": data,
                "mark": rule,
                "encoding": {"x": x, "y": {"value": row * _ROW}, "y2": {"value": "height"}},
            }
            yield {
                "data": data,
                "mark": {"type": "text", "baseline": "top", "clip": True, **text},
                "encoding": {"x": x, "y": {"value": 2 + row * _ROW}},
            }

    def words_begin(self, knee: Knee | None, words: str) -> Spec:
        """Where words that name a level begin: at the left end, or behind the rule that would pass through them."""
        begin: Spec = {"value": 0}
        left, needed = 0.0, _pixels(words)
        for load in sorted(load for _, load in self._marks(knee)):
            here = self.range.place(load) * WIDTH
            if here - left < needed:
                begin, left = {"datum": load, "type": "quantitative"}, here
        return begin

    def knee_sentence(self, run: RunResult, texts: Texts) -> Iterator[str]:
        """How far the load may go, where this axis tells it."""
        if run.knee is not None and run.knee.axis == self.axis:
            yield sentence(sections.knee(run, texts))

    def _marks(self, knee: Knee | None) -> Iterator[tuple[str, float]]:
        """What is marked: its name in the catalogue, and the load."""
        if knee is None or knee.axis != self.axis:
            return
        if knee.at_slo is not None:
            yield "knee", knee.at_slo
        if knee.saturation is not None:
            yield "saturation", knee.saturation


def load_axis_of(run: RunResult) -> LoadAxis | None:
    """The axis with most steps, the first one where two have as many; None of a run without steps."""
    counted = Counter(result.step.axis for result in run.steps)
    if not counted:
        return None
    axis = counted.most_common(1)[0][0]
    chosen = sorted((each for each in run.steps if each.step.axis == axis), key=lambda each: each.step.value)
    others = tuple(each.step for each in run.steps if each.step.axis != axis)
    return LoadAxis(axis, tuple(chosen), others)
