"""A written analysis on a terminal, while it comes and from the store: foreign text, quoted line by line."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from llmload.cli import stored
from llmload.plain_text import plain, plain_lines
from llmload.written_analysis import Close, WrittenAnalysis

_ENDINGS = {
    Close.WHOLE: "",
    Close.AT_LIMIT: "Cut at the longest answer that was allowed (--max-tokens, and 16,000 characters)",
    Close.BROKEN_OFF: "Broken off: the end is missing",
}


@dataclass(slots=True)
class Screen:
    """Where an answer is shown while it comes; quoted, so that no line of it begins like a command of a build log."""

    _is_fresh: bool = True

    def show(self, piece: str) -> None:
        """One piece more, clean already."""
        quoted = piece.replace("\n", "\n> ")
        print_told(f"> {quoted}" if self._is_fresh else quoted)
        self._is_fresh = False

    def end(self) -> None:
        """Behind the last piece."""
        if not self._is_fresh:
            print_told("\n\n")


def print_analysis(analysis: WrittenAnalysis) -> None:
    """One that is in the store, and what it is worth."""
    screen = Screen()
    print_told("\n")
    screen.show(plain_lines(analysis.text))
    screen.end()
    print_told("".join(f"{line}\n" for line in worth_of(analysis)))


def worth_of(analysis: WrittenAnalysis) -> tuple[str, ...]:
    """Who wrote it and when, how it ended, and which of its figures nobody measured."""
    when = plain(analysis.created[:16].replace("T", " "))
    unknown = ", ".join(plain(figure, 60) for figure in analysis.unknown_figures)
    lines = (
        f"Written by {plain(analysis.model)} at {plain(analysis.server)} on {when} UTC; it decides nothing",
        _ENDINGS[analysis.close],
        f"Not in the result: {unknown}" if unknown else "Every figure in it is in the result",
    )
    return tuple(line for line in lines if line)


def print_told(text: str) -> None:
    """As far as the terminal can write it."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    stored.print_text(text.encode(encoding, "replace").decode(encoding))
