"""The sheet of requests, streamed: a row is written as soon as it is known, so that memory does not grow with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Literal
from xml.sax.saxutils import escape

from openpyxl.styles import Border
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from llmload.analysis.requests import RequestRow
from llmload.planned import Part, Step
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
    ("class", 18, ""),
    ("session", 10, "0"),
    ("turn", 9, "0"),
    ("group", 10, "0"),
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

PartColumn = Literal["class", "session", "turn", "group"]
"""Columns that only requests of traffic with such parts have."""

_PART_COLUMNS: tuple[PartColumn, ...] = ("class", "session", "turn", "group")

_STYLES = re.compile(rb'<c r="[A-Z]+(\d+)"(?: s="(\d+)")?')
_CHUNK = 2_000  # rows

_Cell = str | float | int | None
_Tell = Callable[[RequestRow], list[_Cell]]


def prepare_requests(
    sheet: Worksheet, texts: Texts, parts: Collection[PartColumn] = (), *, most_rows: int = MOST_ROWS
) -> Callable[[bytes, Iterable[RequestRow]], Iterator[bytes]]:
    """Everything of the sheet but its rows, and a function that makes its data of the XML that it had without them.

    Of `parts` there are columns. The sheet never has more than `most_rows`. One row of examples carries the number
    formats; its cells' styles are those of every row.
    """
    top = head(sheet, texts["excel.sheet.requests"], texts["excel.note.requests"])
    kept = [column for column in _COLUMNS if column[0] not in _PART_COLUMNS or column[0] in parts]
    columns = [Column(_heading(key, texts), width) for key, width, _ in kept]
    example: list[Value] = [Figure(0.0, shown) if shown else "-" for _, _, shown in kept]
    area = table(sheet, top, columns, [example], "Requests")
    del sheet.tables["Requests"]  # how many rows there are is known when the last one is written
    sheet.auto_filter.ref = f"A{top}:{get_column_letter(area.columns)}{most_rows}"
    for place, (_, width, shown) in enumerate(kept, start=1):
        sheet.column_dimensions[get_column_letter(place)].width = width
        cell = sheet.cell(area.first, place)
        cell.border = Border()
        cell.quotePrefix = not shown  # stays text when somebody edits the cell
    sheet.freeze_panes = f"A{area.first}"

    def stream(drafted: bytes, rows: Iterable[RequestRow]) -> Iterator[bytes]:
        yield _above(drafted, area.first)
        yield from _rows(rows, (area.first, most_rows), _styles(drafted, area.first), _teller(texts, parts), texts)

    return stream


def _heading(key: str, texts: Texts) -> str:
    return texts[f"parts.{key}" if key in _PART_COLUMNS else f"excel.request.{key}"]


def _above(drafted: bytes, first: int) -> bytes:
    """The rows above the examples."""
    begin = drafted.index(b"<row ")
    return drafted[begin : drafted.index(f'<row r="{first}"'.encode())]


def _styles(drafted: bytes, first: int) -> list[bytes]:
    return [style or b"0" for row, style in _STYLES.findall(drafted) if int(row) == first]


def _rows(
    rows: Iterable[RequestRow], between: tuple[int, int], styles: Sequence[bytes], tell: _Tell, texts: Texts
) -> Iterator[bytes]:
    """As many as fit from the first to the last row, and in that one how many did not."""
    numbers = [f' s="{style.decode()}"><v>' for style in styles]
    words = [f' s="{style.decode()}" t="inlineStr"><is><t xml:space="preserve">' for style in styles]
    source = iter(rows)
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


def _teller(texts: Texts, parts: Collection[PartColumn]) -> _Tell:
    """What a row says, each label of a step made once."""
    labels: dict[Step, str] = {}
    kept = [name for name in _PART_COLUMNS if name in parts]
    met = {True: texts["excel.request.yes"], False: texts["excel.request.no"]}

    def tell(row: RequestRow) -> list[_Cell]:
        label = labels.get(row.step)
        if label is None:
            label = labels[row.step] = harmless(step_label(row.step, texts))
        return [
            label,
            row.look + 1,
            row.seq,
            *(_part(row.part, name) for name in kept),
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


def _part(part: Part, name: PartColumn) -> _Cell:
    """Turns are counted from 1, as in every report; sessions and groups are names, from 0."""
    match name:
        case "class":
            return None if part.traffic_class is None else harmless(part.traffic_class)
        case "session":
            return part.session
        case "turn":
            return None if part.turn is None else part.turn + 1
        case "group":
            return part.group
