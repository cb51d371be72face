"""docs/launch.md: its scenario is valid, and its figures are those of the program."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from llmload.scenario.asked import Launch
from llmload.scenario.loader import load_text
from llmload.target.guardian import UNASKED_GRACE_S
from llmload.target.launch import GRACE_S, HURRIED_GRACE_S
from llmload.target.server_log import TAIL_CHARACTERS

PAGE = (Path(__file__).parents[2] / "docs/launch.md").read_text(encoding="utf-8")
HEAD = "apiVersion: llmload/v1\nkind: Scenario\nmetadata: {name: page}\nspec:\n"


def test_its_scenario_is_valid() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    text = HEAD + textwrap.indent(block, "  ")
    place = load_text(text, "launch.md", env={"HF_TOKEN": "hf_1234"}, directory=Path()).target.place
    assert isinstance(place, Launch)
    assert (place.command[:2], place.ready_timeout_s) == (("vllm", "serve"), 600.0)


@pytest.mark.parametrize(
    ("begins", "seconds"),
    [
        ("| the run ends", GRACE_S),
        ("| Ctrl-C or SIGTERM while", HURRIED_GRACE_S),
        ("| llmload is killed", UNASKED_GRACE_S),
    ],
)
def test_its_graces_are_true(begins: str, seconds: float) -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith(begins))
    assert f"SIGKILL after {seconds:g} s" in row


def test_its_tail_is_true() -> None:
    assert f"The last {TAIL_CHARACTERS // 1024} KiB are kept" in PAGE
