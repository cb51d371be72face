"""The x axis of charts against load: the steps of one kind of load, never two units on one axis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from llmload.capacity import Knee
from llmload.domain import RunResult, Step, StepResult
from llmload.reporters import sections
from llmload.reporters.chart import NUMBER, Range, Spec, rows
from llmload.reporters.texts import Texts
from llmload.reporters.wording import sentence, step_label
from llmload.units import format_number

_LOG_FROM = 10
"""How many times the lowest load the highest one must be for a logarithmic axis."""

_ROW = 14
"""Pixels from one label at the top of a view to the next."""


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
        """A rule at the knee and one at saturation, each with its label in a row of its own at the top."""
        for row, (name, load) in enumerate(self._marks(knee)):
            is_left_of_rule = self.range.place(load) > (0.3 if name == "knee" else 0.82)
            side = {"align": "right", "dx": -6} if is_left_of_rule else {"align": "left", "dx": 6}
            text = {"text": texts[f"charts.{name}"].format(load=format_number(load)), "fontWeight": "bold", **side}
            data = rows([{"load": load}])
            x = {"field": "load", "type": "quantitative"}
            dash = [5, 3] if name == "knee" else [1, 3]
            rule = {"type": "rule", "opacity": 0.75, "strokeDash": dash, "size": 1.5, "clip": True}
            yield {"data": data, "mark": rule, "encoding": {"x": x}}
            yield {
                "data": data,
                "mark": {"type": "text", "baseline": "top", "clip": True, **text},
                "encoding": {"x": x, "y": {"value": 2 + row * _ROW}},
            }

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
