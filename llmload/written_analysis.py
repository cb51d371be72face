"""What a language model wrote about a run. It is display, beside the verdict, and never decides anything."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Close(StrEnum):
    """How the writing ended."""

    WHOLE = "whole"
    AT_LIMIT = "at limit"  # of the tokens or characters that were allowed
    BROKEN_OFF = "broken off"  # the stream stopped


@dataclass(frozen=True, slots=True)
class WrittenAnalysis:
    """One answer of an analyst. `text` is foreign: whoever shows it escapes it.

    `unknown_figures` are numbers of the text, as written there, that are in no figure of the result.
    """

    model: str
    server: str  # its URL, scrubbed of secrets
    created: str  # UTC, ISO 8601
    language: str  # "en" or "ko"
    text: str
    close: Close
    unknown_figures: tuple[str, ...] = ()
