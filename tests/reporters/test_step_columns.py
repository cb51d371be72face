"""Tables of steps: without output tokens they tell input tokens, and no latency that there cannot be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from llmload.domain import RunResult
from llmload.reporters import excel, html, markdown
from llmload.reporters.charts import run_charts
from llmload.reporters.console import render
from llmload.reporters.step_columns import latencies_of, speed_of, tokens_per_s
from llmload.reporters.texts import Language, texts_in
from tests.recorded_runs import CLEAN
from tests.reporters.workbooks import opened, plots


def _embedding() -> RunResult:
    """A run whose requests had no output tokens and 1,234,567 input tokens a second."""
    steps = []
    for step in CLEAN.steps:
        latency = {"e2e": step.metrics.latency["e2e"]}
        metrics = replace(step.metrics, output_tps=None, total_tps=1234567.0, output_tokens=0, latency=latency)
        steps.append(replace(step, metrics=metrics))
    return replace(CLEAN, steps=tuple(steps))


EMBEDDING = _embedding()


def test_a_run_of_answers_tells_output_tokens() -> None:
    assert speed_of(CLEAN.steps) == "output_tps"
    assert tokens_per_s(CLEAN.steps[0], "output_tps") == CLEAN.steps[0].metrics.output_tps
    assert latencies_of(CLEAN.steps)[0] == "ttft"


def test_where_nobody_counted_nothing_is_told_in_its_place() -> None:
    steps = [replace(step, metrics=replace(step.metrics, output_tps=None, total_tps=None)) for step in EMBEDDING.steps]
    assert (speed_of(steps), tokens_per_s(steps[0], "output_tps")) == ("output_tps", None)


@pytest.mark.parametrize("language", list(Language), ids=lambda each: each.value)
def test_tables_of_embeddings_have_e2e_and_input_tokens_alone(language: Language) -> None:
    texts = texts_in(language)
    report = markdown.render(EMBEDDING, texts)["report.md"].decode()
    table = next(line for line in report.splitlines() if texts["column.rps"] in line and "E2E" in line)
    assert texts["column.input_tps"] in table
    assert not [name for name in ("TTFT", "TPOT", texts["column.output_tps"]) if name in table]
    assert "1,234,567" in report
    page = html.told(EMBEDDING, texts, ())
    assert (page["speed"], page["latencies"]) == ("input_tps", ("e2e",))


def test_the_terminal_tells_them_too(capsys: pytest.CaptureFixture[str]) -> None:
    render(EMBEDDING, Console(width=120))
    told = capsys.readouterr().out
    assert "input tok/s" in told
    assert "ttft ms" not in told


@pytest.mark.parametrize("language", list(Language), ids=lambda each: each.value)
def test_the_chart_of_embeddings_shows_input_tokens(language: Language) -> None:
    texts = texts_in(language)
    chart = next(each for each in run_charts(EMBEDDING, texts) if each.name == "throughput")
    assert chart.summary.startswith(texts["charts.short.input_tps"])
    assert "1,234,570 tok/s" in chart.summary
    assert texts["charts.axis.input_tps"] in str(chart.spec)
    assert texts["charts.axis.output_tps"] not in str(chart.spec)


@pytest.mark.parametrize("language", list(Language), ids=lambda each: each.value)
def test_the_spreadsheet_leads_with_input_tokens_of_embeddings(language: Language) -> None:
    texts = texts_in(language)
    book = excel.render(EMBEDDING, texts)
    sheet = opened(book).worksheets[0]
    (name,) = (cell for row in sheet for cell in row if cell.value == texts["excel.tile.input_throughput"])
    assert sheet.cell(name.row + 1, name.column).value == 1234567.0
    assert texts["excel.tile.throughput"] not in {cell.value for row in sheet for cell in row}
    axes = [axis for plot in plots(book) for axis in plot.axes]
    assert texts["charts.axis.input_tps"] in axes
