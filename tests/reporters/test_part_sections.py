"""Classes and turns in reports: figures of their own, nothing where there are none, and names that do nothing."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from llmload.domain import RunResult, StepMetrics
from llmload.promises import Slo
from llmload.reporters import excel, html, markdown, parts_csv
from llmload.reporters.figures import MISSING
from llmload.reporters.part_sections import cached_share, mean_input_tokens, part_tables
from llmload.reporters.texts import Language, texts_in
from tests.recorded_runs import CLEAN, HOSTILE, TALKS
from tests.recorded_steps import metrics_of
from tests.reporters.workbooks import opened

ENGLISH = texts_in(Language.EN)
METRICS = replace(metrics_of(10, 20.0, 5.0, 100.0), input_tokens=4000, cached_tokens=1000)


def untold(run: RunResult) -> RunResult:
    """The same of a server that tells nothing of its cache."""
    steps = [
        replace(
            step, parts=tuple(replace(part, metrics=replace(part.metrics, cached_tokens=None)) for part in step.parts)
        )
        for step in run.steps
    ]
    return replace(run, steps=tuple(steps))


def test_traffic_without_parts_has_no_table() -> None:
    assert part_tables(CLEAN, ENGLISH) == []
    assert "By class" not in markdown.render(CLEAN, ENGLISH)["report.md"].decode()


def test_classes_and_turns_have_a_table_each() -> None:
    classes, turns = part_tables(TALKS, ENGLISH)
    assert (classes.axis, [row[1] for row in classes.table.rows]) == ("class", ["chat", "rag", HOSTILE, "chat", "rag"])
    assert (turns.axis, [row[1] for row in turns.table.rows]) == ("turn", ["1", "2", "3"])
    assert dict(zip(turns.table.columns, turns.table.rows[1], strict=True)) == {
        "Step": "concurrency 8",
        "Turn": "2",
        "Requests": "70",
        "Errors": "0%",
        "Goodput": "100% (95.81% to 100%)",
        "TTFT ms p50 / p95": "19.5 / 29.2",
        "TPOT ms p50 / p95": "8.90 / 13.3",
        "E2E ms p95": "1,738",
        "Input tokens (mean)": "700",
        "Cached input": "50%",
    }
    assert classes.table.rows[2][2:] == ("40", "100%", "0% (0% to 5%)", *[MISSING] * 5)


def test_classes_with_slos_of_their_own_say_by_what_each_is_good() -> None:
    promised = replace(TALKS, slo=Slo(e2e_ms=10_000), slo_by_class={"chat": Slo(ttft_ms=400, tpot_ms=40)})
    classes, turns = part_tables(promised, ENGLISH)
    place = classes.table.columns.index("SLO")
    assert [row[place] for row in classes.table.rows] == [
        *("TTFT 400ms, TPOT 40ms", "E2E 10s"),
        *("E2E 10s", "TTFT 400ms, TPOT 40ms", "E2E 10s"),
    ]
    assert place in classes.table.words
    assert "SLO" not in turns.table.columns
    assert "SLO" not in part_tables(TALKS, ENGLISH)[0].table.columns
    assert "TTFT 400ms, TPOT 40ms" in html.render(promised, ENGLISH).decode()


def test_a_cache_of_which_no_server_tells_has_no_column() -> None:
    for each in part_tables(untold(TALKS), ENGLISH):
        assert "Cached input" not in each.table.columns


@pytest.mark.parametrize(
    ("metrics", "mean", "cached"),
    [
        pytest.param(METRICS, 400.0, 0.25, id="both told"),
        pytest.param(replace(METRICS, cached_tokens=0), 400.0, 0.0, id="nothing from the cache"),
        pytest.param(replace(METRICS, cached_tokens=None), 400.0, None, id="nothing told of the cache"),
        pytest.param(replace(METRICS, total_tps=None), None, None, id="input not counted"),
        pytest.param(replace(METRICS, ok=0, input_tokens=0, total_tps=None), None, None, id="none completed"),
        pytest.param(replace(METRICS, cached_tokens=9000), 400.0, 1.0, id="a server that claims too much"),
    ],
)
def test_a_figure_of_input_tokens_that_could_not_be_had_is_none(
    metrics: StepMetrics, mean: float | None, cached: float | None
) -> None:
    assert (mean_input_tokens(metrics), cached_share(metrics)) == (mean, cached)


@pytest.mark.parametrize("language", [Language.EN, Language.KO], ids=["English", "Korean"])
def test_a_hostile_name_of_a_class_does_nothing_on_a_page(language: Language) -> None:
    texts = texts_in(language)
    page = html.render(TALKS, texts).decode()
    assert texts["parts.by_class"] in page
    assert texts["parts.by_turn"] in page
    assert "<script>alert" not in page
    assert "<script>" not in markdown.render(TALKS, texts)["report.md"].decode()


def test_the_workbook_has_a_sheet_of_numbers_for_them() -> None:
    assert "Classes and turns" not in opened(excel.render(CLEAN, ENGLISH)).sheetnames
    sheet = opened(excel.render(TALKS, ENGLISH))["Classes and turns"]
    heading = [cell.value for cell in sheet[4]]
    rows = [dict(zip(heading, (cell.value for cell in row), strict=True)) for row in sheet.iter_rows(min_row=5)]
    assert [(row["Class"], row["Turn"]) for row in rows if row["Step"] == "concurrency 8"] == [
        ("chat", None),
        ("rag", None),
        (None, 1),
        (None, 2),
        (None, 3),
    ]
    rag, failing = rows[1], rows[2]
    assert (rag["Requests"], rag["Input tokens (mean)"], rag["TTFT p95 (ms)"]) == (60, 3900, 111.75)
    assert rag["Cached input"] == pytest.approx(2048 / 3900)
    assert (failing["Errors"], failing["TTFT p50 (ms)"], failing["Cached input"]) == (1, None, None)
    assert failing["Class"].startswith("=cmd|'/c calc'!A1 <script>")


def test_parts_csv_has_empty_cells_for_missing_figures_and_no_formula() -> None:
    rows = list(csv.DictReader(io.StringIO(parts_csv.render(TALKS).decode())))
    assert [(row["By"], row["Part"]) for row in rows[:5]] == [
        ("class", "chat"),
        ("class", "rag"),
        ("turn", "1"),
        ("turn", "2"),
        ("turn", "3"),
    ]
    assert (rows[3]["Input Tokens (mean)"], rows[3]["Cached Input (%)"]) == ("700", "50")
    failing = rows[5]
    assert not failing["Part"].startswith("=")
    assert (failing["TTFT p50 (ms)"], failing["Cached Input (%)"], failing["Errors"]) == ("", "", "HTTP_503: 40")
    assert parts_csv.render(CLEAN).decode().splitlines() == [",".join(parts_csv.HEADERS)]
