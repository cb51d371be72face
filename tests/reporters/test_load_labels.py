"""Labels of the knee, of saturation and of levels keep clear of each other and of every rule, wherever those stand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lxml import etree

from llmload.domain import RunResult
from llmload.plain_text import display_width
from llmload.reporters.charts import run_charts
from llmload.reporters.drawing import svg
from llmload.reporters.texts import Language, texts_in
from tests.recorded_runs import CLEAN

_LETTER = 6.6
"""Pixels of a bold letter in a font as wide as DejaVu Sans."""

_SVG = "{http://www.w3.org/2000/svg}"
Box = tuple[float, float, float, float]  # left, right, top, bottom


def ladder(loads: int, at_slo: int, saturation: int) -> RunResult:
    """As many loads as asked for, eight apart; the knee and saturation are at the nth of them."""
    steps = (CLEAN.steps[place % len(CLEAN.steps)] for place in range(loads))
    moved = [replace(each, step=replace(each.step, value=8.0 * place)) for place, each in enumerate(steps, start=1)]
    assert CLEAN.knee is not None
    knee = replace(CLEAN.knee, at_slo=8.0 * at_slo, saturation=8.0 * saturation)
    return replace(CLEAN, steps=tuple(moved), knee=knee)


def drawn(run: RunResult, language: Language) -> tuple[list[Box], list[Box]]:
    """The labels within the plot of throughput, and the upright rules."""
    chart = next(each for each in run_charts(run, texts_in(language)) if each.name == "throughput")
    root = etree.fromstring(svg(chart))
    labels, rules = [], []
    for text in root.iter(f"{_SVG}text"):
        words = text.text or ""
        if (text.get("font-weight") == "bold" and words != chart.title) or "SLO" in words:
            x, y, width = float(text.get("x")), float(text.get("y")), _LETTER * display_width(words)
            labels.append(
                (x - width, x, y - 9, y + 2) if text.get("text-anchor") == "end" else (x, x + width, y - 9, y + 2)
            )
    for path in root.iter(f"{_SVG}path"):
        if path.get("opacity") == "0.75":
            begin, _, shift = path.get("d").removeprefix("M").partition("l")
            (x, y), height = map(float, begin.split()), float(shift.split()[-1])
            rules.append((x, x, min(y, y + height), max(y, y + height)))
    return labels, rules


def apart(one: Box, other: Box) -> bool:
    """Whether the boxes have no point in common."""
    return one[1] < other[0] or other[1] < one[0] or one[3] < other[2] or other[3] < one[2]


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize(
    ("loads", "at_slo", "saturation"),
    [
        pytest.param(6, 5, 6, id="both at the right end"),
        pytest.param(20, 19, 20, id="close together at the right end"),
        pytest.param(12, 1, 2, id="both at the left end"),
        pytest.param(20, 10, 11, id="both in the middle"),
        pytest.param(12, 1, 12, id="at either end"),
        pytest.param(12, 8, 4, id="saturated before the SLO breaks"),
        pytest.param(6, 6, 6, id="at one load"),
        pytest.param(1, 1, 1, id="a single load"),
    ],
)
def test_labels_keep_clear_of_each_other_and_of_rules(
    language: Language, loads: int, at_slo: int, saturation: int
) -> None:
    labels, rules = drawn(ladder(loads, at_slo, saturation), language)
    assert (len(labels), len(rules)) == (4, 2)
    for place, label in enumerate(labels):
        assert all(apart(label, other) for other in [*labels[place + 1 :], *rules]), (label, labels, rules)
