"""`llmload report` as a user calls it: one run, several runs, and every way to ask for it wrongly."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import openpyxl
import pytest

from llmload.store.database import open_store
from tests.cli.stored_runs import DOWN, put_run, run_id_of, scenario_of, whole
from tests.cli.watching import wait_for
from tests.command import LLMLOAD, here, llmload, start
from tests.recorded_runs import FROM_LOADTEST
from tests.store.observations import window

FIRST, DOWN_ID, CUT_SHORT, ONLY_JSON, UNREPORTED, ELSEWHERE = (run_id_of(number) for number in range(7, 13))
OLD = FROM_LOADTEST.header.run_id
ALL = ("report.md", "report.html", "junit.xml", "report.xlsx", "steps.csv", "result.json")
"""Files of a run whose scenario names no format; pictures lie beside report.md."""


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of every kind of run that reports are asked for."""
    folder = tmp_path_factory.mktemp("stored")
    with open_store(folder / "llmload.db") as store:
        put_run(store, 7, scenario_of(), whole())
        put_run(store, 8, scenario_of("down"), [], trouble=DOWN)
        put_run(store, 9, scenario_of("cut-short"), whole()[:1], status="interrupted")
        put_run(store, 10, scenario_of("only-json", more="  reports: {formats: [json]}\n"), whole())
        put_run(store, 11, scenario_of("unreported", more="  reports: {formats: []}\n"), whole())
        put_run(store, 12, scenario_of("elsewhere", load="[32]"), [window(5, requests=300)])
        store.take_in(FROM_LOADTEST)
    return folder


def written(directory: Path) -> set[str]:
    """Names of the reports, without the pictures that lie beside them."""
    return {path.name for path in directory.iterdir() if path.suffix != ".svg"}


# ---------------------------------------------------------------- one run


@pytest.mark.parametrize(
    ("run", "scenario", "files"),
    [
        pytest.param(FIRST, "chat", set(ALL), id="a scenario that names none"),
        pytest.param(DOWN_ID, "down", set(ALL), id="a run whose server was down"),
        pytest.param(CUT_SHORT, "cut-short", set(ALL), id="an interrupted run"),
        pytest.param(ONLY_JSON, "only-json", {"result.json"}, id="a scenario that asks for json"),
        pytest.param(FROM_LOADTEST.header.run_id, FROM_LOADTEST.header.scenario, set(ALL), id="an imported run"),
    ],
)
def test_a_run_is_reported_as_its_scenario_asks(
    stored: Path, tmp_path: Path, run: str, scenario: str, files: set[str]
) -> None:
    told = here("report", run, "--out", str(tmp_path), cwd=stored)
    assert told.returncode == 0, told.stderr
    assert written(tmp_path / scenario) == files
    assert {Path(line) for line in told.stdout.splitlines()} == set((tmp_path / scenario).iterdir())
    assert json.loads((tmp_path / scenario / "result.json").read_bytes())["run_id"] == run


def test_formats_are_known_by_their_short_names_and_written_once(stored: Path, tmp_path: Path) -> None:
    told = here("report", FIRST, "--format", "md", "--format", "markdown", "--out", str(tmp_path), cwd=stored)
    assert written(tmp_path / "chat") == {"report.md"}
    assert told.stdout.splitlines()[0] == str(tmp_path / "chat" / "report.md")


def test_strict_junit_is_without_the_line_of_a_gate(stored: Path, tmp_path: Path) -> None:
    for flavor, has_line in (("standard", True), ("strict", False)):
        options = ["--format", "junit", "--junit-flavor", flavor, "--out", str(tmp_path)]
        assert here("report", FIRST, *options, cwd=stored).returncode == 0
        assert (' line="' in (tmp_path / "chat" / "junit.xml").read_text()) is has_line


def test_reports_speak_the_language_that_is_asked_for(stored: Path, tmp_path: Path) -> None:
    options = ["--format", "markdown", "--out", str(tmp_path)]
    for language, heading in (("ko", "## 게이트"), ("en", "## Gates")):
        told = here("report", FIRST, *options, cwd=stored, env={"LLMLOAD_LANG": language})
        assert told.returncode == 0, told.stderr
        assert heading in (tmp_path / "chat" / "report.md").read_text(encoding="utf-8")


