"""docs/embeddings.md: its scenario is valid, and so is the one that it names."""

from __future__ import annotations

import re
from pathlib import Path

from llmload.scenario.loader import load, load_text

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/embeddings.md").read_text(encoding="utf-8")


def test_its_scenario_is_valid() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    found = load_text(block, "embeddings.md", env={}, directory=ROOT)
    assert (found.target.api, dict(found.workload.sampling)) == ("embeddings", {"dimensions": 256})


def test_the_example_that_it_names_asks_for_embeddings() -> None:
    assert "(../scenarios/embeddings.yaml)" in PAGE
    assert load(ROOT / "scenarios/embeddings.yaml", env={}).target.api == "embeddings"
