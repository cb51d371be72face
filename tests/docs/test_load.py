"""What docs/load.md shows is valid, and what it says of a trace is what the shipped one shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmload.scenario.loader import load_text

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "load.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
HEAD = "apiVersion: llmload/v1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  target: {url: http://localhost:8000}\n"


def loaded(load: str) -> str:
    indented = "".join(f"  {line}\n" for line in load.splitlines())
    scenario = load_text(HEAD + indented, "load.md", env={}, directory=ROOT / "scenarios")
    return type(scenario.load.shape).__name__


@pytest.mark.parametrize(("block", "shape"), list(zip(BLOCKS, ("OpenLoop", "Trace", "ClosedLoop"), strict=True)))
def test_its_loads_are_valid(block: str, shape: str) -> None:
    assert loaded(block) == shape


@pytest.mark.parametrize(
    ("written", "shape"),
    [
        ("concurrency: [1, 10, 50]", "ClosedLoop"),
        ("rate: [2/s, 8/s]", "OpenLoop"),
        ("ramp: 10s", "ClosedLoop"),
        ("workers: auto", "ClosedLoop"),
        ("workers: 4", "ClosedLoop"),
    ],
)
def test_what_it_says_in_passing_is_valid_too(written: str, shape: str) -> None:
    assert f"`{written}`" in PAGE
    assert loaded(f"load:\n  {written}\n") == shape
