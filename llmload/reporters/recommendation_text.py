"""What the terminal shows of a recommendation: a box for each part of it, and plain aligned lines where there is none.

Foreign text goes in as `Text`, never as markup, and without terminal sequences.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table as Grid
from rich.text import Text

from llmload.domain import RunResult
from llmload.plain_text import plain
from llmload.reporters.console import draw
from llmload.reporters.reasons import in_language
from llmload.reporters.recommendation_parts import Part, origin, parts_of
from llmload.reporters.sections import Pairs, Table
from llmload.reporters.texts import Texts
from llmload.reporters.wording import sentence

WIDEST = 100
"""Columns of a box: longer lines are hard to read."""

_INDENT = 2


def render(run: RunResult, texts: Texts, console: Console) -> None:
    """Print what a run recommends, its headline first; nothing where it recommends nothing."""
    found = run.recommendation
    if found is None:
        return
    head = Text(sentence(plain(in_language(found.headline, texts))), style="bold").append("\n")
    head.append(plain(origin(run, texts)), style="dim not bold")
    parts = tuple(parts_of(found, texts))
    draw(console, lambda: _show(head, parts, console))


def _show(head: Text, parts: Iterable[Part], console: Console) -> None:
    width = min(console.width, WIDEST)
    if not console.is_terminal:
        console.print(head, highlight=False, width=width)
        for part in parts:
            console.print(Text(f"\n{part.heading}", style="bold"), highlight=False, width=width)
            console.print(Padding(_body(part), (0, 0, 0, _INDENT), expand=False), highlight=False, width=width)
        return
    console.print(Panel(head, border_style="green", width=width), highlight=False)
    for part in parts:
        title = Text(part.heading, style="bold")
        console.print(
            Panel(_body(part), title=title, title_align="left", border_style="cyan", width=width), highlight=False
        )


def _body(part: Part) -> RenderableType:
    match part.body:
        case Table() as table:
            return _table(table)
        case list() as pairs:
            return _pairs(pairs)
        case lines:
            return _lines(lines)


def _pairs(pairs: Pairs) -> RenderableType:
    grid = Grid.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in pairs:
        grid.add_row(Text(name), Text(plain(value)))
    return grid


def _table(table: Table) -> RenderableType:
    grid = Grid(box=None, pad_edge=False, collapse_padding=True, header_style="dim")
    for place, heading in enumerate(table.columns):
        is_words = place == 0 or place in table.words
        grid.add_column(Text(heading), justify="left" if is_words else "right", overflow="fold")
    for row in table.rows:
        grid.add_row(*(Text(plain(cell)) for cell in row))
    return grid


def _lines(lines: Sequence[str]) -> RenderableType:
    if len(lines) == 1:
        return Text(plain(lines[0]))
    grid = Grid.grid(padding=(0, 1))
    for each in lines:
        grid.add_row(Text("-"), Text(plain(each), overflow="fold"))
    return grid
