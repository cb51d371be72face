"""report.xlsx read back: real numbers, native charts over the right cells, and nothing that calculates or links."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from openpyxl import Workbook

from llmload.domain import RunResult
from llmload.promises import At, Bound, Gate
from llmload.reporters import excel
from llmload.reporters.excel_cells import Figure, harmless, milliseconds, put, share
from llmload.reporters.texts import Language, texts_in
from llmload.verdict import Evidence, Status, Verdict
from tests.recorded_comparisons import ADVISED, REGRESSED, UNLIKE
from tests.recorded_runs import CLEAN, FROM_LOADTEST, TROUBLE
from tests.reporters.workbooks import opened, parts, plots, records, referred, texts_of, texts_of_sheet

ENGLISH = texts_in(Language.EN)
BARE = replace(
    CLEAN,
    steps=tuple(replace(step, gpu=None, server=None, checks=()) for step in CLEAN.steps),
    analyses=(),
    gpus=(),
    server=None,
    timeline=None,
    recommendation=None,
)
EMPTY = replace(BARE, steps=(), status=Status.ERROR, finished=None, because="nothing was measured", target=None)
HOSTILE_RUN = replace(
    TROUBLE,
    timeline=None,
    header=replace(
        TROUBLE.header, run_id="&F&[Path]=1", scenario="=1+1", created="=NOW()", labels={"＝1": "+1", "@a": "-1"}
    ),
    because="\t=1+1",
)
BARE_TROUBLE = tuple(replace(step, gpu=None, server=None, checks=()) for step in TROUBLE.steps)
RUNS = {
    "clean": CLEAN,
    "full of trouble and interrupted": TROUBLE,
    "imported": FROM_LOADTEST,
    "measured in turns": replace(REGRESSED, gpus=(), timeline=None),
    "against three runs": replace(ADVISED, gpus=(), timeline=None),
    "against none like it": replace(UNLIKE, gpus=(), timeline=None),
    "without a step": EMPTY,
    "hostile names": HOSTILE_RUN,
}
every_run = pytest.mark.parametrize("name", RUNS)


@cache
def written(name: str, language: Language = Language.EN) -> bytes:
    """The workbook of a recorded run, written once."""
    return excel.render(RUNS[name], texts_in(language))


@cache
def book_of(name: str, language: Language = Language.EN) -> Workbook:
    """The same, read once."""
    return opened(written(name, language))


# ---------------------------------------------------------------- nothing hostile


@pytest.mark.parametrize(
    ("name", "language"),
    [
        *((name, Language.EN) for name in RUNS),
        ("full of trouble and interrupted", Language.KO),
        ("hostile names", Language.KO),
    ],
)
def test_nothing_calculates_links_or_loads(name: str, language: Language) -> None:
    content = written(name, language)
    for file, part in parts(content).items():
        root = etree.fromstring(part)
        if file.startswith("xl/worksheets/sheet"):
            tags = {etree.QName(each).localname for each in root.iter(etree.Element)}
            assert not tags & {"f", "hyperlink", "oleObject", "legacyDrawing", "externalReference"}, file
        if file.endswith(".rels"):
            assert b'TargetMode="External"' not in part, file
    assert not [file for file in parts(content) if re.search(r"externalLink|vba|connections|query|ddeLink", file)]
    assert {cell.data_type for sheet in book_of(name, language) for row in sheet.iter_rows() for cell in row} <= {
        "s",
        "n",
        "d",
    }


def test_text_that_begins_like_a_formula_stays_text_when_somebody_edits_it() -> None:
    sheet = book_of("hostile names")["Summary"]
    assert (sheet["A1"].value, sheet["A1"].data_type, sheet["A1"].quotePrefix) == ("=1+1", "s", True)
    assert sheet["C2"].value == "=1+1."
    assert not book_of("clean")["Summary"]["A1"].quotePrefix


@given(st.text(max_size=60))
def test_any_text_is_written_as_one_harmless_line(text: str) -> None:
    cell = put(Workbook().create_sheet(), 1, 1, text)
    assert cell.data_type == ("s" if cell.value else "n")
    assert not [character for character in str(cell.value or "") if ord(character) < 32]


@pytest.mark.parametrize("text", ["=1", "＝1", "+1", "-1", "@a", "＠a", "\t=1", "\r=1", "#REF!", "12", "2026-01-01"])
def test_no_text_is_taken_for_anything_else(text: str) -> None:
    cell = put(Workbook().create_sheet(), 1, 1, text)
    assert (cell.data_type, cell.value) == ("s", text.strip())


def test_what_looks_like_an_escape_of_excel_is_shown_as_it_is() -> None:
    assert put(Workbook().create_sheet(), 1, 1, "_x000D_ and _x00_").value == "_x005F_x000D_ and _x00_"


def test_the_footer_takes_no_code_from_a_run_id() -> None:
    assert book_of("hostile names")["Summary"].oddFooter.left.text == "&&F&&Z=1"


def test_hostile_text_is_in_the_workbook_as_text() -> None:
    assert any("=cmd|'/c calc'!A1" in text for text in texts_of(book_of("full of trouble and interrupted")))


# ---------------------------------------------------------------- sheets


@pytest.mark.parametrize(
    ("run", "names"),
    [
        pytest.param(BARE, "Summary, Steps, Gates, Caveats, Config", id="figures alone"),
        pytest.param(replace(BARE, notices=()), "Summary, Steps, Gates, Config", id="nothing to remark"),
        pytest.param(
            CLEAN,
            "Summary, Steps, Gates, Caveats, GPU, Server, Recommendation, Analysis, Timeline, Config, GPU samples, "
            "Server samples",
            id="GPUs, a server and a recommendation",
        ),
        pytest.param(
            replace(TROUBLE, gpus=(), server=None, timeline=None, steps=BARE_TROUBLE),
            "Summary, Steps, Gates, Errors, Caveats, Recommendation, Analysis, Config",
            id="errors",
        ),
        pytest.param(replace(BARE, steps=()), "Summary, Steps, Gates, Caveats, Config", id="nothing measured"),
    ],
)
def test_a_run_has_the_sheets_that_it_has_something_for(run: RunResult, names: str) -> None:
    assert ", ".join(opened(excel.render(run, ENGLISH)).sheetnames) == names


def test_sheets_and_figures_are_named_in_korean() -> None:
    book = book_of("clean", Language.KO)
    assert book.sheetnames[:3] == ["요약", "단계", "게이트"]
    assert "출력 처리량 (tok/s)" in records(book["단계"])[0]
    assert book["요약"]["A2"].value == "✔ 통과"


def test_the_summary_begins_with_the_verdict_and_its_reason() -> None:
    book = book_of("clean")
    sheet = book["Summary"]
    assert (sheet["A1"].value, sheet["A2"].value, sheet["C2"].value) == ("quickstart", "✔ pass", "Every gate holds.")
    assert book.defined_names["Verdict"].attr_text == "'Summary'!$A$2"
    told = list(texts_of(book))
    assert "For DAU 400,000 and a peak of 500 concurrent users, qwen3-14b needs 5 × NVIDIA H100." in told
    knee = "The SLO holds for at least 95% of requests up to concurrency 120"
    assert f"{knee}; throughput stops growing, or goodput falls, at concurrency 160." in told


def test_loads_and_other_servers_are_numbers() -> None:
    sheet = book_of("clean")["Recommendation"]
    loads, others = (sheet[sheet.tables[name].ref] for name in ("Loads", "Alternatives"))
    assert [cell.value for cell in loads[-1][:4]] == [160, "broken", 800, 0.72125]
    assert [cell.value for cell in others[1][:4]] == ["NVIDIA L40S", 9, 9, 1]
    assert (others[1][6].value, others[2][6].value) == (1.1, None)


def test_what_a_model_wrote_is_text_in_every_cell() -> None:
    sheet = book_of("full of trouble and interrupted")["Analysis"]
    told = [cell for (cell,) in sheet["A3:A200"] if cell.value is not None]
    assert {cell.data_type for cell in told} == {"s"}
    assert any(str(cell.value).startswith("=cmd|") and cell.quotePrefix for cell in told)


def test_key_figures_are_numbers() -> None:
    sheet = book_of("clean")["Summary"]
    tiles = {sheet.cell(9, column).value: sheet.cell(10, column) for column in range(1, 13, 2)}
    assert {name: cell.value for name, cell in tiles.items()} == {
        "Highest load within the SLO": 120,
        "Saturation": 160,
        "Peak throughput (tok/s)": 4310,
        "TTFT p95 (ms)": 354,
        "Goodput": 791 / 800,
        "Requests": 2700,
    }
    assert tiles["Goodput"].number_format == "0.0%"


@every_run
def test_every_sheet_prints_on_landscape_pages_of_its_width(name: str) -> None:
    for sheet in book_of(name):
        assert (sheet.page_setup.orientation, sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight) == (
            "landscape",
            1,
            0,
        )
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert sheet.oddFooter.left.text == harmless(RUNS[name].header.run_id).replace("&", "&&").replace("[Path]", "Z")
        assert sheet.oddFooter.right.text == "Page &P of &N"
        if len(sheet.tables) == 1 and sheet.title not in ("Recommendation", "Server"):
            assert sheet.print_title_rows == "$4:$4"
            assert sheet.freeze_panes is not None
            assert sheet.freeze_panes.endswith("5")


def test_a_column_is_as_wide_as_its_widest_text_and_a_korean_letter_counts_twice() -> None:
    book = book_of("clean", Language.KO)
    assert book["단계"].column_dimensions["A"].width == len("동시성 160") + len("동시성") + 3


@pytest.mark.parametrize("language", Language)
def test_tables_are_as_excel_wants_them(language: Language) -> None:
    """It offers to repair a file whose headings differ from those of its table, or whose names are told twice."""
    book = book_of("clean", language)
    tables = [(sheet, table) for sheet in book for table in sheet.tables.values()]
    names = [table.displayName.lower() for _, table in tables]
    assert len({*names, *(name.lower() for name in book.defined_names)}) == len(names) + len(book.defined_names)
    for sheet, table in tables:
        headings = [str(cell.value) for cell in sheet[table.ref][0]]
        assert headings == [column.name for column in table.tableColumns]
        assert len({heading.lower() for heading in headings}) == len(headings)
        assert len(sheet.title) <= 31


# ---------------------------------------------------------------- steps


def test_a_step_is_told_in_numbers_with_formats() -> None:
    sheet = book_of("clean")["Steps"]
    heading = {cell.value: cell.column_letter for cell in sheet[4]}
    first = {name: sheet[f"{letter}5"] for name, letter in heading.items()}
    for name, value, number_format in (
        ("Concurrency (requests in flight)", 1, "#,##0"),
        ("Output throughput (tok/s)", 118.4, "#,##0"),
        ("Goodput", 1, "0.0%"),
        ("Low", 0.9705, "0.0%"),
        ("TTFT p50 (ms)", 18.25, "#,##0.0"),
        ("TPOT p50 (ms)", 8.12, "#,##0.00"),
        ("E2E p99 (ms)", CLEAN.steps[0].metrics.latency["e2e"].p99_ms, "#,##0"),
    ):
        assert (first[name].value, first[name].number_format) == (value, number_format), name


def test_a_missing_value_is_an_empty_cell_and_never_zero() -> None:
    dead = records(book_of("full of trouble and interrupted")["Steps"])[2]
    assert dead["TTFT p95 (ms)"] is dead["Output throughput (tok/s)"] is dead["E2E p99 (ms)"] is None
    assert (dead["Requests"], dead["Completed"], dead["Errors"], dead["Goodput"]) == (64, 0, 1, 0)


@pytest.mark.parametrize(
    ("figure", "shown"),
    [
        pytest.param(share(0.94996, 0.95), "0.000%", id="more digits where it would round onto the target"),
        pytest.param(share(0.95, 0.95), "0.0%", id="exactly the target"),
        pytest.param(share(0.99996), "0.000%", id="never rounded to 100 %"),
        pytest.param(milliseconds(500.3, 500), "#,##0.0", id="over a limit by a little"),
        pytest.param(milliseconds(1234.5), "#,##0", id="no digits that say nothing"),
    ],
)
def test_a_format_never_rounds_onto_a_limit(figure: Figure | None, shown: str) -> None:
    assert figure is not None
    assert figure.number_format == shown


def test_colours_follow_the_cells_of_goodput_target_and_slo() -> None:
    sheet = book_of("clean")["Steps"]
    heading = {cell.value: cell.column_letter for cell in sheet[4]}
    rules = {str(each.sqref): list(each.rules) for each in sheet.conditional_formatting}
    goodput, target = heading["Goodput"], heading["Goodput target"]
    told = [rule.formula[0] for rule in rules[f"{goodput}5:{goodput}10"]]
    assert f"AND(ISNUMBER(${goodput}5),NOT(${goodput}5>=${target}5))" in told
    p95, slo = heading["TTFT p95 (ms)"], heading["SLO TTFT (ms)"]
    (over,) = rules[f"{p95}5:{p95}10"]
    assert over.formula == [f"AND(ISNUMBER({p95}5),{p95}5>${slo}5)"]
    assert over.dxf.font.b, "shown without colour too"
    words = {rule.formula[0] for rule in rules["B5:B10"]}
    assert {'"✔ pass"', '"✖ fail"', '"! could not measure"'} <= words


def test_gates_show_observed_target_and_interval_as_numbers() -> None:
    sheet = book_of("full of trouble and interrupted")["Gates"]
    rows = records(sheet)
    assert [row["Verdict"] for row in rows[:2]] == ["✖ fail", "✖ fail"]
    first = {cell.value: sheet.cell(5, cell.column) for cell in sheet[4]}
    assert (first["Observed"].value, first["Observed"].number_format) == (1451 / 1600, "0.0%")
    assert (first["Target"].value, first["Target"].number_format) == (0.95, '">= "0.0%')
    assert (first["Low"].value, first["High"].value, first["n"].value) == (0.8812, 0.9274, 1600)
    nothing = next(row for row in rows if row["Step"] == "concurrency 100")
    assert nothing["Observed"] is None


def test_a_relative_gate_says_worse_or_better_by_its_format() -> None:
    sheet = book_of("measured in turns")["Gates"]
    observed = next(cell for cell in sheet[4] if cell.value == "Observed")
    cell = sheet.cell(5, observed.column)
    assert (cell.value, cell.number_format) == (0.0824, '0.0%" worse";0.0%" better";"no change"')


def test_steps_of_several_axes_are_told_apart_by_their_labels() -> None:
    content = written("full of trouble and interrupted")
    (labels,) = {
        tuple(referred(book_of("full of trouble and interrupted"), each))
        for plot in plots(content)
        for each in plot.every("//c:cat//c:f/text()")
    }
    assert labels == ("concurrency 1", "concurrency 50", "concurrency 100", "rate 40/s")


# ---------------------------------------------------------------- charts


def test_charts_refer_to_the_cells_of_their_figures() -> None:
    book, found = book_of("clean"), plots(written("clean"))
    throughput = found[0]
    told = {str(referred(book, name)[0]): referred(book, cells) for name, cells in throughput.series.items()}
    assert told == {
        "Output throughput (tok/s)": [118.4, 842.75, 2604, 3705, 4310, 4236],
        "TTFT p95 (ms)": [27.375, 37.35, 91.5, 177, 354, 645],
        "SLO TTFT (ms)": [500] * 6,
    }
    assert throughput.every("//c:valAx/c:axId/@val") == ["100", "200"], "two y axes"
    assert found[1].every("//c:errBars//c:f/text()"), "goodput has its interval"
    assert len(found) == 2 + 3 + 4 + 3 + 1 + 3, "summary, steps, GPUs, server, capacity, timeline"


@every_run
def test_every_chart_leaves_gaps_shows_its_axes_and_names_their_units(name: str) -> None:
    content = written(name)
    for plot in plots(content):
        assert plot.every("//c:dispBlanksAs/@val") == ["gap"]
        shown = plot.every("//c:plotArea/*[c:axId][c:crossAx][c:delete/@val='0']/c:axId/@val")
        assert len(shown) == len(plot.axes), plot.title
        assert any(re.search(r"\(.+\)|Load|GPUs|Concurrency|Requests", title) for title in plot.axes)
        assert plot.every("//c:ser//c:f/text()")


@every_run
def test_what_a_chart_keeps_of_its_cells_is_what_they_hold(name: str) -> None:
    content, book = written(name), book_of(name)
    for plot in plots(content):
        for reference in plot.xml.iter("{*}numRef"):
            cells = referred(book, reference.findtext("{*}f") or "")
            kept = {int(point.get("idx")): float(point.findtext("{*}v")) for point in reference.iter("{*}pt")}
            assert kept == {place: value for place, value in enumerate(cells) if value is not None}


def test_error_bars_are_in_the_order_of_the_standard() -> None:
    (bars,) = plots(written("clean"))[1].xml.iter("{*}errBars")
    assert [etree.QName(each).localname for each in bars][:6] == [
        "errDir",
        "errBarType",
        "errValType",
        "noEndCap",
        "plus",
        "minus",
    ]


def test_many_samples_of_a_gpu_are_taken_together() -> None:
    gpu = replace(
        CLEAN.gpus[0],
        at_s=tuple(float(at) for at in range(3600)),
        utilisation=(0.5,) * 3600,
        memory_bytes=(*(2**30,) * 3599, 2**33),
        temperature_c=(None,) * 3600,
        power_w=(300.0,) * 3600,
    )
    sheet = opened(excel.render(replace(BARE, gpus=(gpu,)), ENGLISH))["GPU samples"]
    values = list(sheet.iter_rows(min_row=5, max_col=5, values_only=True))
    assert len(values) == 900
    assert (values[-1][1], values[-1][2], values[-1][3]) == (0.5, 8, None), "the mean, the peak, and nothing"


# ---------------------------------------------------------------- the same as in every other report


def test_in_open_loop_the_slo_is_held_against_ttft_since_due() -> None:
    run = replace(BARE, steps=(TROUBLE.steps[-1],), slo=TROUBLE.slo, knee=None)
    content = excel.render(run, ENGLISH)
    drawn = [name for plot in plots(content) for name in plot.series if "TTFT" in referred(opened(content), name)[0]]
    assert {referred(opened(content), name)[0] for name in drawn} >= {"TTFT since due p95 (ms)", "SLO TTFT (ms)"}
    assert "TTFT p95 (ms)" not in {referred(opened(content), name)[0] for name in drawn}
    assert "TTFT since due p95 (ms)" in set(texts_of_sheet(opened(content)["Summary"]))


def test_each_step_has_the_goodput_target_of_its_own_gate() -> None:
    gate = Gate("goodput", Bound(">=", 0.9), at=At("concurrency", ">=", 160))
    last = BARE.steps[-1]
    verdict = Verdict(gate, last.step.label, Status.FAIL, "less", "more")
    run = replace(BARE, steps=(*BARE.steps[:-1], replace(last, verdicts=(verdict,))))
    rows = records(opened(excel.render(run, ENGLISH))["Steps"])
    assert [row["Goodput target"] for row in rows][-2:] == [0.95, 0.9]


def test_a_change_does_not_round_onto_its_limit() -> None:
    (step,) = REGRESSED.steps
    beyond = replace(step.verdicts[0], evidence=Evidence(0.0504, 0.05, 0.05002, 0.06, 12, 1.0, None, 0.95, 1))
    run = replace(REGRESSED, steps=(replace(step, verdicts=(beyond,)),))
    sheet = opened(excel.render(run, ENGLISH))["Gates"]
    shown = {cell.value: cell.number_format for row in sheet.iter_rows() for cell in row}
    assert (shown[0.0504], shown[0.05002]) == (
        '0.00%" worse";0.00%" better";"no change"',
        '0.000%" worse";0.000%" better";"no change"',
    )


def test_text_that_looks_like_an_escape_is_escaped_once() -> None:
    caveat = replace(TROUBLE.caveats[0], remedy="_x000D_")
    run = replace(BARE, caveats=(caveat,), header=replace(BARE.header, scenario="_x000D_"))
    content = excel.render(run, ENGLISH)
    assert b"_x005F_x005F_" not in b"".join(parts(content).values())
    assert opened(content).properties.title == "Load test: _x000D_"


# ---------------------------------------------------------------- the document


def test_dates_are_dates_and_the_document_is_as_old_as_its_run() -> None:
    book = book_of("clean")
    told = {row["Name"]: row["Value"] for row in records(book["Config"])}
    assert told["created"] == datetime(2026, 3, 1, 9, 30)
    assert book.properties.created == datetime(2026, 3, 1, 9, 30)
    assert book.properties.modified == datetime(2026, 3, 1, 9, 34, 31)
    assert book.properties.title == "Load test: quickstart"


def test_a_date_that_is_none_stays_text() -> None:
    run = replace(BARE, header=replace(CLEAN.header, created="2026-02-31T00:00:00Z"))
    told = {row["Name"]: row["Value"] for row in records(opened(excel.render(run, ENGLISH))["Config"])}
    assert told["created"] == "2026-02-31T00:00:00Z"


def test_the_resolved_scenario_is_told_line_by_line() -> None:
    resolved = '{"spec":{"gates":[{"assert":"=x"}],"load":{"concurrency":[1,8]},"warm":true}}'
    run = replace(BARE, header=replace(CLEAN.header, resolved=resolved))
    told = {row["Name"]: row["Value"] for row in records(opened(excel.render(run, ENGLISH))["Config"])}
    assert told["scenario: spec.gates[0].assert"] == "=x"
    assert told["scenario: spec.load.concurrency"] == "1, 8"
    assert told["scenario: spec.warm"] == "true"


def test_caveats_findings_and_notices_have_a_sheet_of_their_own() -> None:
    rows = records(book_of("full of trouble and interrupted")["Caveats"])
    assert rows[0]["Kind"] == "spoils the step"
    assert {row["Kind"] for row in rows} == {"spoils the step", "caveat", "finding", "notice"}


def test_foreign_text_stays_out_of_charts() -> None:
    content = written("full of trouble and interrupted")
    assert any("alert(1)" in text for text in texts_of(book_of("full of trouble and interrupted")))
    assert not [name for name, part in parts(content).items() if "charts/" in name and b"alert" in part]
