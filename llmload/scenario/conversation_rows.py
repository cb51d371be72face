"""Whole conversations of a file: each message of a user is a turn, which the server answers anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from llmload.scenario.bad_row import BadRowError
from llmload.scenario.corpus import Reading
from llmload.scenario.prompt_rows import (
    CHARACTERS_PER_TOKEN,
    Message,
    ReadRow,
    Row,
    asked_length,
    openai_messages,
    row_reader,
    sharegpt_messages,
    text_length,
    text_of,
)
from llmload.scenario.row_images import images_of
from llmload.scenario.tool_rows import calls_of, request_fields

_TEXT_ALONE = "sessions send text alone; without sessions such a row is sent as one request"


class Turn(NamedTuple):
    """What one turn adds: `messages` of the row, the last one a user's.

    `output_tokens` is how long its answer is to be: as the row asks of all its answers, else as long as the recorded
    one (characters / 4, rounded up); 0 where neither is told.
    """

    messages: tuple[Message, ...]
    output_tokens: int


ReadTurns = Callable[[bytes], Sequence[Turn]]
"""The turns of one row, at least one; BadRowError where it cannot be asked."""


def asked_reader(reading: Reading, columns: Sequence[str] = ()) -> ReadRow:
    """What each row of a file asks in all, whether it is one request or a conversation."""
    if reading.most_turns is None:
        return row_reader(reading, columns)
    return partial(_read_whole, turns_reader(reading))


def turns_reader(reading: Reading) -> ReadTurns:
    """The reader of the conversations of one file."""
    most = reading.most_turns or 1
    if reading.format == "sharegpt":
        return partial(_read_sharegpt, most)
    return partial(_read_openai, most, Path(reading.path).parent)


def _read_whole(read: ReadTurns, raw: bytes) -> Row:
    turns = read(raw)
    messages = tuple(message for turn in turns for message in turn.messages)
    answers = tuple(turn.output_tokens for turn in turns)
    return Row("", messages, sum(answers), sum(map(text_length, messages)), answers=answers)


def _read_openai(most: int, folder: Path, raw: bytes) -> Sequence[Turn]:
    messages, row = openai_messages(folder, raw)
    if fields := request_fields(row):
        raise BadRowError(f"a conversation with {next(iter(fields))}, and {_TEXT_ALONE}")
    return _turns(messages, row, most)


def _read_sharegpt(most: int, raw: bytes) -> Sequence[Turn]:
    messages, row = sharegpt_messages(raw)
    return _turns(messages, row, most)


def _turns(messages: Iterable[Message], row: Mapping[str, object], most: int) -> Sequence[Turn]:
    """A turn for each message of a user, with what the row says before it that no server answers again."""
    asked, recorded = asked_length(row), 0
    turns: list[Turn] = []
    before: list[Message] = []
    for place, message in enumerate(messages, start=1):
        _check(message, place)
        if message["role"] == "assistant" and turns:
            recorded += text_length(message)
            turns[-1] = turns[-1]._replace(output_tokens=asked or -(-recorded // CHARACTERS_PER_TOKEN))
            continue
        before.append(message)
        if message["role"] != "user":
            continue
        if len(turns) == most:
            break
        turns.append(Turn(tuple(before), asked))
        before, recorded = [], 0
    if not turns:
        raise BadRowError("no message of a user to be answered")
    return turns


def _check(message: Message, place: int) -> None:
    if message["role"] == "tool" or calls_of(message):
        raise BadRowError(f"message {place} is of a tool or calls one, and {_TEXT_ALONE}")
    if images_of((message,)):
        raise BadRowError(f"message {place} has an image, and {_TEXT_ALONE}")
    if message["role"] == "user" and not text_of(message).strip():
        raise BadRowError(f"message {place}, of the user, is empty, and each one is a turn to be answered")
