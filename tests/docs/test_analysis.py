"""docs/analysis.md: its commands exist, its sentences are those that are said, its limits those that hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmload.analysis.briefing import LONGEST, SHORTER
from llmload.cli.analyze import ONLY_VLLM
from llmload.target.analyst import LONGEST_ANSWER, Limits
from tests.docs.command_help import lacks
from tests.docs.migration_tables import command

PAGE = (Path(__file__).parents[2] / "docs" / "analysis.md").read_text(encoding="utf-8")
WORDS = " ".join(PAGE.split())
(COMMANDS,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("text", COMMANDS.splitlines())
def test_every_command_of_the_page_exists_with_its_options(text: str) -> None:
    asked = command(text)
    assert asked is not None
    assert lacks(asked) is None


@pytest.mark.parametrize("language", sorted(ONLY_VLLM))
def test_what_it_quotes_is_what_is_said_of_other_frameworks(language: str) -> None:
    assert f"\n> {ONLY_VLLM[language]}\n" in PAGE


@pytest.mark.parametrize(
    "words",
    [
        f"at most {LONGEST:,} characters",
        f"gets {SHORTER[0]:,}, then {SHORTER[1]:,},",
        f"at {LONGEST_ANSWER:,} characters",
        f"Connecting may take {Limits().connect_s:g} s",
        f"the first words {Limits().first_text_s:g} s",
        f"each pause {Limits().between_s:g} s",
    ],
)
def test_its_limits_are_those_that_hold(words: str) -> None:
    assert words in WORDS
