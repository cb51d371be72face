"""`report.xlsx`: the run for those who live in spreadsheets. The answer first, native charts, real numbers in cells.

Nothing in it is a formula, a link or a reference outside; foreign text is text, whatever it begins with.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from openpyxl import Workbook
from openpyxl.packaging.core import DocumentProperties
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.worksheet import Worksheet

from llmload.analysis.comparison import Comparison
from llmload.analysis.requests import RequestRow
from llmload.domain import RunResult
from llmload.plain_text import plain
from llmload.reporters import excel_comparison, excel_plots
from llmload.reporters.excel_advice import add_recommendation
from llmload.reporters.excel_analysis import LONGEST, add_analysis
from llmload.reporters.excel_cells import Area, for_print, instant
from llmload.reporters.excel_gpu import add_gpus
from llmload.reporters.excel_package import Streamed, packed
from llmload.reporters.excel_parts import add_parts, has_parts
from llmload.reporters.excel_requests import PartColumn, prepare_requests
from llmload.reporters.excel_server import add_server, has_server
from llmload.reporters.excel_sheets import add_config, add_errors, add_gates, add_remarks, has_remarks
from llmload.reporters.excel_steps import add_steps
from llmload.reporters.excel_summary import add_summary
from llmload.reporters.excel_timeline import add_timeline
from llmload.reporters.texts import Texts
from llmload.reporters.written_sections import written

_NO_DATE = "1980-01-01T00:00:00Z"


def render(run: RunResult, texts: Texts) -> bytes:
    """The workbook of a run: Summary, Steps, Gates, Config, and the sheets that it has something for."""
    return packed(_workbook(run, texts))


def render_with_requests(
    run: RunResult, texts: Texts, requests: Iterable[RequestRow], parts: Collection[PartColumn] = ()
) -> bytes:
    """The same with a last sheet of every request; `requests` is read once, while the workbook is written.

    Of `parts` the sheet has columns.
    """
    book = _workbook(run, texts)
    sheet = _sheet(book, "requests", texts)
    stream = prepare_requests(sheet, texts, parts)
    for_print(sheet, run.header.run_id, texts, repeated_row=4)
    return packed(book, Streamed(len(book.worksheets), lambda drafted: stream(drafted, requests)))


def render_comparison(comparison: Comparison, texts: Texts) -> bytes:
    """The workbook of several runs held against the first one: Runs, Differences, Charts."""
    book = _empty()
    excel_comparison.fill(book, comparison, texts)
    dates = [run.created for run in comparison.runs]
    _describe(book, texts["comparison.title"], dates[0], max(dates))
    return packed(book)


def _workbook(run: RunResult, texts: Texts) -> Workbook:
    book, header = _empty(), run.header
    summary_sheet = _sheet(book, "summary", texts)
    summary = add_summary(summary_sheet, run, texts)
    for_print(summary_sheet, header.run_id, texts)
    steps_sheet = _sheet(book, "steps", texts)
    steps = add_steps(steps_sheet, run, texts)
    for_print(steps_sheet, header.run_id, texts, repeated_row=steps.area.heading)
    if run.steps:
        excel_plots.draw(run, steps, summary, texts)
    for sheet, heading in _tables(book, run, texts):
        for_print(sheet, header.run_id, texts, repeated_row=heading)
    _name_cells(book, summary_sheet, summary.verdict)
    title = texts["excel.title"].format(scenario=plain(header.title, 120))
    _describe(book, title, header.created, run.finished or header.created)
    return book


def _tables(book: Workbook, run: RunResult, texts: Texts) -> Iterator[tuple[Worksheet, int | None]]:
    """The other sheets, each with the row that is repeated on every page."""
    sheet = _sheet(book, "gates", texts)
    yield sheet, add_gates(sheet, run, texts).heading
    if has_parts(run):
        sheet = _sheet(book, "parts", texts)
        yield sheet, add_parts(sheet, run, texts).heading
    if any(step.metrics.errors for step in run.steps):
        sheet = _sheet(book, "errors", texts)
        yield sheet, add_errors(sheet, run, texts).heading
    if has_remarks(run):
        sheet = _sheet(book, "remarks", texts)
        yield sheet, add_remarks(sheet, run, texts).heading
    if run.gpus:
        sheet, samples = _sheet(book, "gpu", texts), _sheet(book, "gpu_samples", texts)
        yield _printed(sheet, add_gpus(sheet, samples, run, texts))
        yield samples, 4
    if has_server(run):
        sheet, told = _sheet(book, "server", texts), _sheet(book, "server_samples", texts) if run.server else None
        add_server(sheet, told, run, texts)
        yield sheet, None
        if told is not None:
            yield told, 4
    if run.recommendation is not None:
        sheet = _sheet(book, "recommendation", texts)
        settings = {} if run.profile is None else run.profile.settings
        add_recommendation(sheet, run.recommendation, settings, texts)
        yield sheet, None
    if (analysis := written(run.analyses, texts, LONGEST)) is not None:
        sheet = _sheet(book, "analysis", texts)
        add_analysis(sheet, analysis, texts)
        yield sheet, None
    if run.timeline is not None and run.timeline.at_s:
        sheet = _sheet(book, "timeline", texts)
        yield sheet, add_timeline(sheet, run.timeline, texts).heading
    sheet = _sheet(book, "config", texts)
    yield sheet, add_config(sheet, run, texts).heading
    for key in ("gpu_samples", "server_samples"):  # cells for charts only
        if texts[f"excel.sheet.{key}"] in book.sheetnames:
            book.move_sheet(texts[f"excel.sheet.{key}"], len(book.worksheets))


def _printed(sheet: Worksheet, area: Area) -> tuple[Worksheet, int | None]:
    """The heading of a sheet's only table is repeated; that of the first of several would stand above the others."""
    return sheet, area.heading if len(sheet.tables) == 1 else None


def _empty() -> Workbook:
    book = Workbook()
    if book.active is not None:
        book.remove(book.active)
    return book


def _sheet(book: Workbook, key: str, texts: Texts) -> Worksheet:
    sheet: Worksheet = book.create_sheet(texts[f"excel.sheet.{key}"])
    return sheet


def _name_cells(book: Workbook, summary: Worksheet, verdict: str) -> None:
    """A name that formulas of other workbooks may ask for."""
    book.defined_names["Verdict"] = DefinedName("Verdict", attr_text=f"'{summary.title}'!{verdict}")


def _describe(book: Workbook, title: str, created: str, modified: str) -> None:
    """Properties of the document; its instants are those of the run, never of the writing."""
    begun, ended = (each if not isinstance(instant(each), str) else _NO_DATE for each in (created, modified))
    book.properties = DocumentProperties(
        creator="llmload", title=title, created=begun, modified=ended, lastModifiedBy="llmload"
    )
