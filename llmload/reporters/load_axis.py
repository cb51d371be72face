"""The x axis of charts against load: the steps of one kind of load, never two units on one axis."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from llmload.domain import RunResult, StepResult
from llmload.reporters.chart import NUMBER, Range, Spec
from llmload.reporters.texts import Texts

_LOG_FROM = 10
"""How many times the lowest load the highest one must be for a logarithmic axis."""


@dataclass(frozen=True, slots=True)
class LoadAxis:
    """The steps that are drawn, by rising load, and the labels of those on another axis."""

    axis: str  # as in Step
    steps: tuple[StepResult, ...]
    left_out: tuple[str, ...]

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

    def note(self, texts: Texts) -> str:
        """What was measured and is not drawn; "" where nothing is missing."""
        return texts["charts.left_out"].format(steps=", ".join(self.left_out)) if self.left_out else ""


def load_axis_of(run: RunResult) -> LoadAxis | None:
    """The axis with most steps, the first one where two have as many; None of a run without steps."""
    counted = Counter(result.step.axis for result in run.steps)
    if not counted:
        return None
    axis = counted.most_common(1)[0][0]
    chosen = sorted((each for each in run.steps if each.step.axis == axis), key=lambda each: each.step.value)
    others = tuple(each.step.label for each in run.steps if each.step.axis != axis)
    return LoadAxis(axis, tuple(chosen), others)
