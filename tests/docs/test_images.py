"""docs/images.md: what it shows is valid, and its sizes are true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmload.scenario.loader import load, load_text
from llmload.scenario.traffic import NoiseImages, Synthetic
from llmload.workload.noise import noise_png

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/images.md").read_text(encoding="utf-8")
HEAD = "apiVersion: llmload/v1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  target: {url: http://localhost:8000}\n"
SIZES = re.findall(r"^\| (\d+) x (\d+) \| (\d+) kB", PAGE, re.MULTILINE)


def test_its_example_is_valid_and_says_the_defaults() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    text = HEAD + "".join(f"  {line}\n" for line in block.splitlines())
    prompts = load_text(text, "images.md", env={}, directory=ROOT).workload.prompts
    assert isinstance(prompts, Synthetic)
    assert prompts.images == NoiseImages(1, 512, 512)
    bare = load_text(f"{HEAD}  workload: {{prompts: {{synthetic: {{images: {{}}}}}}}}\n", "s", env={}, directory=ROOT)
    assert isinstance(bare.workload.prompts, Synthetic)
    assert bare.workload.prompts.images == prompts.images


def test_the_scenario_that_it_names_has_images() -> None:
    prompts = load(ROOT / "scenarios/images.yaml", env={}).workload.prompts
    assert isinstance(prompts, Synthetic)
    assert prompts.images is not None


@pytest.mark.parametrize(("width", "height", "kilobytes"), SIZES[:3])
def test_its_sizes_are_those_of_the_images(width: str, height: str, kilobytes: str) -> None:
    made = len(noise_png(b"a window", 1, int(width), int(height)))
    assert made / 1000 == pytest.approx(float(kilobytes), rel=0.1)
