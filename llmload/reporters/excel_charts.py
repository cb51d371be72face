"""Native charts: series refer to cells of the workbook, a missing value leaves a gap, every axis says its unit.

The cells' values go into the chart as well, for the many viewers that draw only what they find there. Titles are of the
catalogue and ours alone: a chart holds no foreign text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from openpyxl.chart import BarChart, LineChart, ScatterChart
from openpyxl.chart.axis import ChartLines, _BaseAxis
from openpyxl.chart.data_source import AxDataSource, NumData, NumDataSource, NumFmt, NumRef, NumVal, StrData, StrRef
from openpyxl.chart.data_source import StrVal as TextPoint
from openpyxl.chart.error_bar import ErrorBars
from openpyxl.chart.marker import DataPoint, Marker
from openpyxl.chart.series import Series, SeriesLabel, XYSeries
from openpyxl.chart.shapes import GraphicalProperties
from openpyxl.chart.text import RichText, Text
from openpyxl.chart.title import Title
from openpyxl.drawing.line import LineProperties
from openpyxl.drawing.spreadsheet_drawing import AnchorMarker, TwoCellAnchor
from openpyxl.drawing.text import CharacterProperties, Paragraph, ParagraphProperties, RegularTextRun
from openpyxl.utils import get_column_letter, quote_sheetname
from openpyxl.worksheet.worksheet import Worksheet

from llmload.reporters.excel_cells import INK, QUIET

Drawn = BarChart | LineChart | ScatterChart

_GRID = "E1E5EA"
_SECOND_AXES = (20, 200)  # of x and of y
_USUAL_WIDTH = 12
_EMU_PER_CHARACTER = 7 * 9_525  # at 7 pixels each, as in Excel's default font


class Stroke(StrEnum):
    """How a line is drawn: a limit is told from a measurement without its colour."""

    MEASURED = "solid"
    LIMIT = "dash"


@dataclass(frozen=True, slots=True)
class Cells:
    """The values of one column of a table, from row `first` to `last`, and the row of the heading that names them."""

    sheet: Worksheet
    column: int
    heading: int
    first: int
    last: int

    @property
    def reference(self) -> str:
        """`'Steps'!$J$5:$J$9`."""
        letter = get_column_letter(self.column)
        return f"{quote_sheetname(self.sheet.title)}!${letter}${self.first}:${letter}${self.last}"

    @property
    def name_reference(self) -> str:
        """`'Steps'!$J$4`."""
        return f"{quote_sheetname(self.sheet.title)}!${get_column_letter(self.column)}${self.heading}"

    @property
    def values(self) -> list[object]:
        """What the cells hold, None where they are empty."""
        return [self.sheet.cell(row, self.column).value for row in range(self.first, self.last + 1)]

    @property
    def name(self) -> str:
        """The heading."""
        return str(self.sheet.cell(self.heading, self.column).value)


@dataclass(frozen=True, slots=True)
class Trace:
    """One series: which cells, in which colour, as a measurement or a limit."""

    cells: Cells
    colour: str
    stroke: Stroke = Stroke.MEASURED


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis is called, unit included, and how its numbers look."""

    title: str
    number_format: str = "#,##0"
    least: float | None = None
    most: float | None = None


# ---------------------------------------------------------------- kinds of charts


def bars(title: str, categories: Cells, traces: Sequence[Trace], x: Axis, y: Axis) -> BarChart:
    """Clustered columns."""
    chart = BarChart()
    chart.type, chart.grouping = "col", "clustered"
    chart.gapWidth, chart.overlap = 60, 0
    chart.series = [_bar(trace, categories) for trace in traces]
    _furnish(chart, title, x, y)
    return chart


def lines(title: str, categories: Cells, traces: Sequence[Trace], x: Axis, y: Axis) -> LineChart:
    """Lines over categories."""
    chart = LineChart()
    chart.series = [_line(trace, categories) for trace in traces]
    _furnish(chart, title, x, y)
    return chart


def scatter(title: str, pairs: Sequence[tuple[Cells, Trace]], x: Axis, y: Axis) -> ScatterChart:
    """Lines over numbers, such as seconds: each trace with the cells of its own x."""
    chart = ScatterChart()
    chart.style, chart.scatterStyle = None, "lineMarker"
    chart.series = [_curve(at, trace) for at, trace in pairs]
    _furnish(chart, title, x, y)
    return chart