def test_every_request_is_a_row_where_it_is_asked_for(stored: Path, tmp_path: Path) -> None:
    told = here("report", FIRST, "--format", "xlsx", "--requests", "--out", str(tmp_path), cwd=stored)
    assert told.returncode == 0, told.stderr
    book = openpyxl.load_workbook(tmp_path / "chat" / "report.xlsx", read_only=True)
    sheet = book["Requests"]
    sheet.reset_dimensions()  # rows are streamed in behind the dimension that the sheet declares
    assert sum(1 for _ in sheet.iter_rows(max_col=1)) > 600, "two steps of 300 requests"
    book.close()


# ---------------------------------------------------------------- several runs


def test_several_runs_are_compared(stored: Path, tmp_path: Path) -> None:
    told = here("report", FIRST, ONLY_JSON, "--out", str(tmp_path / "both"), cwd=stored)
    assert told.returncode == 0, told.stderr
    assert written(tmp_path / "both") == {"comparison.md", "comparison.html", "comparison.xlsx", "comparison.json"}
    document = json.loads((tmp_path / "both" / "comparison.json").read_bytes())
    assert [run["run_id"] for run in document["runs"]] == [FIRST, ONLY_JSON]


def test_a_result_file_is_compared_with_a_run_of_the_store(stored: Path, tmp_path: Path) -> None:
    here("report", FIRST, "--format", "json", "--out", str(tmp_path), cwd=stored)
    store = ["--store", str(stored / "llmload.db")]
    told = here("report", "chat/result.json", ONLY_JSON, "--format", "json", *store, cwd=tmp_path)
    assert told.stdout.splitlines() == ["reports/comparison/comparison.json"], told.stderr


def test_a_comparison_speaks_the_language_that_is_asked_for(stored: Path, tmp_path: Path) -> None:
    options = ["--format", "markdown", "--lang", "ko", "--out", str(tmp_path)]
    assert here("report", FIRST, ONLY_JSON, *options, cwd=stored).returncode == 0
    assert (tmp_path / "comparison.md").read_text(encoding="utf-8").startswith("# 실행 비교\n")


# ---------------------------------------------------------------- runs that lack windows


def test_the_report_of_a_run_that_was_stopped_says_so_and_how_it_goes_on(stored: Path, tmp_path: Path) -> None:
    for lang, said in (("en", "the run is not complete"), ("ko", "실행이 완료되지 않음")):
        options = ["--format", "md", "--lang", lang, "--out", str(tmp_path)]
        assert here("report", CUT_SHORT, *options, cwd=stored).returncode == 0
        told = (tmp_path / "cut-short" / "report.md").read_text(encoding="utf-8")
        assert said in told
        assert f"--resume {CUT_SHORT}\\`" in told, "to be copied without the full stop"


# ---------------------------------------------------------------- asked wrongly


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param(["2027"], 2, "no such run in llmload.db. `llmload runs` lists them", id="unknown run"),
        pytest.param([FIRST, "--store", "none.db"], 2, "none.db: there is no store here", id="no store"),
        pytest.param([FIRST, "--format", "pdf"], 2, "--format pdf: is not a format. Choose one of:", id="pdf"),
        pytest.param([FIRST, "--lang", "fr"], 2, "--lang: 'fr' is no language of reports. Use one of: en, ko", id="fr"),
        pytest.param([FIRST, "--format", "csv", "--requests"], 2, "is a sheet of excel", id="requests without excel"),
        pytest.param([OLD, "--format", "excel", "--requests"], 2, "was imported, and has none", id="imported requests"),
        pytest.param([FIRST, CUT_SHORT, "--requests"], 2, "several are named", id="requests of two"),
        pytest.param(
            [FIRST, "--format", "md", "--junit-flavor", "strict"], 2, "Add --format junit", id="strict nothing"
        ),
        pytest.param([FIRST, CUT_SHORT, "--junit-flavor", "strict"], 2, "tells of one run", id="strict junit of two"),
        pytest.param(["./result.json"], 2, "reports of one run are made from the store", id="one file alone"),
        pytest.param([UNREPORTED], 2, "its scenario asks for no report. Name one: --format", id="no formats at all"),
        pytest.param([FIRST, "--out", "llmload.db"], 5, "cannot be written (Not a directory)", id="a file in the way"),
        pytest.param([FIRST, CUT_SHORT, "--format", "junit"], 2, "tells of the gates of one run", id="junit of two"),
        pytest.param([FIRST, CUT_SHORT, "--format", "csv"], 2, "has the steps of one run", id="csv of two"),
        pytest.param([FIRST, ELSEWHERE], 2, "no other run has a step of the first one", id="strangers"),
        pytest.param([FIRST, "2027"], 2, "no such run", id="one of two unknown"),
        pytest.param([FIRST, "no/result.json"], 2, "no/result.json", id="a file that is not there"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(stored: Path, arguments: list[str], code: int, said: str) -> None:
    before = sorted(stored.rglob("*"))
    told = here("report", *arguments, cwd=stored)
    assert (told.returncode, told.stdout) == (code, ""), told.stderr
    assert said in told.stderr
    assert "Traceback" not in told.stderr
    assert sorted(stored.rglob("*")) == before


def test_two_reports_at_once_into_one_directory_both_end_well(stored: Path, tmp_path: Path) -> None:
    options = ["--format", "json", "--format", "csv", "--out", str(tmp_path)]
    both = [start("report", FIRST, *options, cwd=stored) for _ in range(2)]
    endings = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], endings
    assert written(tmp_path / "chat") == {"result.json", "steps.csv"}


