"""What one row of a file of prompts asks: OpenAI's messages, ShareGPT's conversations, plain prompts, cells of CSV.

A row that ends with an answer asks what came before it, and its answer says how long the new one is to be
(characters / 4, rounded up), unless the row says so itself.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

import orjson

from llmload.scenario.bad_row import BadRowError, shown
from llmload.scenario.corpus import Reading
from llmload.scenario.row_images import RowImages
from llmload.scenario.row_spans import MOST_ROW_BYTES
from llmload.scenario.tool_rows import call_text, called, characters_of, check_answered, request_fields

CHARACTERS_PER_TOKEN = 4
DEFAULT_OUTPUT_TOKENS = 512
"""Asked of the answer where neither the scenario nor the row says how long it is to be."""

_MOST_TOKENS = 10_000_000
_MOST_NESTED = 250
_LENGTHS = ("output_tokens", "max_tokens", "max_completion_tokens")
_LENGTH_NAMES = frozenset(_LENGTHS)
_ROLES = ("system", "developer", "user", "assistant", "tool")
_TEXT_ROLES = ("user", "assistant", "system", "developer")
_SPEAKERS = {
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "chatgpt", "assistant", "bing", "bard", "model"), "assistant"),
    "system": "system",
}
DEFAULT_COLUMN = "prompt"

Message = Mapping[str, object]
"""A message as OpenAI's chat API takes it."""


class Row(NamedTuple):
    """One row: a bare `prompt` of a user, or the `messages` of a conversation that ends with one, or with a tool's.

    `output_tokens` is how long its answer is to be, 0 where it does not say; `characters` counts all its text, tools
    and their calls included. `fields` are sent beside the messages: tools, the form of the answer. `answers` are the
    lengths of a whole conversation's, turn by turn.
    """

    prompt: str
    messages: tuple[Message, ...]
    output_tokens: int
    characters: int
    fields: Mapping[str, object] = {}
    answers: tuple[int, ...] = ()


ReadRow = Callable[[bytes], Row]
"""What one row asks; BadRowError where it cannot be asked. It can be sent to other processes."""


def row_reader(reading: Reading, columns: Sequence[str] = ()) -> ReadRow:
    """The reader of one file's rows; `columns` are those of a CSV file. BadRowError: it lacks the one that is asked."""
    match reading.format:
        case "openai":
            return partial(_read_openai, Path(reading.path).parent)
        case "sharegpt":
            return _read_sharegpt
        case "prompts":
            return _read_line if reading.path.lower().endswith(".txt") else _read_prompt
        case "csv":
            return _cells(reading.column, columns)


def _read_openai(folder: Path, raw: bytes) -> Row:
    messages, row = openai_messages(folder, raw)
    if len(row) <= 1:  # nothing beside its messages
        return _conversation(messages, 0)
    fields = request_fields(row)
    conversation = _conversation(messages, asked_length(row))
    if not fields:
        return conversation
    return conversation._replace(characters=conversation.characters + characters_of(fields), fields=fields)


def openai_messages(folder: Path, raw: bytes) -> tuple[Sequence[Message], Mapping[str, object]]:
    """All messages of a row, and what else stands there; nothing where the row is their bare list."""
    row = _json(raw)
    told = row.get("messages") if isinstance(row, dict) else row
    if not isinstance(told, list):
        raise BadRowError('no list of messages; write {"messages": [{"role": "user", "content": "..."}]}')
    messages = _texts(told)
    if messages is None:
        images = RowImages(folder)
        messages = [_message(message, place, images) for place, message in enumerate(told, start=1)]
        check_answered(messages)
    return messages, row if isinstance(row, dict) else {}


def _texts(told: Sequence[object]) -> Sequence[Message] | None:
    """Messages of a role and a text each, as nearly all are, in a fifth of the time; None where one is anything else.

    A file is read twice, when it is checked and when its requests are made.
    """
    messages: list[Message] = []
    for message in told:
        if not isinstance(message, dict) or len(message) != 2:
            return None
        role, content = message.get("role"), message.get("content")
        if role not in _TEXT_ROLES or not isinstance(content, str):
            return None
        messages.append({"role": role, "content": content})
    return messages


