"""docs/presets.md: its scenario is valid, its commands exist, and its table is that of the package."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import llmload
from llmload.scenario.loader import load, load_text
from tests.docs.command_help import lacks
from tests.docs.migration_tables import command

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/presets.md").read_text(encoding="utf-8")
PACKAGE = sorted(path.stem for path in (Path(llmload.__file__).parent / "presets").glob("*.yaml"))
ROWS = {
    cells[0].strip("`"): cells[1:]
    for line in PAGE.splitlines()
    if line.startswith("| `") and len(cells := [cell.strip() for cell in line.strip("|").split("|")]) == 6
}
COMMANDS = [line.partition("  #")[0].strip() for line in PAGE.splitlines() if line.startswith("llmload ")]


def test_its_scenario_is_valid() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    found = load_text(block, "presets.md", env={}, directory=ROOT / "scenarios")
    assert found.slo is not None
    assert found.slo.ttft_ms == 450


def test_its_table_has_every_preset() -> None:
    assert sorted(ROWS) == PACKAGE


@pytest.mark.parametrize("name", PACKAGE)
def test_its_table_says_what_the_preset_says(name: str) -> None:
    tokens_in, tokens_out, load, slo, _ = ROWS[name]
    text = (Path(llmload.__file__).parent / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
    lengths = [
        re.findall(rf"{key}: (?:{{lognormal: {{mean: )?(\d+)", text) for key in ("input_tokens", "output_tokens")
    ]
    assert lengths == [[tokens_in], [tokens_out]]
    assert load == "concurrency " + "".join(re.findall(r"concurrency: \[(.*)\]", text))
    written = [term.replace(":", "") for term in re.findall(r"slo: \{(.*)\}", text)]
    assert slo == (written[0] if written else "none")


@pytest.mark.parametrize("name", PACKAGE)
def test_scenarios_shows_every_preset(name: str) -> None:
    found = load(ROOT / "scenarios" / f"{name}.yaml", env={})
    assert f"extends: [preset:{name}]" in found.document.text


@pytest.mark.parametrize("line", COMMANDS, ids=lambda line: " ".join(shlex.split(line)[1:4]))
def test_its_commands_exist(line: str) -> None:
    asked = command(line)
    assert asked is not None
    assert lacks(asked) is None
