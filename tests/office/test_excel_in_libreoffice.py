"""Workbooks opened by LibreOffice without a window: they print, recalculate and run nothing."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from openpyxl import load_workbook

from llmload.reporters import excel
from llmload.reporters.texts import Language, texts_in
from tests.recorded_comparisons import ADVISED, REGRESSED, UNLIKE
from tests.recorded_runs import CLEAN, FROM_LOADTEST, TROUBLE
from tests.reporters.test_comparison import MIXED, NASTY
from tests.reporters.test_excel_requests import GOOD, failed

pytestmark = [pytest.mark.office, pytest.mark.timeout(300)]

_TIMEOUT_S = 120
EMPTY = replace(
    CLEAN,
    steps=(),
    gpus=(),
    server=None,
    timeline=None,
    recommendation=None,
    knee=None,
    target=None,
    finished=None,
)
RUNS = {
    "clean": CLEAN,
    "trouble": TROUBLE,
    "imported": FROM_LOADTEST,
    "regressed": REGRESSED,
    "advised": ADVISED,
    "unlike": UNLIKE,
    "empty": EMPTY,
}
_SERVED = ("570.124.06", "All GPUs at each step", "Client against server", "✔ agree", "Prompt")
Converted = Callable[[bytes, str], Path]


@pytest.fixture(scope="module", name="profile")
def _profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("libreoffice")


@pytest.fixture(name="converted")
def _converted(tmp_path: Path, profile: Path) -> Converted:
    """Write a workbook, let LibreOffice convert it, and give the file that it made."""
    office = shutil.which("soffice")
    assert office is not None, "install LibreOffice (soffice), or leave out `make test-office`"

    def convert(content: bytes, into: str) -> Path:
        source, target = tmp_path / "report.xlsx", tmp_path / "made"
        source.write_bytes(content)
        command = [office, f"-env:UserInstallation={profile.as_uri()}", "--headless", "--convert-to", into]
        process = subprocess.Popen(
            [*command, "--outdir", str(target), str(source)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            told, _ = process.communicate(timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        assert process.returncode == 0, told
        assert b"Error" not in told, told
        return target / f"report.{into}"

    return convert


def printed(path: Path) -> str:
    return subprocess.run(["pdftotext", "-layout", str(path), "-"], check=True, capture_output=True).stdout.decode()


def pages(path: Path) -> int:
    told = subprocess.run(["pdfinfo", str(path)], check=True, capture_output=True).stdout.decode()
    return int(re.findall(r"Pages:\s+(\d+)", told)[0])


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("name", RUNS)
def test_every_recorded_run_prints(name: str, language: Language, converted: Converted) -> None:
    texts, run = texts_in(language), RUNS[name]
    pdf = converted(excel.render(run, texts), "pdf")
    text = printed(pdf)
    assert pages(pdf) >= 3
    assert texts[f"status.{run.status.name.lower()}"] in text
    assert run.header.run_id in text
    assert "###" not in text, "a figure does not fit into its column"
    assert "Err:" not in text


def test_the_verdict_and_the_figures_are_on_paper(converted: Converted) -> None:
    text = printed(converted(excel.render(CLEAN, texts_in(Language.EN)), "pdf"))
    for told in (
        "Every gate holds.",
        "4,310",
        "98.9%",
        "5 × NVIDIA H100",
        "GPU-5f1c2a90",
        "Throughput and TTFT p95",
        *_SERVED,
    ):
        assert told in text
    assert "Page 1 of" in text


def test_hostile_text_is_printed_as_it_is(converted: Converted) -> None:
    text = printed(converted(excel.render(TROUBLE, texts_in(Language.EN)), "pdf"))
    assert "=cmd|'/c calc'!A1" in text
    assert "#NAME?" not in text


@pytest.mark.parametrize("into", ["ods", "xlsx"])
@pytest.mark.parametrize("name", ["clean", "trouble"])
def test_nothing_is_recalculated_into_an_error(name: str, into: str, converted: Converted) -> None:
    """What LibreOffice made of it is read back through its own xlsx."""
    first = converted(excel.render(RUNS[name], texts_in(Language.EN)), into)
    again = converted(first.read_bytes(), "xlsx") if into == "xlsx" else _from_ods(first, converted)
    theirs, ours = load_workbook(again), load_workbook(_written(name, again))
    assert theirs.sheetnames == ours.sheetnames
    for sheet in ours:
        for row in sheet.iter_rows():
            for cell in row:
                found = theirs[sheet.title][cell.coordinate]
                assert found.data_type != "f", cell.coordinate
                if isinstance(cell.value, float | int):
                    assert found.value == pytest.approx(cell.value, rel=1e-9), (sheet.title, cell.coordinate)
                if isinstance(cell.value, str):
                    assert not str(found.value).startswith(("Err:", "#")), cell.coordinate


def _from_ods(path: Path, converted: Converted) -> Path:
    return converted(path.read_bytes(), "xlsx")


def _written(name: str, beside: Path) -> Path:
    path = beside.with_name("ours.xlsx")
    path.write_bytes(excel.render(RUNS[name], texts_in(Language.EN)))
    return path


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("comparison", [MIXED, NASTY], ids=["mixed", "hostile"])
def test_a_comparison_prints(comparison: object, language: Language, converted: Converted) -> None:
    texts = texts_in(language)
    pdf = converted(excel.render_comparison(MIXED if comparison is MIXED else NASTY, texts), "pdf")
    assert texts["comparison.title"] in printed(pdf)
    assert pages(pdf) >= 2


def test_a_streamed_sheet_opens_like_any_other(converted: Converted) -> None:
    rows = [replace(GOOD, seq=seq) for seq in range(200)] + [failed("=1+1")]
    pdf = converted(excel.render_with_requests(EMPTY, texts_in(Language.EN), iter(rows)), "pdf")
    text = printed(pdf)
    assert "concurrency 8" in text
    assert "=1+1" in text
    assert "###" not in text
