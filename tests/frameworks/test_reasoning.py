"""Reasoning inside an answer is taken off its front, wherever its pieces are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.frameworks.reasoning import Unreasoned


def unreasoned(*pieces: str) -> str:
    reader = Unreasoned()
    return "".join(map(reader.feed, pieces)) + reader.rest()


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        pytest.param("It is slow", "It is slow", id="no reasoning"),
        pytest.param("<think>hm</think>It is slow", "It is slow", id="reasoning first"),
        pytest.param(
            "\n <think>\nhm < 3 </thin </think>\n\nslow", "\n\nslow", id="white space around, half marks in it"
        ),
        pytest.param("<think>hm", "", id="reasoning without an end"),
        pytest.param("<thin", "<thin", id="the beginning of a mark at the end"),
        pytest.param("a <think>b</think>", "a <think>b</think>", id="only at the front"),
        pytest.param("<think></think><think>b</think>", "<think>b</think>", id="only once"),
    ],
)
def test_reasoning_is_no_part_of_the_answer(answer: str, text: str) -> None:
    assert unreasoned(answer) == text
    assert unreasoned(*answer) == text


@given(st.lists(st.sampled_from(["<think>", "</think>", "<", "</th", "ink>", " ", "a", "thi", "nk>"]), max_size=12))
def test_where_pieces_are_cut_does_not_matter(pieces: list[str]) -> None:
    assert unreasoned(*pieces) == unreasoned("".join(pieces)) == unreasoned(*"".join(pieces))
