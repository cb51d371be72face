"""Cells of a workbook: text that stays text, real numbers with as many digits as they need, widths, tables, print.

Colours are of the palette of Okabe and Ito, told apart by most colour-blind readers; none says anything alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from math import isfinite

from openpyxl.cell.cell import Cell, MergedCell
from openpyxl.formatting.rule import Rule
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.styles.cell_style import StyleArray
from openpyxl.styles.differential import DifferentialStyle
from openpyxl.utils import get_column_letter
from openpyxl.utils.datetime import from_ISO8601, to_excel
from openpyxl.worksheet.header_footer import HeaderFooterItem
from openpyxl.worksheet.table import Table
from openpyxl.worksheet.worksheet import Worksheet

from llmload.plain_text import TEXT_LIMIT, display_width, plain
from llmload.reporters.figures import MISSING, amount, bare_milliseconds
from llmload.reporters.texts import Texts
from llmload.verdict import Status

INK, QUIET, RULE, SHADE = "1F2933", "5B6770", "D5DAE0", "F3F5F8"
BLUE, VERMILION, GREEN, ORANGE, SKY, PURPLE = "0072B2", "D55E00", "009E73", "E69F00", "56B4E9", "CC79A7"

_FACE = "Calibri"  # Excel takes the glyphs that it lacks, such as Korean ones, from the system's font
BODY, STRONG = Font(_FACE, 11, color=INK), Font(_FACE, 11, b=True, color=INK)
FAINT, FAINT_STRONG, SMALL = (
    Font(_FACE, 11, color=QUIET),
    Font(_FACE, 11, b=True, color=QUIET),
    Font(_FACE, 10, color=QUIET),
)
HEADING, TITLE, LARGE = (Font(_FACE, size, b=True, color=INK) for size in (13, 16, 20))
ON_DARK = Font(_FACE, 11, b=True, color="FFFFFF")

_TONES = {
    Status.PASS: ("✔", "D9F0E7", "00553E"),
    Status.FAIL: ("✖", "FADCCB", "8A3A00"),
    Status.ERROR: ("!", "F2DCEA", "6F2954"),
    Status.INCONCLUSIVE: ("?", "FFF0C8", "6B4E00"),
    Status.INCOMPARABLE: ("≠", "E4EAF1", "33475B"),
    Status.NOT_GATED: ("–", "ECEEF0", "4A545C"),
}
"""Mark, fill and ink of each status."""

_FORMULA_STARTS = tuple("=+-@＝＋－＠")
_ESCAPE_LIKE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")  # Excel reads _x000D_ in a string as the character itself
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z")
_UNDERLINED = Border(bottom=Side(style="thin", color=RULE))
_MOST_PLACES = 6

LINE = 15.5
"""Points of one line of text."""

WRAPPED = Alignment(wrap_text=True, vertical="top", indent=1, horizontal="left")
CENTRED = Alignment(horizontal="center", vertical="center", wrap_text=True)
OVER_TEXT = Alignment(horizontal="left", indent=1, wrap_text=True, vertical="center")
_OVER_FIGURES = Alignment(horizontal="right", indent=1, wrap_text=True, vertical="center")
_TO_THE_RIGHT = Alignment(horizontal="right", indent=1, vertical="top")


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and how Excel shows it."""

    value: float
    number_format: str

    @property
    def width(self) -> int:
        """About how many characters it takes."""
        section = self.number_format.partition(";")[0]
        words = "".join(section.split('"')[1::2])
        digits = "".join(section.split('"')[0::2])
        places = digits.partition(".")[2].count("0")
        scaled = self.value * 100 if "%" in digits else self.value
        return len(f"{scaled:,.{places}f}") + ("%" in digits) + display_width(words)


Value = Figure | str | None
"""What a cell holds; None leaves it empty, which is what a missing figure is."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: the text over it, and the most characters that it may be wide."""

    heading: str
    widest: int = 14


@dataclass(frozen=True, slots=True)
class Area:
    """Where a table lies in its sheet: rows and columns from 1, `heading` above `first`; no rows where last < first."""

    heading: int
    first: int
    last: int
    columns: int

    @property
    def reference(self) -> str:
        """In the words of a spreadsheet, heading included: A3:H9."""
        return f"A{self.heading}:{get_column_letter(self.columns)}{max(self.last, self.heading)}"


# ---------------------------------------------------------------- figures


def count(value: float | None, limit: float | None = None) -> Figure | None:
    """A count, a rate or a factor with about three digits and thousands marked."""
    return _figure(value, amount(value, limit))


def milliseconds(value: float | None, limit: float | None = None) -> Figure | None:
    """A latency for a column that names the unit, with more digits where it would round onto its limit."""
    return _figure(value, bare_milliseconds(value, limit))


def share(value: float | None, limit: float | None = None) -> Figure | None:
    """A share 0..1 as percent with one decimal, more where it would round onto 0, 100 % or its limit."""
    if value is None or not isfinite(value):
        return None
    others = [other for other in (0.0, 1.0, limit) if other is not None and other != value]
    for places in range(1, _MOST_PLACES):
        if all(f"{value * 100:.{places}f}" != f"{other * 100:.{places}f}" for other in others):
            break
    return Figure(value, f"0.{'0' * places}%")


