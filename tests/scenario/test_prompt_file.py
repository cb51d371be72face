"""Files of prompts: what each format asks, where each row lies, and what is left out."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.errors import DataFileError
from llmload.scenario.corpus import RowFormat
from llmload.scenario.prompt_rows import Row
from llmload.scenario.row_spans import element_spans
from tests.scenario.prompt_files import ANSWER, USER, corpus, openai, rows, written

SYSTEM = {"role": "system", "content": "Be brief."}
PARTS = {"role": "user", "content": [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]}
HUMAN, GPT = {"from": "human", "value": "Hello?"}, {"from": "gpt", "value": "12345678"}


def share(*turns: object, **more: object) -> str:
    return json.dumps({"id": "a", "conversations": list(turns), **more}) + "\n"


@pytest.mark.parametrize(
    ("kind", "name", "text", "row"),
    [
        pytest.param("openai", "a.jsonl", openai(USER), Row(USER["content"], (), 0, 20), id="one message of a user"),
        pytest.param("openai", "a.jsonl", openai(USER, max_tokens=9), Row(USER["content"], (), 9, 20), id="max_tokens"),
        pytest.param(
            "openai", "a.jsonl", openai(USER, ANSWER), Row(USER["content"], (), 8, 20), id="a recorded answer of 31"
        ),
        pytest.param(
            "openai",
            "a.jsonl",
            openai(SYSTEM, USER, ANSWER, USER, output_tokens=5),
            Row("", (SYSTEM, USER, ANSWER, USER), 5, 80),
            id="a conversation",
        ),
        pytest.param("openai", "a.jsonl", openai(PARTS), Row("", (PARTS,), 0, 7), id="text in parts"),
        pytest.param("openai", "a.jsonl", json.dumps([USER]) + "\n", Row(USER["content"], (), 0, 20), id="a bare list"),
        pytest.param(
            "openai", "a.json", json.dumps([{"messages": [USER]}]), Row(USER["content"], (), 0, 20), id="JSON"
        ),
        pytest.param("prompts", "a.jsonl", '"say it"\n', Row("say it", (), 0, 6), id="a text"),
        pytest.param(
            "prompts", "a.jsonl", '{"prompt": "say it", "output_tokens": 7}\n', Row("say it", (), 7, 6), id="an object"
        ),
        pytest.param("prompts", "a.txt", "say it\n\n", Row("say it", (), 0, 6), id="a line of text"),
        pytest.param("prompts", "a.txt", "\ufeffsay it\r\n", Row("say it", (), 0, 6), id="byte order mark and CRLF"),
        pytest.param("prompts", "a.txt", "say it", Row("say it", (), 0, 6), id="no line end"),
        pytest.param("sharegpt", "a.jsonl", share(HUMAN, GPT), Row("Hello?", (), 2, 6), id="a turn and its answer"),
        pytest.param(
            "sharegpt", "a.json", f"[{share(GPT, HUMAN, GPT)}]", Row("Hello?", (), 2, 6), id="begins with one"
        ),
        pytest.param(
            "sharegpt",
            "a.json",
            f"[{share(HUMAN, GPT, HUMAN)}]",
            Row("Hello?", (), 2, 6),
            id="later turns are left out",
        ),
        pytest.param("sharegpt", "a.json", f"[{share(HUMAN)}]", Row("Hello?", (), 0, 6), id="no answer"),
        pytest.param("csv", "a.csv", 'prompt\n"a ""b""\nc"\n', Row('a "b"\nc', (), 0, 7), id="quotes and line breaks"),
        pytest.param("csv", "a.csv", "x,prompt,max_tokens\r\n1,say it,8\r\n", Row("say it", (), 8, 6), id="columns"),
        pytest.param("csv", "a.csv", "prompt,max_tokens\nsay it,\n", Row("say it", (), 0, 6), id="an empty length"),
    ],
)
def test_a_row_asks_what_its_format_says(kind: RowFormat, name: str, text: str, row: Row, tmp_path: Path) -> None:
    assert rows(corpus(written(tmp_path, name, text), kind)) == [row]


def test_a_column_is_found_by_its_name(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "id,question\n1,Who?\n2,What?\n")
    assert [row.prompt for row in rows(corpus(path, "csv", column="question"))] == ["Who?", "What?"]


def test_the_file_is_known_by_its_sha256(tmp_path: Path) -> None:
    text = "\n one\n\ntwo \n"
    found = corpus(written(tmp_path, "a.txt", text), "prompts")
    assert (found.sha256, len(found)) == (sha256(text.encode()).hexdigest(), 2)
    array = written(tmp_path, "a.json", ' [ "one" , "two" ] \n')
    assert corpus(array, "prompts").sha256 == sha256(Path(array).read_bytes()).hexdigest()


def test_rows_of_other_lengths_are_left_out_and_counted(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", "one\nthree\nseventeen\n")
    found = corpus(path, "prompts", min_characters=4, max_characters=8)
    assert ([row.prompt for row in rows(found)], found.filtered) == (["three"], 2)


def test_bad_rows_are_left_out_and_counted_where_the_author_says_so(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", '"one"\n{\n"two"\n3\n')
    found = corpus(path, "prompts", skips_bad_rows=True)
    assert ([row.prompt for row in rows(found)], found.skipped) == (["one", "two"], 2)
    assert found.first_bad.startswith(f"{path}:2: not JSON")


def test_all_of_the_first_twenty_bad_rows_are_told_and_how_many_more(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", "".join(f"{number}\n" for number in range(25)))
    with pytest.raises(DataFileError) as caught:
        corpus(path, "prompts")
    told = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in told[:20]] == [f"{path}:{number}" for number in range(1, 21)]
    assert told[20:] == ["and 5 more bad rows"]


def test_a_file_is_read_once_while_it_stays(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", "one\n")
    before = corpus(path, "prompts")
    assert corpus(path, "prompts") is before
    written(tmp_path, "a.txt", "one\ntwo\n")
    assert len(corpus(path, "prompts")) == 2


@given(
    elements=st.lists(
        st.recursive(
            st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12
        ),
        max_size=5,
    ),
    indent=st.sampled_from([None, 0, 2]),
    is_ascii=st.booleans(),
    chunk=st.integers(1, 9),
)
def test_an_array_is_cut_where_its_elements_end_whatever_they_hold(
    elements: list[object], indent: int | None, is_ascii: bool, chunk: int
) -> None:
    text = json.dumps(elements, indent=indent, ensure_ascii=is_ascii).encode()
    spans = list(element_spans(BytesIO(text), sha256(), chunk))
    assert [json.loads(raw) for _, _, raw in spans] == elements
    for line, offset, raw in spans:
        assert text[offset : offset + len(raw)] == raw
        assert line == text.count(b"\n", 0, offset) + 1


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jsonl")
    with pytest.raises(DataFileError, match="is no ordinary file"):
        corpus(str(tmp_path / "a.jsonl"), "prompts")
