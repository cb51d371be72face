"""docs/matrix.md: its scenario has the cells that it says, and its names are those of llmload."""

from __future__ import annotations

import re
from pathlib import Path

from llmload.scenario.cell_id import LONGEST_ID
from llmload.scenario.loader import cells_of_text
from llmload.scenario.matrix import HIGHEST_MOST, MOST_CELLS

PAGE = (Path(__file__).resolve().parents[2] / "docs/matrix.md").read_text(encoding="utf-8")


def test_the_scenario_of_the_page_has_these_cells() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    found = cells_of_text(block, "matrix.md", env={})
    assert [loaded.cell.id for loaded in found if loaded.cell is not None] == [
        "concurrency=1+10,max_num_seqs=64",
        "concurrency=1+10,max_num_seqs=256",
        "concurrency=50,max_num_seqs=256",
        "concurrency=50,ttft=1s,max_num_seqs=512",
    ]


def test_the_numbers_of_the_page_are_those_of_the_code() -> None:
    assert f"**{MOST_CELLS} cells** at most" in PAGE
    assert f"({HIGHEST_MOST:,} at most)" in PAGE
    assert f"beyond {LONGEST_ID} characters" in PAGE