def _message(message: object, place: int, images: RowImages) -> Message:
    where = f"message {place}"
    if not isinstance(message, dict):
        raise BadRowError(f"{where} is not an object")
    role = message.get("role")
    if role not in _ROLES:
        raise BadRowError(f"{where} has the role {shown(role)}, and roles are {', '.join(_ROLES)}")
    calls, content = called(message, where), message.get("content")
    kept: dict[str, object] = {"role": role, "content": None}
    if content is not None or not calls:  # who calls a tool need not say anything
        kept["content"] = _content(content, where, images)
    if calls:
        kept["tool_calls"] = calls
    name = message.get("name")
    if role == "tool":
        kept["tool_call_id"] = told = message.get("tool_call_id")
        if not isinstance(told, str):
            raise BadRowError(f"{where} is of a tool and has the tool_call_id {shown(told)}, not a text")
    return {**kept, "name": name} if isinstance(name, str) else kept


def _content(content: object, where: str, images: RowImages) -> object:
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not content:
        raise BadRowError(f"{where} has no text")
    return [_part(part, where, images) for part in content]


def _part(part: object, where: str, images: RowImages) -> dict[str, object]:
    kind = part.get("type") if isinstance(part, dict) else None
    if isinstance(part, dict) and kind == "image_url":
        return images.sent(part, where)
    if not isinstance(part, dict) or kind != "text":
        raise BadRowError(f"{where} has a part of type {shown(kind)}, and parts are text or image_url")
    if not isinstance(part.get("text"), str):
        raise BadRowError(f"{where} has a part of text without text")
    return {"type": "text", "text": part["text"]}


def _read_sharegpt(raw: bytes) -> Row:
    told, row = sharegpt_messages(raw)
    messages: list[Message] = []
    for message in told:
        messages.append(message)
        if message["role"] == "assistant":
            break
    return _conversation(messages, asked_length(row))


def sharegpt_messages(raw: bytes) -> tuple[Iterator[Message], Mapping[str, object]]:
    """The messages of a row, each read when it is asked for, and what else stands there.

    Answers to nothing, with which rows of the published file begin, are left out.
    """
    row = _json(raw)
    turns = row.get("conversations", row.get("conversation")) if isinstance(row, dict) else None
    if not isinstance(row, dict) or not isinstance(turns, list):
        raise BadRowError('no list of turns; write {"conversations": [{"from": "human", "value": "..."}]}')
    return _answered_turns(turns), row


def _answered_turns(turns: Sequence[object]) -> Iterator[Message]:
    is_asked = False
    for place, turn in enumerate(turns, start=1):
        message = _turn(turn, place)
        is_asked = is_asked or message["role"] == "user"
        if is_asked or message["role"] != "assistant":
            yield message


def _turn(turn: object, place: int) -> Message:
    if not isinstance(turn, dict) or not isinstance(turn.get("value"), str):
        raise BadRowError(f"turn {place} has no value that is text")
    speaker = turn.get("from")
    role = _SPEAKERS.get(speaker) if isinstance(speaker, str) else None
    if role is None:
        raise BadRowError(f"turn {place} is from {shown(speaker)}, and speakers are {', '.join(_SPEAKERS)}")
    return {"role": role, "content": turn["value"]}


def _conversation(messages: Sequence[Message], output_tokens: int) -> Row:
    """What is asked before the last answer, and how long that answer was."""
    if len(messages) == 1 and (prompt := _only_prompt(messages[0])) is not None:
        return Row(prompt, (), output_tokens, len(prompt))
    asked = list(messages)
    if asked and asked[-1]["role"] == "assistant":
        answer = asked.pop()
        output_tokens = output_tokens or -(-text_length(answer) // CHARACTERS_PER_TOKEN)
    if not asked or asked[-1]["role"] not in ("user", "tool"):
        raise BadRowError("no message of a user to be answered")
    if asked[-1]["role"] == "user" and not text_of(asked[-1]).strip():
        raise BadRowError("the last message of the user is empty")
    characters = sum(map(text_length, asked))
    content = asked[0]["content"]
    if len(asked) == 1 and len(asked[0]) == 2 and isinstance(content, str):
        return Row(content, (), output_tokens, characters)
    return Row("", tuple(asked), output_tokens, characters)


def _only_prompt(message: Message) -> str | None:
    """The text of a user's message that says nothing else; None where it is not that, or empty."""
    content = message["content"]
    if len(message) == 2 and message["role"] == "user" and isinstance(content, str) and content.strip():
        return content
    return None


def text_of(message: Message) -> str:
    """All text of a message, its parts one after the other."""
    content = message["content"]
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in cast("list[dict[str, str]]", content or []))


