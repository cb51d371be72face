"""A comparison for the terminal: plain text, each column as wide as it needs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from llmload.analysis.comparison import Comparison, Row
from llmload.plain_text import plain
from llmload.reporters import comparison_wording as words
from llmload.reporters.texts import Language, texts_in

_ENGLISH = texts_in(Language.EN)  # as everything on the terminal
_WIDTH = 80
_MOST_CELL = 120  # characters of one foreign text in a table


def render(comparison: Comparison) -> bytes:
    """The runs, what they were measured under, every figure step by step, and the verdict last."""
    return "".join(f"{line}\n" for line in _lines(comparison)).encode()


def _lines(comparison: Comparison) -> Iterator[str]:
    yield from _table(
        [(words.letter(n), run.run_id, words.about(run, _ENGLISH)) for n, run in enumerate(comparison.runs)]
    )
    if conditions := list(words.conditions(comparison, _ENGLISH)):
        yield ""
        yield "Measured under other conditions:"
        yield from _table([(f"  {who}", key, f"{theirs} -> {ours}") for who, key, theirs, ours in conditions])
    if absences := list(words.absences(comparison, _ENGLISH)):
        yield ""
        yield "Not compared:"
        yield from (f"  {plain(each)}" for each in absences)
    for label, rows in words.steps(comparison):
        yield ""
        yield from _table([_heading(comparison, label), *_body(comparison, rows)])
    yield ""
    for rule in words.rules(comparison, _ENGLISH):
        yield from textwrap.wrap(plain(rule), _WIDTH, subsequent_indent="  ")
    yield ""
    yield plain(words.verdict(comparison, _ENGLISH))


def _heading(comparison: Comparison, label: str) -> tuple[str, ...]:
    if len(comparison.runs) == 2:
        return (label, "A", "B", "difference", "interval", "verdict", "from")
    return (label, "run", "A", "its own", "difference", "interval", "verdict", "from")


def _body(comparison: Comparison, rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    for row in rows:
        base = words.value(row.figure, row.value)
        for place, cell in enumerate(row.cells, start=1):
            who = () if len(comparison.runs) == 2 else (words.letter(place),)
            yield (
                f"  {row.figure}" if place == 1 else "",
                *who,
                base if place == 1 else "",
                words.value(row.figure, cell.value),
                words.difference(row.figure, cell, _ENGLISH),
                words.interval(row.figure, cell, _ENGLISH),
                cell.contrast.value,
                words.basis(cell, _ENGLISH),
            )


def _table(lines: Sequence[tuple[str, ...]]) -> Iterator[str]:
    cells = [tuple(_cell(cell) for cell in line) for line in lines]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    for line in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _cell(text: str) -> str:
    """Harmless, with the indent that a table gives its first column."""
    indent = "  " if text.startswith("  ") else ""
    return indent + plain(text, _MOST_CELL)
