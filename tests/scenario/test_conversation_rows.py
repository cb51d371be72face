"""Rows of files that are conversations: their turns, what each adds, and how long its answer is to be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from llmload.errors import DataFileError
from llmload.scenario.bad_row import BadRowError
from llmload.scenario.conversation_rows import Turn, asked_reader, turns_reader
from llmload.scenario.corpus import Found, Reading, RowFormat, TurnsFound
from llmload.scenario.prompt_facts import found_in
from llmload.scenario.prompt_file import open_corpus

ASK, ANSWER, AGAIN = {"role": "user", "content": "Why?"}, {"role": "assistant", "content": "x" * 9}, "And then?"
SYSTEM, SECOND = {"role": "system", "content": "Be brief."}, {"role": "user", "content": AGAIN}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
CALL = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}


def turns(row: object, kind: RowFormat = "openai", most: int = 1000) -> Sequence[Turn]:
    """The turns of one row."""
    return turns_reader(Reading("rows.jsonl", kind, most_turns=most))(json.dumps(row).encode())


def talk(*said: tuple[str, str]) -> dict[str, object]:
    """A row of ShareGPT."""
    return {"conversations": [{"from": speaker, "value": text} for speaker, text in said]}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        pytest.param([ASK], [Turn((ASK,), 0)], id="a question"),
        pytest.param([SYSTEM, ASK], [Turn((SYSTEM, ASK), 0)], id="a system prompt before it"),
        pytest.param([ASK, ANSWER], [Turn((ASK,), 3)], id="an answer, four characters a token"),
        pytest.param([ASK, ANSWER, SECOND], [Turn((ASK,), 3), Turn((SECOND,), 0)], id="a last question unanswered"),
        pytest.param([ASK, SECOND, ANSWER], [Turn((ASK,), 0), Turn((SECOND,), 3)], id="two questions in a row"),
        pytest.param([ASK, ANSWER, ANSWER], [Turn((ASK,), 5)], id="two answers in a row, which are one"),
        pytest.param([ANSWER, ASK], [Turn((ANSWER, ASK), 0)], id="a greeting, which nobody asked for"),
        pytest.param([ASK, SYSTEM, SECOND], [Turn((ASK,), 0), Turn((SYSTEM, SECOND), 0)], id="a later system prompt"),
        pytest.param(
            {"messages": [ASK, ANSWER, SECOND], "max_tokens": 7}, [Turn((ASK,), 7), Turn((SECOND,), 7)], id="a length"
        ),
    ],
)
def test_each_message_of_a_user_is_a_turn(row: object, expected: list[Turn]) -> None:
    assert list(turns(row)) == expected


def test_a_conversation_of_sharegpt_has_all_its_pairs_and_no_answer_to_nothing() -> None:
    row = talk(("gpt", "Hello"), ("human", "Why?"), ("gpt", "x" * 9), ("human", AGAIN), ("gpt", "y"))
    assert list(turns(row, "sharegpt")) == [Turn((ASK,), 3), Turn((SECOND,), 1)]


def test_a_conversation_ends_with_the_most_turns_that_are_asked_for() -> None:
    row = [ASK, ANSWER, SECOND, ANSWER, ASK]
    assert list(turns(row, most=2)) == [Turn((ASK,), 3), Turn((SECOND,), 3)]
    whole = asked_reader(Reading("rows.jsonl", "openai", most_turns=2))(json.dumps(row).encode())
    assert (whole.characters, whole.answers) == (len("Why?And then?"), (3, 3))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        pytest.param([SYSTEM, ANSWER], "no message of a user", id="no question"),
        pytest.param([ASK, ANSWER, {"role": "user", "content": " "}], "message 3, of the user, is empty", id="empty"),
        pytest.param({"messages": [ASK], "response_format": {"type": "text"}}, "with response_format", id="a form"),
        pytest.param([{"role": "user", "content": [PICTURE]}], "message 1 has an image", id="an image"),
        pytest.param(
            [ASK, {"role": "assistant", "content": None, "tool_calls": [CALL]}], "message 2 is of a", id="call"
        ),
        pytest.param([ASK, {"role": "tool", "content": "7", "tool_call_id": "c"}], "no message before", id="a tool"),
    ],
)
def test_a_row_that_is_no_conversation_of_text_is_told(row: object, told: str) -> None:
    with pytest.raises(BadRowError, match=told):
        turns(row)


def test_what_a_file_of_conversations_holds_is_told_by_turns(tmp_path: Path) -> None:
    path = tmp_path / "talks.jsonl"
    rows = [[ASK, ANSWER, SECOND, ANSWER, ASK], [ASK], {"messages": [ASK, SECOND], "tools": []}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    corpus = open_corpus(Reading(str(path), "openai", most_turns=1000))
    found = found_in(corpus)
    assert found == Found(corpus.sha256, 3, 0, 0, 342.333, TurnsFound(2.0, 0.816497, 3))
    assert (corpus.answers, corpus.untold, corpus.longest) == (6, 4, 2)


def test_a_bad_conversation_is_told_at_its_line_unless_such_rows_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "talks.jsonl"
    path.write_text(json.dumps([ASK]) + "\n" + json.dumps([ASK, {"role": "user", "content": ""}]) + "\n")
    with pytest.raises(DataFileError, match="message 2, of the user, is empty") as caught:
        open_corpus(Reading(str(path), "openai", most_turns=5))
    assert caught.value.where == f"{path}:2"
    assert open_corpus(Reading(str(path), "openai", skips_bad_rows=True, most_turns=5)).skipped == 1
