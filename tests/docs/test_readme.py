"""What the README shows is true: its scenario, its commands, its exit codes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmload.analysis.conclusions import PRECEDENCE
from tests.command import here

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_it_stays_within_two_screens() -> None:
    assert len(README.splitlines()) <= 80


def test_its_scenario_is_valid(tmp_path: Path) -> None:
    (scenario,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "scenario.yaml").write_text(scenario)
    for verb in ("validate", "plan"):
        done = here(verb, "scenario.yaml", cwd=tmp_path)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("verb", sorted(set(re.findall(r"llmload ([a-z]+) ", README))))
def test_its_commands_exist(verb: str, tmp_path: Path) -> None:
    assert here(verb, "--help", cwd=tmp_path).returncode == 0


def test_its_exit_codes_are_those_of_the_command() -> None:
    table = re.findall(r"^\| ([\d /]+) \|", README, re.MULTILINE)
    told = {int(code) for row in table for code in row.split("/")}
    assert told == set(PRECEDENCE) - {70}  # 70 is a defect of ours, nothing to build on


def test_its_two_commands_are_targets_of_the_makefile() -> None:
    makefile = (Path(__file__).parents[2] / "Makefile").read_text(encoding="utf-8")
    first_block = README.split("```")[1]
    assert re.findall(r"^make (\w+)", first_block, re.MULTILINE) == ["demo", "test"]
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in ("demo", "test"))
