"""docs/comparing.md shows what the reporters really write, and the exit codes and margins that hold."""

from __future__ import annotations

from pathlib import Path

from llmload.analysis.change_points import LEAST_RUNS, MOST_FALSE
from llmload.analysis.comparison import ERROR, FLOOR_MS, MARGIN
from llmload.reporters import comparison_text
from llmload.reporters.trends import render_text
from tests.reporters.test_comparison import MIXED
from tests.reporters.test_trends import TOLD

PAGE = (Path(__file__).parents[2] / "docs" / "comparing.md").read_text(encoding="utf-8")


def test_the_comparison_it_shows_is_what_is_written() -> None:
    assert f"```\n{comparison_text.render(MIXED).decode()}```" in PAGE


def test_the_trend_it_shows_is_what_is_written() -> None:
    assert f"```\n{render_text([TOLD]).decode()}```" in PAGE


def test_the_numbers_it_names_are_those_of_the_code() -> None:
    assert (MARGIN, FLOOR_MS, ERROR, MOST_FALSE, LEAST_RUNS) == (0.05, 1.0, 0.05, 0.01, 3)
    assert "beyond 5 % or 1 ms" in PAGE
    assert "1 - 0.05/m" in PAGE
    assert "fewer than 1 of 100" in PAGE
    assert "three runs on either side" in PAGE