def on_second_axis(chart: Drawn, other: LineChart, y: Axis) -> None:
    """Draw `other` into `chart`, held against an axis of its own on the right."""
    other.x_axis.axId, other.y_axis.axId = _SECOND_AXES
    other.x_axis.crossAx, other.y_axis.crossAx = other.y_axis.axId, other.x_axis.axId
    other.x_axis.delete, other.x_axis.title = True, None  # the loads are told once, below the chart
    _scale(other.y_axis, y)
    other.x_axis.axPos, other.y_axis.axPos = "b", "r"
    other.y_axis.crosses, other.y_axis.tickLblPos, other.y_axis.majorGridlines = "max", "nextTo", None
    chart += other


def with_lines(chart: BarChart, categories: Cells, traces: Sequence[Trace]) -> None:
    """Draw lines into a chart of columns, against the same axes."""
    if traces:
        other = LineChart()
        other.series = [_line(trace, categories) for trace in traces]
        chart += other


def with_interval(chart: LineChart, below: Cells, above: Cells) -> None:
    """Draw how far the first series may be from the truth, by the cells that say how much below and above."""
    bar = ErrorBars(errDir="y", errBarType="both", errValType="cust", noEndCap=False)
    # the order of ECMA-376, without which Excel offers to repair the file; the class has another one
    bar.__elements__ = (  # type: ignore[misc]
        "errDir",
        "errBarType",
        "errValType",
        "noEndCap",
        "plus",
        "minus",
        "val",
        "spPr",
    )
    bar.minus, bar.plus = NumDataSource(numRef=_numbers(below)), NumDataSource(numRef=_numbers(above))
    bar.spPr = GraphicalProperties(ln=LineProperties(solidFill=QUIET, w=12700))
    chart.series[0].errBars = bar


