"""The sheet of requests, streamed: a row is written as soon as it is known, so that memory does not grow with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from xml.sax.saxutils import escape

from openpyxl.styles import Border
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from llmload.analysis.requests import RequestRow
from llmload.planned import Step
from llmload.reporters.excel_cells import Column, Figure, Value, harmless, head, table
from llmload.reporters.texts import Texts
from llmload.reporters.wording import step_label

MOST_ROWS = 1_048_576
"""Rows of a sheet; Excel opens no file that has more."""

_LATENCY = "0.000"
_COLUMNS: tuple[tuple[str, int, str], ...] = (
    ("step", 18, ""),
    ("window", 10, "0"),
    ("seq", 11, "0"),
    ("outcome", 16, ""),
    ("met", 10, ""),
    ("sent", 12, "#,##0.000"),
    ("lag", 11, _LATENCY),
    ("ttft", 12, "#,##0.000"),
    ("ttft_due", 14, "#,##0.000"),
    ("tpot", 11, _LATENCY),
    ("itl_max", 13, "#,##0.000"),
    ("e2e", 12, "#,##0.000"),
    ("input_tokens", 12, "#,##0"),
    ("output_tokens", 12, "#,##0"),
    ("token_source", 13, ""),
    ("http_status", 10, "0"),
    ("error", 44, ""),
)
"""Key in the catalogue, width in characters, number format."""

_STYLES = re.compile(rb'<c r="[A-Z]+(\d+)"(?: s="(\d+)")?')
_CHUNK = 2_000  # rows

_Cell = str | float | int | None


def prepare_requests(
    sheet: Worksheet, texts: Texts, *, most_rows: int = MOST_ROWS
) -> Callable[[bytes, Iterable[RequestRow]], Iterator[bytes]]:
    """Everything of the sheet but its rows, and a function that makes its data of the XML that it had without them.

    The sheet never has more than `most_rows`. One row of examples carries the number formats; its cells' styles are
    those of every row.
    """
    top = head(sheet, texts["excel.sheet.requests"], texts["excel.note.requests"])
    columns = [Column(texts[f"excel.request.{key}"], width) for key, width, _ in _COLUMNS]
    example: list[Value] = [Figure(0.0, shown) if shown else "-" for _, _, shown in _COLUMNS]
    area = table(sheet, top, columns, [example], "Requests")
    del sheet.tables["Requests"]  # how many rows there are is known when the last one is written
    sheet.auto_filter.ref = f"A{top}:{get_column_letter(area.columns)}{most_rows}"
    for place, (_, width, shown) in enumerate(_COLUMNS, start=1):
        sheet.column_dimensions[get_column_letter(place)].width = width
        cell = sheet.cell(area.first, place)
        cell.border = Border()
        cell.quotePrefix = not shown  # stays text when somebody edits the cell
    sheet.freeze_panes = f"A{area.first}"

    def stream(drafted: bytes, rows: Iterable[RequestRow]) -> Iterator[bytes]:
        yield _above(drafted, area.first)
        yield from _rows(rows, (area.first, most_rows), _styles(drafted, area.first), texts)

    return stream


def _above(drafted: bytes, first: int) -> bytes:
    """The rows above the examples."""
    begin = drafted.index(b"<row ")
    return drafted[begin : drafted.index(f'<row r="{first}"'.encode())]


def _styles(drafted: bytes, first: int) -> list[bytes]:
    return [style or b"0" for row, style in _STYLES.findall(drafted) if int(row) == first]


def _rows(
    rows: Iterable[RequestRow], between: tuple[int, int], styles: Sequence[bytes], texts: Texts
) -> Iterator[bytes]:
    """As many as fit from the first to the last row, and in that one how many did not."""
    numbers = [f' s="{style.decode()}"><v>' for style in styles]
    words = [f' s="{style.decode()}" t="inlineStr"><is><t xml:space="preserve">' for style in styles]
    tell, source = _teller(texts), iter(rows)
    place, room = between[0], between[1] - between[0]
    while chunk := list(islice(source, min(_CHUNK, room))):
        told = (_row(place + offset, tell(row), numbers, words) for offset, row in enumerate(chunk))
        yield "".join(told).encode()
        place, room = place + len(chunk), room - len(chunk)
    if left := sum(1 for _ in source):
        yield _row(place, [texts["excel.left_out"].format(count=f"{left:,}")], numbers, words).encode()


def _row(place: int, cells: Sequence[_Cell], numbers: Sequence[str], words: Sequence[str]) -> str:
    """Cells without addresses stand in the order of columns; an empty one still takes its place."""
    told = "".join(
        "<c/>"
        if cell is None
        else f"<c{words[at]}{escape(cell)}</t></is></c>"
        if isinstance(cell, str)
        else f"<c{numbers[at]}{cell!r}</v></c>"
        for at, cell in enumerate(cells)
    )
    return f'<row r="{place}">{told}</row>'


def _teller(texts: Texts) -> Callable[[RequestRow], list[_Cell]]:
    """What a row says, each label of a step made once."""
    labels: dict[Step, str] = {}
    met = {True: texts["excel.request.yes"], False: texts["excel.request.no"]}

    def tell(row: RequestRow) -> list[_Cell]:
        label = labels.get(row.step)
        if label is None:
            label = labels[row.step] = harmless(step_label(row.step, texts))
        return [
            label,
            row.look + 1,
            row.seq,
            row.outcome.value,
            met[row.is_good],
            row.sent_s,
            row.lag_ms,
            row.ttft_ms,
            row.ttft_due_ms,
            row.tpot_ms,
            row.itl_max_ms,
            row.e2e_ms,
            row.input_tokens,
            row.output_tokens,
            None if row.token_source is None else row.token_source.value,
            row.http_status,
            None if row.error_type is None else harmless(row.error_type),
        ]

    return tell
