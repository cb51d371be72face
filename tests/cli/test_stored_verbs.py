"""The verbs that read the store, as a user calls them, on a store filled without any load."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from llmload.store.database import open_store
from tests.cli.stored_runs import DOWN, document_of, put_run, run_id_of, scenario_of, whole
from tests.command import LLMLOAD, here

FIRST, SECOND = run_id_of(7), run_id_of(8)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of two runs: one that passes, and one whose server was down."""
    folder = tmp_path_factory.mktemp("stored")
    with open_store(folder / "llmload.db") as store:
        put_run(store, 7, scenario_of(), whole())
        put_run(store, 8, scenario_of("down"), [], trouble=DOWN)
    return folder


def test_runs_are_listed_newest_first(stored: Path) -> None:
    told = here("runs", cwd=stored)
    assert told.returncode == 0, told.stderr
    heading, newest, oldest = told.stdout.splitlines()
    assert heading.split() == ["run", "scenario", "status", "verdict", "goodput", "framework", "model"]
    assert newest.split() == [SECOND, "down", "finished", "error"]
    assert oldest.split() == [FIRST, "chat", "finished", "pass", "100.0%", "vllm", "qwen3-14b"]


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        pytest.param([], [SECOND, FIRST], id="all"),
        pytest.param(["--scenario", "chat"], [FIRST], id="of one scenario"),
        pytest.param(["--limit", "1"], [SECOND], id="the newest"),
        pytest.param(["--scenario", "none"], [], id="of no scenario"),
    ],
)
def test_runs_as_json_are_an_array(stored: Path, options: list[str], ids: list[str]) -> None:
    told = json.loads(here("runs", "--json", *options, cwd=stored).stdout)
    assert [run["run_id"] for run in told] == ids
    wanted = {"run_id", "scenario", "created", "status", "verdict", "framework", "model", "goodput"}
    assert all(wanted <= run.keys() for run in told)


def test_show_tells_the_run_again(stored: Path) -> None:
    told = here("show", FIRST, cwd=stored)
    assert told.returncode == 0, told.stderr
    assert "goodput >= 90%" in told.stdout
    assert "PASS chat" in told.stdout


def test_show_as_json_is_what_the_run_reported(stored: Path) -> None:
    shown, exported = (
        here("show", FIRST, "--json", cwd=stored),
        here("export", FIRST, "--format=json", cwd=stored),
    )
    assert shown.stdout == exported.stdout
    document = json.loads(shown.stdout)
    assert (document["run_id"], document["verdict"], document["exit_code"]) == (FIRST, "pass", 0)


@pytest.mark.parametrize(
    ("run", "gate", "code"),
    [
        pytest.param(FIRST, None, 0, id="kept"),
        pytest.param(FIRST, "p95(ttft) <= 100ms", 3, id="broken by stricter gates"),
        pytest.param(FIRST, "p99.9(ttft) <= 100ms", 2, id="gates that cannot be read"),
        pytest.param("latest", None, 5, id="server was down"),
    ],
)
def test_gate_judges_again_and_exits_with_the_verdict(
    stored: Path, tmp_path: Path, run: str, gate: str | None, code: int
) -> None:
    options = []
    if gate is not None:
        (tmp_path / "other.yaml").write_text(document_of(gate=gate))
        options = ["--scenario", str(tmp_path / "other.yaml")]
    told = here("gate", run, *options, cwd=stored)
    assert told.returncode == code, told.stdout + told.stderr


def test_a_run_whose_server_was_down_still_says_so(stored: Path) -> None:
    told = " ".join(here("show", "latest", cwd=stored).stdout.split())
    assert "http://127.0.0.1:8000: cannot connect: refused" in told
    assert "Start it" in told


def test_reports_are_written_again(stored: Path, tmp_path: Path) -> None:
    formats = ["--format", "junit", "--format", "csv"]
    told = here("report", FIRST, *formats, "--out", str(tmp_path), cwd=stored)
    assert told.stdout.splitlines() == [str(tmp_path / "chat" / name) for name in ("junit.xml", "steps.csv")]
    assert ' line="' in (tmp_path / "chat" / "junit.xml").read_text()
    told = here("report", FIRST, *formats, "--junit-flavor", "strict", "--out", str(tmp_path), cwd=stored)
    assert told.returncode == 0, told.stderr
    assert ' line="' not in (tmp_path / "chat" / "junit.xml").read_text()


def test_export_writes_a_file_or_prints(stored: Path, tmp_path: Path) -> None:
    printed = here("export", FIRST, "--format", "csv", cwd=stored)
    written = here("export", FIRST, "--format", "csv", "--output", str(tmp_path / "steps.csv"), cwd=stored)
    assert written.stdout == ""
    assert (tmp_path / "steps.csv").read_text() == printed.stdout
    assert printed.stdout.startswith("Concurrency,Throughput (tok/s),")


def test_export_writes_a_workbook_that_is_a_report(stored: Path, tmp_path: Path) -> None:
    printed = subprocess.run(
        [LLMLOAD, "export", FIRST, "--format", "xlsx", "--lang", "ko"], cwd=stored, capture_output=True, check=True
    )
    here("export", FIRST, "--format", "excel", "--lang", "ko", "--output", str(tmp_path / "run.xlsx"), cwd=stored)
    assert (tmp_path / "run.xlsx").read_bytes() == printed.stdout
    assert zipfile.is_zipfile(tmp_path / "run.xlsx")


def test_a_terminal_gets_no_workbook(stored: Path) -> None:
    ours, theirs = pty.openpty()
    command = [LLMLOAD, "export", FIRST, "--format", "excel"]
    told = subprocess.run(command, cwd=stored, stdout=theirs, stderr=subprocess.PIPE, text=True, check=False)
    os.close(ours)
    os.close(theirs)
    assert (told.returncode, "Name a file: --output report.xlsx" in told.stderr) == (2, True), told.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param(["show", "2027"], 2, "no such run in llmload.db. `llmload runs` lists them", id="unknown run"),
        pytest.param(["show", "2026"], 2, f"2 runs begin so. Write more of the id; the newest: {FIRST}", id="two runs"),
        pytest.param(["report", FIRST, "--format", "pdf"], 2, "is not a format. Choose one of: markdown", id="pdf"),
        pytest.param(
            ["export", FIRST, "--format", "csv", "--output", "no/where"], 2, "cannot be written", id="no folder"
        ),
        pytest.param(["runs", "--store", "none.db"], 2, "there is no store here", id="no store"),
    ],
)
def test_mistakes_are_told_in_one_sentence(stored: Path, arguments: list[str], code: int, said: str) -> None:
    told = here(*arguments, cwd=stored)
    assert (told.returncode, told.stdout) == (code, "")
    assert said in told.stderr
    assert "Traceback" not in told.stderr


def test_the_store_can_be_named_by_the_environment(stored: Path, tmp_path: Path) -> None:
    env: Mapping[str, str] = {"LLMLOAD_STORE": str(stored / "llmload.db")}
    assert FIRST in here("runs", cwd=tmp_path, env=env).stdout
