"""The sheets of what the GPUs and the server did: each step, both sides of every check, and samples with charts."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from llmload.domain import RunResult
from llmload.reporters import excel
from llmload.reporters.texts import Language, texts_in
from llmload.serving import Check, GpuFigures
from tests.recorded_runs import CLEAN, TROUBLE
from tests.reporters.workbooks import opened, plots, referred, texts_of_sheet

ENGLISH, KOREAN = texts_in(Language.EN), texts_in(Language.KO)


def book_of(run: RunResult) -> Workbook:
    return opened(excel.render(run, ENGLISH))


@cache
def clean_book() -> Workbook:
    """To be read only, as the next one."""
    return book_of(CLEAN)


@cache
def trouble_book() -> Workbook:
    return book_of(TROUBLE)


def rows_of(sheet: Worksheet, table: str) -> list[dict[str, object]]:
    heading, *rows = sheet[sheet.tables[table].ref]
    return [{str(name.value): cell.value for name, cell in zip(heading, row, strict=True)} for row in rows]


# ---------------------------------------------------------------- GPUs


def test_each_gpu_has_its_driver_its_energy_and_how_often_it_was_slowed_down() -> None:
    first, second = rows_of(clean_book()["GPU"], "GPUs")
    assert (first["Driver"], first["Energy (kJ)"], first["Slowed down (% of samples)"]) == ("570.124.06", 143.9184, 0)
    assert (second["Driver"], second["Energy (kJ)"]) == ("570.124.06", None)
    assert "MIG profile" not in first, "no GPU is a part of one"
    (part,) = rows_of(trouble_book()["GPU"], "GPUs")
    assert part["MIG profile"] == "1g.10gb"


def test_all_gpus_are_told_at_each_step() -> None:
    rows = rows_of(clean_book()["GPU"], "GpuSteps")
    figures = CLEAN.steps[0].gpu
    assert figures is not None
    assert [row["Step"] for row in rows] == [f"concurrency {load}" for load in (1, 8, 32, 64, 120, 160)]
    assert rows[0]["Energy per output token (J)"] == figures.joules_per_token
    assert rows[0]["Mean power (W)"] == figures.power_w


def test_a_step_tells_what_slowed_its_gpus_down_in_the_language_of_the_report() -> None:
    step = replace(CLEAN.steps[0], gpu=GpuFigures(1, throttled=0.5, throttle_reasons=("power cap",)))
    run = replace(CLEAN, steps=(step,))
    (row,) = rows_of(book_of(run)["GPU"], "GpuSteps")
    assert (row["Slowed down by"], row["Slowed down (% of samples)"]) == ("power cap", 0.5)
    assert "전력 한도" in set(texts_of_sheet(opened(excel.render(run, KOREAN))["GPU"]))


def test_samples_of_a_slowed_down_gpu_are_coloured_and_its_clock_is_drawn() -> None:
    gpu = CLEAN.gpus[0]
    slowed = replace(gpu, throttled=tuple(place % 2 == 0 for place in range(len(gpu.at_s))), throttled_share=0.5)
    run = replace(CLEAN, gpus=(slowed,))
    samples = book_of(run)["GPU samples"]
    headings = [cell.value for cell in samples[4]]
    assert headings[-2:] == ["GPU 0: SM clock (MHz)", "GPU 0: Slowed down"]
    (rule,) = [rule for each in samples.conditional_formatting for rule in each.rules]
    assert rule.formula == ["G5>0"]
    assert "SM clock (MHz) over time" in [plot.title for plot in plots(excel.render(run, ENGLISH))]
    assert "SM clock (MHz) over time" not in [plot.title for plot in plots(excel.render(CLEAN, ENGLISH))]


# ---------------------------------------------------------------- the server


def test_the_server_is_told_at_each_step_in_numbers() -> None:
    rows = rows_of(trouble_book()["Server"], "ServerSteps")
    assert [(row["Step"], row["Told by"]) for row in rows] == [
        ("concurrency 50", "metrics page"),
        ("concurrency 100", "log"),
        ("rate 40/s", "metrics page"),
    ]
    assert (rows[0]["Waiting (most)"], rows[0]["Preemptions"], rows[0]["KV cache (most)"]) == (64, 37, 0.9943)
    assert rows[1]["TTFT mean (ms)"] is None, "its log does not tell it: an empty cell, never 0"


def test_a_disagreement_is_a_word_and_a_colour() -> None:
    sheet = trouble_book()["Server"]
    rows = rows_of(sheet, "Checks")
    assert [(row["Step"], row["Figure"], row["Agreement"]) for row in rows[:3]] == [
        ("concurrency 50", "Requests", "✖ disagree"),
        ("concurrency 50", "Output tokens", "✖ disagree"),
        ("concurrency 50", "TTFT mean (ms)", "✔ agree"),
    ]
    assert (rows[0]["Client"], rows[0]["Server"]) == (1702, 2110)
    assert rows[0]["Client less server"] == pytest.approx((1702 - 2110) / 2110)
    first, _, last = str(sheet.tables["Checks"].ref).partition(":")
    coloured = {str(each.sqref): [rule.formula[0] for rule in each.rules] for each in sheet.conditional_formatting}
    assert coloured == {
        f"B{int(first[1:]) + 1}:B{last[1:]}": ['"✔ agree"', '"✖ disagree"'],
    }


def test_a_difference_does_not_round_onto_its_tolerance() -> None:
    check = Check("requests", "", 1000.0, 949.98, 0.05)
    sheet = book_of(replace(CLEAN, steps=(replace(CLEAN.steps[0], checks=(check,)),)))["Server"]
    shown = [cell for row in sheet.iter_rows() for cell in row if cell.value == check.difference]
    assert [cell.number_format for cell in shown] == ["0.000%"]


def test_samples_have_both_sides_and_are_what_the_charts_refer_to() -> None:
    content = excel.render(CLEAN, ENGLISH)
    book = opened(content)
    rows = rows_of(book["Server samples"], "ServerSamples")
    assert CLEAN.server is not None
    assert [row["Waiting"] for row in rows] == list(CLEAN.server.waiting)
    drawn = {plot.title: plot for plot in plots(content)}
    names = [referred(book, name)[0] for name in drawn["Requests (count) over time"].series]
    assert names == ["Waiting", "Running", "Running and waiting", "In flight at the client"]
    assert {"KV cache (%) over time", "Output (tok/s) over time"} <= set(drawn)


def test_a_silence_of_the_server_is_empty_cells() -> None:
    rows = rows_of(trouble_book()["Server samples"], "ServerSamples")
    silent = [row for row in rows if 40 <= float(str(row["Time (s)"])) < 95]
    assert silent
    assert {row["Running"] for row in silent} == {row["KV cache in use"] for row in silent} == {None}


def test_an_hour_of_samples_keeps_its_peak() -> None:
    assert CLEAN.server is not None
    count = 3600
    peak = tuple(77.0 if place == 1801 else 0.0 for place in range(count))
    hour = replace(
        CLEAN.server,
        at_s=tuple(float(place) for place in range(count)),
        running=(5.0,) * count,
        waiting=peak,
        kv_cache_share=(0.5,) * count,
        output_tps=(None,) * count,
    )
    rows = rows_of(book_of(replace(CLEAN, server=hour))["Server samples"], "ServerSamples")
    assert len(rows) <= 1000
    assert max(float(str(row["Waiting"])) for row in rows) == 77


def test_a_server_that_told_only_counts_has_a_sheet_without_samples() -> None:
    book = book_of(replace(CLEAN, server=None))
    assert "Server" in book.sheetnames
    assert "Server samples" not in book.sheetnames


# ---------------------------------------------------------------- findings


def test_findings_say_at_which_step_they_were_seen() -> None:
    book = trouble_book()
    told = list(texts_of_sheet(book["Summary"]))
    place = told.index("requests at concurrency 50 (other traffic): client 1,702 requests, server 2,110 requests.")
    assert told[place + 1].startswith("The server had work that is not ours")
    assert told[place + 2] == "To do: Measure on a server that nobody else uses."
    rows = rows_of(book["Caveats"], "Remarks")
    places = {str(row["Subject"]): row["Where"] for row in rows if row["Kind"] == "finding"}
    assert places["preemptions (preemption)"] == "concurrency 50"
    assert places["framework_config.replicas"] == "the run"
