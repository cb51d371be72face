"""Several runs in one workbook: differences as numbers, verdicts in words, charts over the runs' own cells."""

from __future__ import annotations

import pytest
from lxml import etree

from llmload.analysis.comparison import Comparison
from llmload.reporters import excel
from llmload.reporters.texts import Language, texts_in
from tests.reporters.test_comparison import ALIKE, MIXED, NASTY
from tests.reporters.workbooks import opened, parts, plots, records, referred

ENGLISH, KOREAN = texts_in(Language.EN), texts_in(Language.KO)
EVERY = [pytest.param(MIXED, id="mixed"), pytest.param(ALIKE, id="alike"), pytest.param(NASTY, id="hostile")]


@pytest.mark.parametrize("texts", [ENGLISH, KOREAN], ids=["en", "ko"])
@pytest.mark.parametrize("comparison", EVERY)
def test_nothing_of_a_comparison_calculates(comparison: Comparison, texts: object) -> None:
    content = excel.render_comparison(comparison, ENGLISH if texts is ENGLISH else KOREAN)
    for name, part in parts(content).items():
        root = etree.fromstring(part)
        assert not (name.startswith("xl/worksheets/sheet") and list(root.iter("{*}f"))), name
    assert {cell.data_type for sheet in opened(content) for row in sheet.iter_rows() for cell in row} <= {"s", "n", "d"}


def test_runs_are_told_first_with_the_verdict() -> None:
    book = opened(excel.render_comparison(MIXED, ENGLISH))
    assert book.sheetnames == ["Runs", "Differences", "Charts"]
    sheet = book["Runs"]
    assert str(sheet["A2"].value).startswith("Different: ")
    assert [(row[0].value, row[1].value, row[4].value) for row in sheet["A5:E6"]] == [
        ("A", "before", "✔ pass"),
        ("B", "after", "✔ pass"),
    ]
    assert [cell.value for cell in sheet[10]][:4] == ["B", "gpu", "L4", "H100"]


def test_a_difference_is_a_number_with_its_interval_and_verdict() -> None:
    rows = {row["Figure"]: row for row in records(opened(excel.render_comparison(MIXED, ENGLISH))["Differences"])}
    slower = rows["p50(ttft)"]
    assert (slower["A"], slower["Its own"], slower["Verdict"]) == (100, 120, "✖ worse")
    assert slower["Difference"] == pytest.approx(0.2)
    assert isinstance(slower["Low"], float)
    assert slower["Low"] < 0.2 < slower["High"]
    assert rows["p99(ttft)"]["A"] == "never", "a latency that only failed attempts reach"
    assert rows["p95(ttft)"]["Its own"] is None


def test_charts_show_the_runs_side_by_side() -> None:
    content = excel.render_comparison(MIXED, ENGLISH)
    book = opened(content)
    drawn = {plot.title: [referred(book, cells) for cells in plot.series.values()] for plot in plots(content)}
    assert drawn["Completed (requests/s)"] == [[10], [12]]
    assert drawn["TTFT p95 (ms)"] == [[150], [None]]


def test_a_comparison_speaks_korean() -> None:
    book = opened(excel.render_comparison(ALIKE, KOREAN))
    assert book.sheetnames[:2] == ["실행", "차이"]
    assert str(book["실행"]["A2"].value).startswith(KOREAN["comparison.said.alike"])
