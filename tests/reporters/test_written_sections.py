"""What reports tell of a written analysis: which one, its text in paragraphs, what to doubt, how it ended."""

from __future__ import annotations

import json
from dataclasses import replace
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.reporters import result_json
from llmload.reporters.texts import Language, texts_in
from llmload.reporters.written_sections import newest, paragraphs_of, shortened, written
from llmload.written_analysis import Close
from tests.recorded_runs import CLEAN, TROUBLE

ENGLISH, KOREAN = texts_in(Language.EN), texts_in(Language.KO)
(ONE,) = CLEAN.analyses
OLD_KOREAN = replace(ONE, language="ko", created="2026-02-01T00:00:00.000Z", text="느립니다")
NEW = replace(ONE, created="2026-04-01T00:00:00.000Z", text="newer")


def test_the_newest_in_the_language_of_the_report_is_told_else_the_newest() -> None:
    several = (OLD_KOREAN, ONE, NEW)
    assert newest(several, ENGLISH) == NEW
    assert newest(several, KOREAN) == OLD_KOREAN
    assert newest((ONE, NEW), KOREAN) == NEW
    assert newest((), ENGLISH) is None


def test_it_says_by_whom_and_when_and_which_figures_to_doubt() -> None:
    told = written(CLEAN.analyses, ENGLISH, 8_000)
    assert told is not None
    assert told.by == "Written by qwen3-14b on 2026-03-01 09:41 (UTC)"
    assert told.doubts == "1 figure of the text is not in the result; check it before you use it"
    assert (list(told.unknown), told.ending) == (["17.5%"], "")
    assert [len(paragraph) for paragraph in told.paragraphs] == [1, 1, 3]


@pytest.mark.parametrize(
    ("close", "words"),
    [(Close.AT_LIMIT, "It was cut off at its limit."), (Close.BROKEN_OFF, "It broke off before its end.")],
)
def test_it_says_how_it_ended_and_how_much_is_left_out(close: Close, words: str) -> None:
    told = written((replace(ONE, close=close, text="0123456789\n\nabc"),), ENGLISH, 4)
    assert told is not None
    assert told.paragraphs == [["0123 …"]]
    assert told.ending == f"{words} 9 more characters are left out here."


@given(st.text(max_size=400), st.integers(0, 100))
def test_every_letter_is_either_told_or_counted_as_left_out(text: str, most: int) -> None:
    paragraphs = paragraphs_of(text)
    kept, left = shortened(paragraphs, most)
    total = sum(len(line) for lines in paragraphs for line in lines)
    assert left == max(0, total - most)
    assert all(category(letter) != "Cc" for lines in kept for line in lines for letter in line)


def test_a_text_of_a_megabyte_leaves_the_document_small_and_says_so() -> None:
    run = replace(TROUBLE, analyses=(replace(TROUBLE.analyses[0], text="가나다 " * 250_000),) * 4)
    text = result_json.render(run)
    told = json.loads(text)["analyses"]
    assert len(text) < result_json.SIZE_LIMIT
    assert len(told) == 3
    assert told[0]["text"].endswith(" more characters]")
