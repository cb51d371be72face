"""Embeddings from the scenario to what is stored, told and judged again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from openpyxl import load_workbook

from tests.command import here, measured

ROOT = Path(__file__).parents[2]


@pytest.mark.measuring
def test_reports_tell_input_tokens_and_no_figure_of_answers(tmp_path: Path) -> None:
    sets = [
        "--set",
        "spec.load.requests=60",
        "--set",
        "spec.reports.formats=[json, excel]",
        "--set",
        "spec.load.concurrency=[4]",
        "--store",
        "runs.db",
    ]
    done = measured("apply", str(ROOT / "scenarios/embeddings.yaml"), *sets, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "input tok/s" in done.stdout
    folder = tmp_path / "reports" / "embeddings"
    step = json.loads((folder / "result.json").read_text())["steps"][0]["metrics"]
    assert (step["output_tokens"], step["output_tps"]) == (0, None)
    assert step["total_tps"] > 0
    assert step["input_tokens"] >= 60 * 32
    sheet = load_workbook(folder / "report.xlsx")["Steps"]
    headings = {cell for row in sheet.iter_rows(values_only=True) for cell in row if isinstance(cell, str)}
    assert "Total throughput (tok/s)" in headings
    assert not [each for each in headings if "TTFT" in each or "TPOT" in each or "Output throughput" in each]
    again = here("gate", "latest", "--store", "runs.db", cwd=tmp_path)
    assert again.returncode == 0, again.stdout
