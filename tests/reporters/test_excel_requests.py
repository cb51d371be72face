"""The sheet of requests: streamed rows that read like any other cells."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
from lxml import etree
from openpyxl import Workbook

from llmload.analysis.requests import RequestRow
from llmload.domain import Outcome, TokenSource
from llmload.reporters import excel
from llmload.reporters.excel_package import Streamed, packed
from llmload.reporters.excel_requests import prepare_requests
from llmload.reporters.texts import Language, texts_in
from tests.recorded_runs import CLEAN, HOSTILE, LONG_ERROR
from tests.reporters.workbooks import opened, parts

ENGLISH = texts_in(Language.EN)
BARE = replace(CLEAN, gpus=(), timeline=None, recommendation=None)
GOOD = RequestRow(
    step=CLEAN.steps[1].step,
    look=0,
    seq=7,
    outcome=Outcome.OK,
    is_good=True,
    sent_s=1.25,
    lag_ms=0.031,
    ttft_ms=24.9,
    ttft_due_ms=None,
    tpot_ms=8.93,
    itl_max_ms=26.8,
    e2e_ms=1168.0,
    input_tokens=256,
    output_tokens=128,
    token_source=TokenSource.USAGE,
    http_status=200,
    error_type=None,
)


def failed(error: str) -> RequestRow:
    return replace(
        GOOD,
        outcome=Outcome.HTTP_ERROR,
        is_good=False,
        ttft_ms=None,
        tpot_ms=None,
        itl_max_ms=None,
        e2e_ms=None,
        output_tokens=None,
        token_source=None,
        http_status=503,
        error_type=error,
    )


def test_a_request_is_a_row_of_numbers_and_words() -> None:
    sheet = opened(excel.render_with_requests(BARE, ENGLISH, iter([GOOD, failed("HTTP_503")])))["Requests"]
    heading = [cell.value for cell in sheet[4]]
    good = dict(zip(heading, (cell.value for cell in sheet[5]), strict=True))
    assert good == {
        "Step": "concurrency 8",
        "Window": 1,
        "Request": 7,
        "Outcome": "ok",
        "Met SLO": "yes",
        "Sent in window (s)": 1.25,
        "Lag (ms)": 0.031,
        "TTFT (ms)": 24.9,
        "TTFT since due (ms)": None,
        "TPOT (ms)": 8.93,
        "Largest gap (ms)": 26.8,
        "E2E (ms)": 1168,
        "Input tokens": 256,
        "Output tokens": 128,
        "Counted by": "usage",
        "HTTP status": 200,
        "Error": None,
    }
    assert [cell.number_format for cell in sheet[5]][5:8] == ["#,##0.000", "0.000", "#,##0.000"]
    bad = dict(zip(heading, (cell.value for cell in sheet[6]), strict=True))
    assert (bad["TTFT (ms)"], bad["Met SLO"], bad["Error"], bad["HTTP status"]) == (None, "no", "HTTP_503", 503)
    assert (sheet.max_row, sheet.freeze_panes) == (6, "A5")


def test_the_other_sheets_are_those_of_the_report_without_requests() -> None:
    plain, more = parts(excel.render(BARE, ENGLISH)), parts(excel.render_with_requests(BARE, ENGLISH, iter([GOOD])))
    for name in (name for name in plain if name.startswith(("xl/charts", "xl/worksheets/sheet"))):
        cells, same = (re.sub(rb' s="\d+"| tabSelected="\d"', b"", each[name]) for each in (plain, more))
        assert cells == same, name


@pytest.mark.parametrize("error", ["=1+1", "＠SUM(A1)", HOSTILE, LONG_ERROR, "<f>1</f>", "]]>&\x00\x0b\ufffe"])
def test_an_error_of_any_text_is_a_harmless_cell(error: str) -> None:
    content = excel.render_with_requests(BARE, ENGLISH, iter([failed(error)]))
    sheet = opened(content)["Requests"]
    xml = parts(content)[f"xl/worksheets/sheet{len(opened(content).sheetnames)}.xml"]
    assert not list(etree.fromstring(xml).iter("{*}f"))
    assert {cell.data_type for cell in sheet[5]} <= {"s", "n"}
    assert len(str(sheet["Q5"].value)) < 700


def test_rows_beyond_what_a_sheet_holds_are_counted_in_its_last_row() -> None:
    book = Workbook()
    book.remove(book.worksheets[0])
    sheet = book.create_sheet("Requests")
    stream = prepare_requests(sheet, ENGLISH, most_rows=8)
    rows = (replace(GOOD, seq=seq) for seq in range(10))
    read = opened(packed(book, Streamed(1, lambda drafted: stream(drafted, rows))))["Requests"]
    assert [row[2].value for row in read.iter_rows(min_row=5)] == [0, 1, 2, None]
    assert (read.max_row, read["A8"].value) == (8, "7 more requests were left out: a sheet has no more rows")


def test_a_sheet_of_streamed_rows_claims_no_range() -> None:
    content = parts(excel.render_with_requests(BARE, ENGLISH, iter([GOOD] * 40)))
    sheets = {name: xml for name, xml in content.items() if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", name)}
    silent = [xml for xml in sheets.values() if b"<dimension" not in xml]
    assert len(sheets) > 1
    assert len(silent) == 1
    assert silent[0].count(b'<row r="44">') == 1, "the last of the rows that were streamed"


def test_a_run_without_requests_has_a_sheet_with_headings() -> None:
    sheet = opened(excel.render_with_requests(BARE, ENGLISH, iter(())))["Requests"]
    assert (sheet.max_row, sheet["A4"].value) == (4, "Step")


def test_requests_are_read_one_by_one_while_the_workbook_is_written() -> None:
    waiting = 0

    def rows() -> Iterator[RequestRow]:
        nonlocal waiting
        for seq in range(10_000):
            waiting += 1
            yield replace(GOOD, seq=seq)

    content = excel.render_with_requests(BARE, ENGLISH, rows())
    assert waiting == 10_000
    assert len(content) < 600_000


def test_the_same_requests_give_the_same_bytes_in_another_process() -> None:
    program = (
        "import hashlib; from llmload.reporters import excel; from tests.reporters.test_excel_requests import *;"
        "print(hashlib.sha256(excel.render_with_requests(BARE, ENGLISH, iter([GOOD, failed(HOSTILE)]))).hexdigest())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed, "TZ": zone}, check=True, capture_output=True
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Seoul"))
    }
    assert len(outputs) == 1