def alike(value: float | None, number_format: str) -> Figure | None:
    """One format for a whole column, so that the points stand below each other."""
    return None if value is None else Figure(value, number_format)


def with_unit(figure: Figure | None, unit: str) -> Figure | None:
    """The same figure with its unit in the cell, still a number; the unit is ours, never foreign text."""
    return figure and Figure(figure.value, f'{figure.number_format}" {unit}"')


def instant(text: str | None) -> Figure | str | None:
    """A UTC instant as a date of Excel; other text stays text."""
    if text is None or not _INSTANT.fullmatch(text):
        return text
    try:
        serial = to_excel(from_ISO8601(text))  # type: ignore[no-untyped-call]
    except ValueError:  # the 31st of February
        return text
    return Figure(float(serial), 'yyyy-mm-dd hh:mm:ss" UTC"')


def _figure(value: float | None, shown: str) -> Figure | None:
    if value is None or shown == MISSING:
        return None
    places = len(shown.partition(".")[2])
    return Figure(value, "#,##0" + ("." + "0" * places if places else ""))


# ---------------------------------------------------------------- cells


def harmless(text: str, limit: int = TEXT_LIMIT) -> str:
    """One line that XML can hold and that Excel shows as it is."""
    return _ESCAPE_LIKE.sub("_x005F_", plain(text, limit))


def put(sheet: Worksheet, row: int, column: int, value: Value) -> Cell | MergedCell:
    """Write one cell. Text is never a formula, a number, an error or a link, whatever it begins with."""
    cell = sheet.cell(row, column)
    match value:
        case None:
            pass
        case Figure(number, number_format):
            cell.value, cell.number_format = number, number_format
        case str():
            text = harmless(value)
            cell.value, cell.data_type = text or None, "s" if text else "n"
            if text.startswith(_FORMULA_STARTS):
                cell.quotePrefix = True  # stays text when somebody edits the cell
    return cell


def status_words(status: Status, texts: Texts) -> str:
    """A status as its cell says it: a mark and a word."""
    return f"{_TONES[status][0]} {texts['status.' + status.name.lower()]}"


def colour_statuses(sheet: Worksheet, cells: str, texts: Texts) -> None:
    """Conditional colours for cells that hold `status_words`."""
    colour_words(sheet, cells, {status_words(status, texts): status for status in _TONES})


def colour_words(sheet: Worksheet, cells: str, looks: Mapping[str, Status]) -> None:
    """Conditional colours for cells that hold exactly these words, each in the colours of a status."""
    for words, status in looks.items():
        _, fill, ink = _TONES[status]
        quoted = words.replace('"', '""')
        look = DifferentialStyle(font=Font(color=ink, bold=True), fill=PatternFill(bgColor=fill, fill_type="solid"))
        sheet.conditional_formatting.add(
            cells, Rule(type="cellIs", operator="equal", dxf=look, formula=[f'"{quoted}"'])
        )


def warn_where(sheet: Worksheet, cells: str, formula: str) -> None:
    """Colour figures that break a promise, bold so that it shows without colour too."""
    look = DifferentialStyle(
        font=Font(color=_TONES[Status.FAIL][2], bold=True),
        fill=PatternFill(bgColor=_TONES[Status.FAIL][1], fill_type="solid"),
    )
    sheet.conditional_formatting.add(cells, Rule(type="expression", dxf=look, formula=[formula]))


def approve_where(sheet: Worksheet, cells: str, formula: str) -> None:
    """Colour figures that keep a promise."""
    look = DifferentialStyle(
        font=Font(color=_TONES[Status.PASS][2]), fill=PatternFill(bgColor=_TONES[Status.PASS][1], fill_type="solid")
    )
    sheet.conditional_formatting.add(cells, Rule(type="expression", dxf=look, formula=[formula]))


# ---------------------------------------------------------------- sheets


def head(sheet: Worksheet, title: str, note: str) -> int:
    """The heading of a sheet and a sentence under it; gives the row that its table begins at."""
    put(sheet, 1, 1, title).font = TITLE
    sheet.row_dimensions[1].height = 26
    put(sheet, 2, 1, note).font = FAINT
    sheet.sheet_view.showGridLines = False
    return 4


def subhead(sheet: Worksheet, row: int, title: str, note: str) -> int:
    """The heading of a further table and a sentence under it; gives the row that it begins at."""
    put(sheet, row, 1, title).font = HEADING
    sheet.row_dimensions[row].height = 22
    put(sheet, row + 1, 1, note).font = FAINT
    return row + 2


