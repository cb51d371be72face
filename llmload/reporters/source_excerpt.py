"""The line of a document that a problem is about, as a block of code in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from llmload.errors import Problem
from llmload.plain_text import display_width, plain_lines

_WIDTH = 160  # characters of a line that are shown


def pointed_at(problem: Problem) -> list[str]:
    """The line of the document with a caret below the place, cut where it is long."""
    whole = plain_lines(problem.source_line.expandtabs(1)).replace("\n", " ")
    column = min(max(problem.column, 1), len(whole) + 1) - 1
    start = max(0, column - _WIDTH // 2)
    shown = whole[start : start + _WIDTH]
    return [shown.rstrip(), " " * display_width(shown[: column - start]) + "^"]


def fenced(lines: Sequence[str]) -> str:
    """A block of code that no line of it ends."""
    fence = "```"
    while any(fence in each for each in lines):
        fence += "`"
    return "\n".join((f"{fence}text", *lines, fence))
