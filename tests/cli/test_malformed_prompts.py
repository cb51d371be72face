"""Files of prompts that cannot be used: told at their lines, with exit code 2, before a byte is sent."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.command import here

GOOD = '{"messages": [{"role": "user", "content": "Why?"}]}\n'


@dataclass(frozen=True, slots=True)
class Bad:
    """A file, how it is to be read, and what is told of it: where (":2" or "") and of what."""

    name: str
    text: str | bytes
    kind: str
    where: str
    told: str
    column: str | None = None


def message(**more: object) -> str:
    return json.dumps({"messages": [{"role": "user", "content": "Why?", **more}]})


BAD = {
    "an empty file": Bad("a.jsonl", "", "openai", "", "is empty"),
    "blank lines only": Bad("a.jsonl", "\n \n", "openai", "", "has no rows"),
    "an empty array": Bad("a.json", "[]", "openai", "", "has no rows"),
    "a header alone": Bad("a.csv", "prompt\n", "csv", "", "has no rows"),
    "not JSON": Bad("a.jsonl", GOOD + "{]\n", "openai", ":2", "not JSON"),
    "an object over several lines": Bad("a.jsonl", '{\n"messages": []}\n', "openai", ":1", "not JSON"),
    "a number": Bad("a.jsonl", "7\n", "openai", ":1", "no list of messages"),
    "no messages": Bad("a.jsonl", GOOD + '{"prompt": "Why?"}\n', "openai", ":2", "no list of messages"),
    "a message that is text": Bad("a.jsonl", '{"messages": ["Why?"]}', "openai", ":1", "message 1 is not an object"),
    "no role": Bad("a.jsonl", '{"messages": [{"content": "Why?"}]}', "openai", ":1", "has the role missing"),
    "a tool": Bad("a.jsonl", message(role="tool"), "openai", ":1", "is of a tool and has the tool_call_id"),
    "a call of a tool": Bad("a.jsonl", message(role="assistant", tool_calls=[{}]), "openai", ":1", "has no function"),
    "no content": Bad("a.jsonl", message(content=None), "openai", ":1", "has no text"),
    "an image of nothing": Bad("a.jsonl", message(content=[{"type": "image_url"}]), "openai", ":1", "without a url"),
    "a sound": Bad("a.jsonl", message(content=[{"type": "input_audio"}]), "openai", ":1", "part of type 'input_audio'"),
    "a part without text": Bad("a.jsonl", message(content=[{"type": "text"}]), "openai", ":1", "without text"),
    "an answer to nothing": Bad("a.jsonl", message(role="assistant"), "openai", ":1", "no message of a user"),
    "no messages at all": Bad("a.jsonl", '{"messages": []}', "openai", ":1", "no message of a user"),
    "an empty question": Bad("a.jsonl", message(content=" "), "openai", ":1", "last message of the user is empty"),
    "a length of 0": Bad("a.jsonl", '{"prompt": "a", "max_tokens": 0}', "prompts", ":1", "max_tokens is 0"),
    "a length in words": Bad("a.jsonl", '{"prompt": "a", "max_tokens": "9"}', "prompts", ":1", "max_tokens is '9'"),
    "an empty prompt": Bad("a.jsonl", '"a"\n""\n', "prompts", ":2", "the prompt is empty"),
    "a prompt that is a list": Bad("a.jsonl", '["a"]\n', "prompts", ":1", "neither a text nor an object"),
    "half a character": Bad("a.txt", b"one\ntw\xc3\n", "prompts", ":2", "not UTF-8 text (byte 3 of the row)"),
    "Latin-1 in JSON": Bad("a.jsonl", b'"caf\xe9"\n', "prompts", ":1", "not JSON"),
    "half a surrogate": Bad("a.jsonl", '"\\ud800"\n', "prompts", ":1", "not JSON"),
    "UTF-16": Bad("a.txt", "one\n".encode("utf-16"), "prompts", "", "is UTF-16"),
    "gzip": Bad("a.jsonl", b"\x1f\x8b\x08\x00", "openai", "", "is gzip"),
    "Parquet": Bad("a.parquet", b"PAR1\x00", "prompts", "", "is Parquet"),
    "an array that is cut": Bad("a.json", '[\n"a",\n"b', "prompts", ":3", "the array is not closed"),
    "text after an array": Bad("a.json", '["a"]\n["b"]', "prompts", ":2", "text after the end of the array"),
    "two commas": Bad("a.json", '["a",\n,"b"]', "prompts", ":2", "not JSON"),
    "a brace of nobody": Bad("a.json", '["a"\n}]', "prompts", ":1", "a brace is closed that was never opened"),
    "no turns": Bad("a.jsonl", '{"conversations": "Hi"}', "sharegpt", ":1", "no list of turns"),
    "a turn without text": Bad("a.jsonl", '{"conversations": [{"from": "human"}]}', "sharegpt", ":1", "turn 1 has no"),
    "a stranger": Bad("a.jsonl", '{"conversations": [{"from": "x", "value": "a"}]}', "sharegpt", ":1", "is from 'x'"),
    "a conversation of nobody": Bad("a.jsonl", '{"conversations": []}', "sharegpt", ":1", "no message of a user"),
    "no such column": Bad("a.csv", "a,b\n1,2\n", "csv", ":1", "no column 'c' in the header; it has a, b", "c"),
    "a column twice": Bad("a.csv", "a,a\n1,2\n", "csv", ":1", "more than one column 'a'", "a"),
    "too few cells": Bad("a.csv", 'a,b\n"1\n",2\n3\n', "csv", ":4", "1 columns, and the header has 2", "a"),
    "an open quote": Bad("a.csv", 'a\n1\n"2\n3\n', "csv", ":3", "a quote is opened here and never closed", "a"),
    "a length that is none": Bad("a.csv", "a,max_tokens\n1,-2\n", "csv", ":2", "max_tokens is '-2'", "a"),
}


@contextmanager
def listening() -> Iterator[socket.socket]:
    """A server whose connections wait to be accepted."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def scenario(folder: Path, file: dict[str, object], port: int, **spec: object) -> Path:
    """A scenario with these prompts, in a folder of its own."""
    folder.mkdir(exist_ok=True)
    document = {
        "apiVersion": "llmload/v1",
        "kind": "Scenario",
        "metadata": {"name": "s"},
        "spec": {
            "target": {"url": f"http://127.0.0.1:{port}"},
            "workload": {"prompts": {"file": {key: value for key, value in file.items() if value is not None}}},
            "load": {"concurrency": [1], "requests": 5},
            **spec,
        },
    }
    path = folder / "s.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize("bad", [pytest.param(bad, id=name) for name, bad in BAD.items()])
