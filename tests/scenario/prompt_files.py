"""Files of prompts as people have them, and as they break."""

from __future__ import annotations

import json
from pathlib import Path

from llmload.scenario.corpus import Corpus, Reading, RowFormat
from llmload.scenario.prompt_file import open_corpus
from llmload.scenario.prompt_rows import Row, row_reader

USER = {"role": "user", "content": "Why is the sky blue?"}
ANSWER = {"role": "assistant", "content": "It is the air that scatters it."}


def written(folder: Path, name: str, text: str | bytes) -> str:
    """The path of a file of this text."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def openai(*messages: object, **more: object) -> str:
    """A line of OpenAI messages."""
    return json.dumps({"messages": list(messages), **more}) + "\n"


def corpus(path: str, kind: RowFormat, **options: object) -> Corpus:
    """The file as it is read."""
    return open_corpus(Reading(path, kind, **options))  # type: ignore[arg-type]  # each test names fields of it


def rows(found: Corpus) -> list[Row]:
    """Every row, read again where it lies."""
    read = row_reader(found.reading, found.columns)
    whole = Path(found.reading.path).read_bytes()
    spans = zip(found.offsets, found.sizes, strict=True)
    return [read(whole[offset : offset + size]) for offset, size in spans]