def marked(chart: BarChart, point: int, colour: str) -> None:
    """Give one column of the first series a colour of its own."""
    spot = DataPoint(idx=point, invertIfNegative=False)
    spot.graphicalProperties = GraphicalProperties(solidFill=colour)
    chart.series[0].dPt = [*chart.series[0].dPt, spot]


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a chart lies: rows from `top` on, and which shares 0..1 of the width of the first `columns` columns."""

    columns: int
    top: int
    rows: int
    left: float = 0.0
    right: float = 1.0


def place(chart: Drawn, sheet: Worksheet, frame: Frame) -> None:
    """Put a chart into its frame; it grows with the columns below it, whatever width their font gives them."""
    letters = [get_column_letter(column + 1) for column in range(frame.columns)]
    for letter in letters:
        if letter not in sheet.column_dimensions:
            sheet.column_dimensions[letter].width = _USUAL_WIDTH  # what nobody sets is another width in each program
    widths = [sheet.column_dimensions[letter].width for letter in letters]
    start = AnchorMarker(*_at(widths, frame.left), row=frame.top - 1)
    end = AnchorMarker(*_at(widths, frame.right), row=frame.top - 1 + frame.rows)
    chart.anchor = TwoCellAnchor(  # type: ignore[assignment]  # the stubs know addresses only
        editAs="oneCell", _from=start, to=end
    )
    sheet.add_chart(chart)


def _at(widths: Sequence[float], share: float) -> tuple[int, int]:
    """The column (from 0) that begins or holds this share of their width, and how far into it, in EMU."""
    left = share * sum(widths)
    for column, width in enumerate(widths):
        if left < width - 0.01:
            return column, round(max(left, 0.0) * _EMU_PER_CHARACTER)
        left -= width
    return len(widths), 0


# ---------------------------------------------------------------- series


def _bar(trace: Trace, categories: Cells) -> Series:
    series = _series(trace, categories)
    series.graphicalProperties = GraphicalProperties(solidFill=trace.colour)
    series.graphicalProperties.line.noFill = True
    series.invertIfNegative = False
    return series


def _line(trace: Trace, categories: Cells) -> Series:
    series = _series(trace, categories)
    series.graphicalProperties, series.marker, series.smooth = _pen(trace), _marker(trace), False
    return series


def _curve(at: Cells, trace: Trace) -> XYSeries:
    series = XYSeries()
    series.xVal, series.yVal = AxDataSource(numRef=_numbers(at)), NumDataSource(numRef=_numbers(trace.cells))
    series.title = _name(trace.cells)
    series.graphicalProperties, series.smooth = _pen(trace), False
    series.marker = Marker(symbol="none") if trace.cells.last - trace.cells.first > 60 else _marker(trace)
    return series


def _series(trace: Trace, categories: Cells) -> Series:
    series = Series()
    series.val, series.title = NumDataSource(numRef=_numbers(trace.cells)), _name(trace.cells)
    if all(isinstance(value, int | float) for value in categories.values):
        series.cat = AxDataSource(numRef=_numbers(categories))
    else:
        series.cat = AxDataSource(strRef=StrRef(categories.reference, _texts(categories.values)))
    return series


def _name(cells: Cells) -> SeriesLabel:
    return SeriesLabel(strRef=StrRef(cells.name_reference, _texts([cells.name])))


def _texts(values: Sequence[object]) -> StrData:
    points = [TextPoint(place, str(value)) for place, value in enumerate(values) if value is not None]
    return StrData(ptCount=len(values), pt=points)


def _numbers(cells: Cells) -> NumRef:
    values = cells.values
    points = [NumVal(idx=place, v=value) for place, value in enumerate(values) if isinstance(value, int | float)]
    return NumRef(cells.reference, NumData(formatCode="General", ptCount=len(values), pt=points))


def _pen(trace: Trace) -> GraphicalProperties:
    line = LineProperties(solidFill=trace.colour, prstDash=trace.stroke.value, w=28575)
    return GraphicalProperties(ln=line)


def _marker(trace: Trace) -> Marker:
    if trace.stroke is Stroke.LIMIT:
        return Marker(symbol="none")
    marker = Marker(symbol="circle", size=7)
    marker.graphicalProperties = GraphicalProperties(solidFill=trace.colour)
    marker.graphicalProperties.line.solidFill = "FFFFFF"
    return marker


# ---------------------------------------------------------------- furniture


def _furnish(chart: Drawn, title: str, x: Axis, y: Axis) -> None:
    chart.title = _title(title, 1200, INK)
    chart.display_blanks = "gap"
    chart.roundedCorners = False
    chart.visible_cells_only = False
    chart.graphical_properties = GraphicalProperties(solidFill="FFFFFF", ln=LineProperties(solidFill=_GRID))
    if chart.legend is not None:
        chart.legend.position, chart.legend.overlay = "b", False
    _scale(chart.x_axis, x)
    _scale(chart.y_axis, y)
    chart.x_axis.axPos, chart.y_axis.axPos = "b", "l"
    chart.y_axis.majorGridlines = ChartLines(spPr=GraphicalProperties(ln=LineProperties(solidFill=_GRID)))
    chart.x_axis.majorGridlines = None


def _scale(axis: _BaseAxis, told: Axis) -> None:
    axis.delete = False  # Excel hides an axis that does not say so
    axis.title = _title(told.title, 900, QUIET)
    axis.numFmt = NumFmt(told.number_format, sourceLinked=False)
    axis.majorTickMark, axis.tickLblPos = "out", "low"
    axis.scaling.min, axis.scaling.max = told.least, told.most
    axis.txPr = _rich([], 900, QUIET)
    axis.spPr = GraphicalProperties(ln=LineProperties(solidFill="AEB6BF"))


def _title(text: str, size: int, colour: str) -> Title:
    """Each line a paragraph; all but the first smaller."""
    first, *others = text.split("\n")
    title = Title(tx=Text(rich=_rich([(first, size), *((other, 900) for other in others)], size, colour)))
    title.overlay = False
    return title


def _rich(runs: Sequence[tuple[str, int]], size: int, colour: str) -> RichText:
    """`size` in hundredths of a point."""
    paragraphs = [_paragraph(text, each, colour, size) for text, each in runs]
    plain_text = Paragraph(pPr=ParagraphProperties(defRPr=_letters(size, colour, is_bold=False)))
    return RichText(p=paragraphs or [plain_text])


def _paragraph(text: str, size: int, colour: str, of_title: int) -> Paragraph:
    letters = _letters(size, colour, is_bold=size == of_title and size > 1000)
    return Paragraph(pPr=ParagraphProperties(defRPr=letters), r=[RegularTextRun(rPr=letters, t=text)])


def _letters(size: int, colour: str, *, is_bold: bool) -> CharacterProperties:
    return CharacterProperties(sz=size, b=is_bold, solidFill=colour)
