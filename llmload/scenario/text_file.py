"""The text of a document's file: bounded, UTF-8 only."""

from __future__ import annotations

from pathlib import Path

from llmload.errors import ScenarioError, UsageError
from llmload.scenario.source import Source
from llmload.scenario.tree import MAX_BYTES, Place, Trouble


def read_file(path: Path) -> str:
    """The text of a scenario file; UsageError where there is none, ScenarioError where it is not UTF-8."""
    try:
        text = text_of(path)
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise UsageError(str(path), f"cannot be read: {reason}", "Name a scenario file") from None
    if isinstance(text, Trouble):
        raise ScenarioError(Source({}).problems([text]))
    return text


def text_of(path: Path) -> str | Trouble:
    """The text, or where it is not UTF-8. No more is read than the tree accepts. Raises OSError."""
    with path.open("rb") as file:
        raw = file.read(MAX_BYTES + 4)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(raw) > MAX_BYTES:
            return raw.decode("utf-8", "replace")  # cut inside a character: its size is what is refused
        line = raw.count(b"\n", 0, error.start) + 1
        column = len(raw[: error.start].rpartition(b"\n")[2].decode("utf-8")) + 1
        return Trouble(Place(str(path), line, column), "document", "not UTF-8 text", "Save the file in UTF-8")
