"""Text from elsewhere with its lines kept, cleaned in pieces as it comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.plain_text import plain_lines


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        pytest.param("a\nb\tc", "a\nb\tc", id="lines and tabs stay"),
        pytest.param("a\r\nb\rc", "a\nbc", id="a carriage return writes over nothing"),
        pytest.param("a\x1b[31mb\x9b2Jc\x07\x00", "a[31mb2Jc", id="terminal sequences are only text"),
        pytest.param("a\u202eb\u200bc\ufeff", "abc", id="nothing is hidden or turned round"),
        pytest.param("a\u2028b\x0bc\x85d", "a b c d", id="other line ends"),
        pytest.param("\ud800", "\ufffd", id="half a character"),
        pytest.param("한국어 🔥", "한국어 🔥", id="all else"),
    ],
)
def test_only_what_can_be_seen_stays(text: str, clean: str) -> None:
    assert plain_lines(text) == clean


@given(st.text(), st.integers(0, 100))
def test_pieces_cleaned_are_the_whole_cleaned(text: str, cut: int) -> None:
    assert plain_lines(text[:cut]) + plain_lines(text[cut:]) == plain_lines(text)


@given(st.text())
def test_what_is_clean_stays_as_it_is(text: str) -> None:
    assert plain_lines(plain_lines(text)) == plain_lines(text)