# ---------------------------------------------------------------- shown


def test_nobody_who_reads_the_paths_is_no_defect_of_ours(stored: Path, tmp_path: Path) -> None:
    command = [LLMLOAD, "report", FIRST, "--format", "csv", "--out", str(tmp_path)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, cwd=stored, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, written(tmp_path / "chat")) == (0, {"steps.csv"})
    assert done.stderr == "llmload: the output cannot be written (No space left on device)\n"


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-"])
def test_a_closed_output_is_no_defect_of_ours(stored: Path, tmp_path: Path, closed: str) -> None:
    command = f'"$0" report {FIRST} --format csv --out "$1" {closed}'
    ended = subprocess.run(["sh", "-c", command, LLMLOAD, str(tmp_path)], cwd=stored, check=False)
    assert (ended.returncode, written(tmp_path / "chat")) == (0, {"steps.csv"})


def test_a_path_is_one_line_whatever_is_in_it(stored: Path, tmp_path: Path) -> None:
    odd = tmp_path / "한글 a\nb\x1b[31m"
    told = here("report", FIRST, "--format", "csv", "--out", str(odd), cwd=stored)
    assert told.stdout == f"{str(odd / 'chat' / 'steps.csv')!r}\n"


def test_a_report_is_opened_where_there_is_a_display(stored: Path, tmp_path: Path) -> None:
    opener = tmp_path / "bin" / "xdg-open"
    opener.parent.mkdir()
    opener.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened.part\nmv {tmp_path}/opened.part {tmp_path}/opened\n')
    opener.chmod(0o755)
    env = {"PATH": f"{opener.parent}{os.pathsep}{os.environ['PATH']}", "DISPLAY": ":0"}
    told = llmload("report", FIRST, "--format", "csv", "--open", "--out", str(tmp_path), cwd=stored, env=env)
    assert told.returncode == 0, told.stderr
    wait_for((tmp_path / "opened").exists)
    assert (tmp_path / "opened").read_text() == f"{tmp_path}/chat/steps.csv\n"


@pytest.mark.parametrize(
    ("env", "why"),
    [
        pytest.param({"DISPLAY": "", "WAYLAND_DISPLAY": ""}, "there is no display", id="no display"),
        pytest.param({"DISPLAY": ":0", "PATH": "/nonexistent"}, "nothing here opens such files", id="no opener"),
    ],
)
def test_a_report_that_cannot_be_opened_is_written_all_the_same(
    stored: Path, tmp_path: Path, env: dict[str, str], why: str
) -> None:
    told = here("report", FIRST, "--format", "csv", "--open", "--out", str(tmp_path), cwd=stored, env=env)
    assert (told.returncode, told.stdout) == (0, f"{tmp_path}/chat/steps.csv\n")
    assert f"steps.csv is not opened: {why}. Open it by hand" in told.stderr
