"""Text in which the runner of GitHub finds no command, and that is still read as what it is."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.reporters.workflow_commands import inert
from tests.reporters.test_annotations import read_log

COMMANDS = ("::add-mask::e", "::set-output name=verdict::pass", "::stop-commands::x", "##[error]x", "##[add-mask]e")
TEXTS = st.lists(st.sampled_from([*COMMANDS, "::", "#", "##", "[", "]", " ", "\t", "\n", "\r", "\u3000", "\xa0", "x"]))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("before", ["", "\n", "x\r", "\r\n \t", "\u3000", "\xa0\u2003", "\n\n\n", "\x85", "\u2028 "])
def test_a_command_is_one_no_longer(before: str, command: str) -> None:
    text = f"{before}{command}\nmore"
    assert read_log(text.encode())
    assert read_log(inert(text).encode()) == []


@given(TEXTS.map("".join))
def test_no_text_is_a_command_and_each_is_read_as_before(text: str) -> None:
    told = inert(text)
    assert read_log(told.encode()) == []
    assert told.replace("\u200b", "") == text
    assert inert(told) == told


@pytest.mark.parametrize("text", ["", "a::b", "std::vector\n", "## [x]", "#[x]", "# heading\n\n- a: b\n"])
def test_what_no_runner_heeds_is_left_alone(text: str) -> None:
    assert inert(text) == text


def test_long_texts_take_no_time() -> None:
    began = time.process_time()
    for text in ("\n" * 10**6, " " * 10**6, ":" * 10**6, "#" * 10**6, "\r " * 10**6):
        inert(text)
    assert time.process_time() - began < 5
