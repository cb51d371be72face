"""The sheet of a written analysis: by whom, what to doubt, and the text of which nothing is ours, line by line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from openpyxl.styles import Alignment
from openpyxl.worksheet.worksheet import Worksheet

from llmload.reporters.excel_cells import BODY, FAINT, LINE, STRONG, head, lines_of, put
from llmload.reporters.texts import Texts
from llmload.reporters.wording import sentence
from llmload.reporters.written_sections import Written

LONGEST = 20_000
"""Characters of a text that the sheet holds."""

_WIDTH = 110
_PIECE = 3 * _WIDTH  # characters of one cell: three lines, and short enough for a text of others


def add_analysis(sheet: Worksheet, told: Written, texts: Texts) -> None:
    """Fill the sheet; a long line goes on in the cell below."""
    row = head(sheet, texts["heading.analysis"], told.note) - 1
    sheet.column_dimensions["A"].width = _WIDTH
    put(sheet, row, 1, told.by).font = STRONG
    row += 1
    if told.doubts:
        row = _line(sheet, row, f"{told.doubts}: {', '.join(told.unknown)}")
        sheet.cell(row - 1, 1).font = STRONG
    row += 1
    for paragraph in told.paragraphs:
        for piece in _pieces(paragraph):
            row = _line(sheet, row, piece)
        row += 1
    if told.ending:
        put(sheet, row, 1, sentence(told.ending)).font = FAINT


def _pieces(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield from textwrap.wrap(line, _PIECE, break_on_hyphens=False)


def _line(sheet: Worksheet, row: int, text: str) -> int:
    cell = put(sheet, row, 1, text)
    cell.font, cell.alignment = BODY, Alignment(wrap_text=True, vertical="top")
    sheet.row_dimensions[row].height = LINE * lines_of(text, _WIDTH)
    return row + 1