def table(sheet: Worksheet, top: int, columns: Sequence[Column], rows: Sequence[Sequence[Value]], name: str) -> Area:
    """A table with its heading at row `top`: an Excel table, filtered and frozen below its heading, widths fitted.

    `name` is what formulas may call it; it is unique in a workbook.
    """
    area = Area(top, top + 1, top + len(rows), len(columns))
    for place, column in enumerate(columns, start=1):
        is_figures = any(isinstance(row[place - 1], Figure) for row in rows)
        head_cell(put(sheet, top, place, column.heading), _OVER_FIGURES if is_figures else OVER_TEXT)
    for place, column in enumerate(columns):
        _fit(sheet, place + 1, column, [row[place] for row in rows])
    widths = [int(sheet.column_dimensions[get_column_letter(place + 1)].width) for place in range(len(columns))]
    looks: dict[str, StyleArray | None] = {}
    for row, values in enumerate(rows, start=area.first):
        for place, value in enumerate(values, start=1):
            _body_cell(put(sheet, row, place, value), value, looks)
        sheet.row_dimensions[row].height = LINE * _lines(values, widths) + 1
    sheet.row_dimensions[top].height = 15 * _heading_lines(sheet, columns) + 6
    if rows:
        sheet.add_table(Table(displayName=name, name=name, ref=area.reference))
    return area


def _lines(values: Sequence[Value], widths: Sequence[int]) -> int:
    """How many lines the tallest cell of a row takes."""
    return max(
        (lines_of(value, width - 1) for value, width in zip(values, widths, strict=True) if isinstance(value, str)),
        default=1,
    )


def head_cell(cell: Cell | MergedCell, alignment: Alignment = _OVER_FIGURES) -> None:
    """What stands above a column looks like this."""
    cell.font = ON_DARK
    cell.fill = PatternFill("solid", fgColor="34495E")
    cell.alignment = alignment


def _body_cell(cell: Cell | MergedCell, value: Value, looks: dict[str, StyleArray | None]) -> None:
    """`looks` keeps what cells of one number format look like: a copy costs a tenth of finding each style again."""
    key = "text" if isinstance(value, str) else cell.number_format
    if key in looks and not cell.quotePrefix:
        cell._style = copy(looks[key])  # type: ignore[union-attr]  # the stubs leave it out
        return
    cell.font, cell.border = BODY, _UNDERLINED
    cell.alignment = WRAPPED if isinstance(value, str) else _TO_THE_RIGHT
    if not cell.quotePrefix:
        looks[key] = cell._style  # type: ignore[union-attr]


def _fit(sheet: Worksheet, place: int, column: Column, values: Sequence[Value]) -> None:
    """As wide as the longest value or word of the heading, within bounds; longer text wraps."""
    widths = [_width(value) for value in values]
    widths += [display_width(word) + 2 for word in column.heading.split()]  # the filter's button takes two
    letter, needed = get_column_letter(place), min(max(*widths, 7) + 3, column.widest)
    former = sheet.column_dimensions[letter].width if letter in sheet.column_dimensions else 0
    sheet.column_dimensions[letter].width = max(needed, former)  # of a table above, which keeps what it needs


def _width(value: Value) -> int:
    match value:
        case None:
            return 0
        case Figure():
            return value.width
        case str():
            return display_width(harmless(value))


def _heading_lines(sheet: Worksheet, columns: Sequence[Column]) -> int:
    widths = (sheet.column_dimensions[get_column_letter(place)].width for place in range(1, len(columns) + 1))
    return max(
        (len(list(_wrapped(column.heading, int(width) - 3))) for column, width in zip(columns, widths, strict=True)),
        default=1,
    )


def lines_of(text: str, width: int) -> int:
    """How many lines a text takes in so many columns."""
    return len(list(_wrapped(harmless(text), width)))


def _wrapped(text: str, width: int) -> Iterator[int]:
    """The width of each line after breaking at spaces; a word longer than a line takes several."""
    used = 0
    for word in text.split():
        length = display_width(word)
        if used and used + 1 + length > width:
            yield used
            used = 0
        used += length + (1 if used else 0)
        while used > width:
            yield width
            used -= width
    yield used


def print_apart(sheet: Worksheet, area: Area, columns: int, last: int, repeated: str = "A:A") -> None:
    """What everybody reads on the first pages, down to row `last`; columns beyond the first ones on pages of their own,
    with the columns `repeated` before them.
    """
    parts = [f"A1:{get_column_letter(columns)}{last}"]
    if area.columns > columns:
        parts.append(f"{get_column_letter(columns + 1)}1:{get_column_letter(area.columns)}{area.last}")
    sheet.print_area = ",".join(parts)
    sheet.print_title_cols = repeated


def for_print(sheet: Worksheet, foot: str, texts: Texts, *, repeated_row: int | None = None) -> None:
    """Landscape A4, fitted to the width of a page, the heading of a long table repeated, page numbers below."""
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = 9
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True  # type: ignore[union-attr]
    margins = sheet.page_margins
    margins.left = margins.right = 0.4
    margins.top, margins.bottom, margins.header, margins.footer = 0.5, 0.6, 0.3, 0.3
    footer = HeaderFooterItem()
    footer.left.text = harmless(foot, 100).replace("&", "&&")
    footer.right.text = texts["excel.page"].format(page="&P", pages="&N")
    sheet.HeaderFooter.oddFooter = footer
    if repeated_row is not None:
        sheet.print_title_rows = f"{repeated_row}:{repeated_row}"
