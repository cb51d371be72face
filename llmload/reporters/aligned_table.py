"""Tables of GitHub's Markdown whose columns are aligned in the source too, since people read the difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import zip_longest

from rich.cells import cell_len

from llmload.reporters.escaping import Markdown, markdown_prose

_MOST_PADDED = 72  # columns of a terminal; a longer cell stands out of its column instead of widening every row
_LEAST = 3  # what GitHub's dialect wants of a rule


class Side(Enum):
    """Where the cells of a column are flush."""

    LEFT = "left"
    CENTRE = "centre"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, and where the cells below it are flush."""

    heading: str
    side: Side = Side.LEFT


def escaped(value: object) -> Markdown:
    """As it is where it is Markdown already, else so that it reads the same."""
    return value if isinstance(value, Markdown) else markdown_prose(str(value))


def table(columns: Sequence[Column], rows: Sequence[Sequence[object]]) -> Markdown:
    """Heading, rule and rows, each a line of as many cells; what is no Markdown yet is escaped."""
    lines = [[escaped(column.heading) for column in columns], *([escaped(cell) for cell in row] for row in rows)]
    widths = [_width(cells) for cells in zip_longest(*lines, fillvalue=Markdown())]
    head, *body = (_line(cells, widths, columns) for cells in lines)
    rule = (_rule(width, column.side) for width, column in zip(widths, columns, strict=True))
    return Markdown("".join(f"{line}\n" for line in (head, f"| {' | '.join(rule)} |", *body)))


def _width(cells: Sequence[str]) -> int:
    """Of the longest cell that is not too long to pad the others to."""
    return max(_LEAST, *(width for width in map(cell_len, cells) if width <= _MOST_PADDED), 0)


def _line(cells: Sequence[str], widths: Sequence[int], columns: Sequence[Column]) -> str:
    padded = (_pad(cell, width, column.side) for cell, width, column in zip(cells, widths, columns, strict=True))
    return f"| {' | '.join(padded)} |"


def _pad(cell: str, width: int, side: Side) -> str:
    room = max(0, width - cell_len(cell))
    match side:
        case Side.LEFT:
            return cell + " " * room
        case Side.RIGHT:
            return " " * room + cell
        case Side.CENTRE:
            return " " * (room // 2) + cell + " " * (room - room // 2)


def _rule(width: int, side: Side) -> str:
    match side:
        case Side.LEFT:
            return "-" * width
        case Side.RIGHT:
            return "-" * (width - 1) + ":"
        case Side.CENTRE:
            return ":" + "-" * (width - 2) + ":"