def test_a_file_that_cannot_be_used_is_told_at_its_line_and_nothing_is_sent(bad: Bad, tmp_path: Path) -> None:
    (tmp_path / bad.name).write_bytes(bad.text if isinstance(bad.text, bytes) else bad.text.encode())
    with listening() as server:
        file = {"path": bad.name, "format": bad.kind, "column": bad.column}
        path = scenario(tmp_path, file, server.getsockname()[1])
        done = here("apply", str(path), "--store", "s.db", "--no-progress", cwd=tmp_path)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert done.returncode == 2, done.stdout
    assert f"{bad.name}{bad.where}: " in done.stderr
    assert bad.told in done.stderr
    assert not (tmp_path / "s.db").exists()


@pytest.mark.parametrize("kind", ["missing", "a folder", "a pipe"])
def test_what_is_no_file_is_told_and_not_waited_for(kind: str, tmp_path: Path) -> None:
    if kind == "a folder":
        (tmp_path / "a.jsonl").mkdir()
    elif kind == "a pipe":
        os.mkfifo(tmp_path / "a.jsonl")
    path = scenario(tmp_path, {"path": "a.jsonl", "format": "openai"}, 9)
    done = here("plan", str(path), cwd=tmp_path)
    told = {"missing": "no such file", "a folder": "is a folder", "a pipe": "is no ordinary file"}[kind]
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr


def test_too_few_rows_are_told_before_any_load_with_both_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(GOOD * 10)
    with listening() as server:
        path = scenario(tmp_path, {"path": "a.jsonl", "format": "openai"}, server.getsockname()[1])
        for verb in ("plan", "apply"):
            done = here(verb, str(path), cwd=tmp_path)
            assert done.returncode == 2
            assert "has 10 rows, and the run may need 14, warm-up and fillers included" in done.stderr
        with pytest.raises(BlockingIOError):
            server.accept()
    done = here("plan", str(path), "--set", "spec.workload.prompts.file.reuse=true", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_conversation_is_refused_where_the_api_takes_bare_prompts(tmp_path: Path) -> None:
    system = {"role": "system", "content": "Be brief."}
    (tmp_path / "a.jsonl").write_text(GOOD + json.dumps({"messages": [system, {"role": "user", "content": "Why?"}]}))
    path = scenario(tmp_path, {"path": "a.jsonl", "format": "openai", "reuse": True}, 9)
    assert here("plan", str(path), cwd=tmp_path).returncode == 0
    done = here("plan", str(path), "--set", "spec.target.api=completions", cwd=tmp_path)
    assert done.returncode == 2
    assert "a.jsonl:2 is a conversation, and the API completions takes one bare prompt" in done.stdout + done.stderr