def text_length(message: Message) -> int:
    """Of all that a message says, calls of tools included."""
    content = message["content"]
    if len(message) == 2 and isinstance(content, str):  # as most are: no calls
        return len(content)
    return len(text_of(message)) + len(call_text(message))


def _read_prompt(raw: bytes) -> Row:
    row = _json(raw)
    if isinstance(row, str):
        return _bare(row, 0)
    if isinstance(row, dict) and isinstance(prompt := row.get("prompt"), str):
        return _bare(prompt, asked_length(row))
    raise BadRowError('neither a text nor an object with one; write "..." or {"prompt": "..."}')


def _read_line(raw: bytes) -> Row:
    return _bare(_text(raw), 0)


def _cells(column: str | None, columns: Sequence[str]) -> ReadRow:
    name = column or DEFAULT_COLUMN
    if columns.count(name) != 1:
        times = "no column" if name not in columns else "more than one column"
        raise BadRowError(f"{times} {shown(name)} in the header; it has {', '.join(columns)[:200]}")
    length = next((columns.index(each) for each in _LENGTHS if each in columns), None)
    return partial(_read_cells, columns, columns.index(name), length)


def _read_cells(columns: Sequence[str], place: int, length: int | None, raw: bytes) -> Row:
    cells = read_record(raw)
    if len(cells) != len(columns):
        raise BadRowError(f"{len(cells)} columns, and the header has {len(columns)}")
    tokens = 0 if length is None or not cells[length].strip() else _whole(cells[length], columns[length])
    return _bare(cells[place], tokens)


def read_record(raw: bytes) -> list[str]:
    """The cells of one record of CSV; BadRowError where it is none, or more than one."""
    csv.field_size_limit(MOST_ROW_BYTES)
    try:
        records = [record for record in csv.reader(io.StringIO(_text(raw), newline=""), strict=True) if record]
    except csv.Error as error:
        raise BadRowError(f"not CSV ({error})") from None
    if len(records) != 1:
        raise BadRowError("a quote in a cell without quotes; write the cell in quotes, and quotes in it twice")
    return records[0]


def _bare(prompt: str, output_tokens: int) -> Row:
    if not prompt.strip():
        raise BadRowError("the prompt is empty")
    return Row(prompt, (), output_tokens, len(prompt))


def asked_length(row: Mapping[str, object]) -> int:
    """How long the row asks its answer to be, by whichever name; 0 where it does not say."""
    if _LENGTH_NAMES.isdisjoint(row):
        return 0
    for name in _LENGTHS:
        tokens = row.get(name)
        if tokens is None:
            continue
        if type(tokens) is not int or not 1 <= tokens <= _MOST_TOKENS:
            raise BadRowError(f"{name} is {shown(tokens)}, not a number of tokens")
        return tokens
    return 0


def _whole(cell: str, name: str) -> int:
    text = cell.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 8 and 1 <= int(text) <= _MOST_TOKENS):
        raise BadRowError(f"{name} is {shown(text)}, not a number of tokens")
    return int(text)


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRowError(f"not UTF-8 text (byte {error.start + 1} of the row)") from None


def _json(raw: bytes) -> object:
    try:
        row: object = orjson.loads(raw)
        if raw.count(b"{") + raw.count(b"[") > _MOST_NESTED:
            orjson.dumps([row])  # it reads deeper than it writes
    except ValueError as error:
        raise BadRowError(f"not JSON ({str(error)[:100]})") from None
    except TypeError:
        raise BadRowError(f"nested deeper than {_MOST_NESTED} levels, which nobody sends") from None
    return row
