"""Datasets of Hugging Face on this disk, as files of prompts: written by Arrow itself, read back by our own readers."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow
import pytest
from pyarrow import ipc, parquet

from llmload.errors import DataFileError, LlmloadError, UsageError
from llmload.scenario.corpus import Reading
from llmload.scenario.dataset import Written, files_of, write_rows
from llmload.scenario.prompt_file import open_corpus

TALK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi\n안녕"}]
GPT = [{"from": "human", "value": "2 + 2?"}, {"from": "gpt", "value": "4"}]
TEXTS: Mapping[str, Sequence[object]] = {"id": [1, 2, 3], "prompt": ["a", "b, c", 'd "e"']}


def save(path: Path, columns: Mapping[str, Sequence[object]]) -> Path:
    """As `datasets` does: Arrow as a stream, Parquet as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pyarrow.table(dict(columns))
    if path.suffix == ".parquet":
        parquet.write_table(table, path)
    else:
        with ipc.new_stream(str(path), table.schema) as writer:
            writer.write_table(table, max_chunksize=2)
    return path


def written(place: Path, column: str | None = None, split: str | None = None) -> tuple[Written, bytes]:
    output = io.BytesIO()
    return write_rows(files_of(place, split), column, output), output.getvalue()


@pytest.mark.parametrize("name", ["data-00000-of-00001.arrow", "train-00000-of-00001.parquet"])
@pytest.mark.parametrize(
    ("columns", "found"),
    [
        (TEXTS, Written("prompt", "prompts", 3)),
        ({"id": [1], "messages": [TALK]}, Written("messages", "openai", 1)),
        ({"conversations": [GPT, GPT]}, Written("conversations", "sharegpt", 2)),
        ({"conversation": [{"from": ["human"], "value": ["fields apart"]}]}, Written("conversation", "sharegpt", 1)),
    ],
    ids=["texts", "messages", "conversations", "lists of each field"],
)
def test_what_is_written_is_a_file_of_prompts(
    tmp_path: Path, name: str, columns: Mapping[str, Sequence[object]], found: Written
) -> None:
    save(tmp_path / "dataset" / name, columns)
    came, text = written(tmp_path / "dataset")
    assert came == found
    (tmp_path / "prompts.jsonl").write_bytes(text)
    assert len(open_corpus(Reading(str(tmp_path / "prompts.jsonl"), came.format))) == found.rows


def test_rows_come_in_the_order_of_the_files_and_every_batch_is_read(tmp_path: Path) -> None:
    for number in (1, 0):
        texts = [f"{number} {row}" for row in range(600)]
        save(tmp_path / f"data-0000{number}-of-00002.arrow", {"prompt": texts})
    came, text = written(tmp_path)
    assert came.rows == 1200
    assert text.splitlines()[0] == b'{"prompt":"0 0"}'
    assert text.splitlines()[-1] == b'{"prompt":"1 599"}'


@pytest.mark.parametrize("place", ["train/data-00000-of-00001.arrow", "data/train-00000-of-00001.parquet"])
def test_one_of_several_splits_is_named(tmp_path: Path, place: str) -> None:
    save(tmp_path / place, {"prompt": ["of train"]})
    save(tmp_path / place.replace("train", "test"), {"prompt": ["of test"]})
    assert written(tmp_path, split="test")[1] == b'{"prompt":"of test"}\n'
    for split, told in ((None, "it has the splits test, train"), ("validation", "validation is none of its splits")):
        with pytest.raises(UsageError, match=told):
            files_of(tmp_path, split)


@pytest.mark.parametrize(
    ("columns", "column", "told"),
    [
        ({"question": ["a"]}, None, "has none of the usual columns; it has question"),
        ({"question": ["a"]}, "prompt", "has no column 'prompt'; it has question"),
        ({"prompt": [1]}, None, "row 1 of prompt: it is neither a text nor a list of turns"),
        ({"prompt": ["a", None]}, None, "row 2 of prompt"),
        ({"messages": [[]]}, None, "row 1 of messages"),
        ({"messages": [TALK, None]}, None, "row 2 of messages"),
        ({"prompt": pyarrow.array([], pyarrow.string())}, None, "has no rows"),
    ],
)
def test_what_is_no_prompt_is_told_at_its_row(
    tmp_path: Path, columns: Mapping[str, Sequence[object]], column: str | None, told: str
) -> None:
    path = save(tmp_path / "rows.parquet", columns)
    with pytest.raises(DataFileError, match=told):
        written(path, column)


@pytest.mark.parametrize("name", ["rows.parquet", "rows.arrow", "rows.csv"])
@pytest.mark.parametrize("content", [b"", b"PAR1", b"no such thing" * 100, b"ARROW1\0\0\xff\xff\xff\xff"])
def test_a_file_that_is_no_dataset_is_told(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LlmloadError, match=name):
        written(tmp_path / name)


def test_a_folder_without_a_dataset_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no"):
        files_of(tmp_path, None)
