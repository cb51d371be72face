"""`llmload calibrate`: a server against itself, and what `plan` makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from llmload.store.calibration_file import find_calibrations, read_calibration
from tests.cli.test_ab import TURNS, chat, free_port
from tests.cli.test_apply import rows
from tests.command import here, llmload, measured_apart

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "calibration-v1.schema.json").read_text())


@pytest.mark.measuring
def test_a_calibration_is_written_beside_the_baselines_and_read_by_plan(tmp_path: Path) -> None:
    name = chat(tmp_path)
    done = measured_apart("calibrate", name, "--pairs", "3", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = find_calibrations(tmp_path / "reports", "chat")
    found = read_calibration(path)
    Draft202012Validator(SCHEMA).validate(json.loads(path.read_bytes()))
    noise = found.steps["concurrency 4"]["p50(e2e)"]
    assert (found.pairs, 0 < noise.cv < 0.5, 25 < noise.middle < 80) == (3, True, True)
    assert str(path.relative_to(tmp_path)) in done.stdout
    assert "p50(e2e)" in done.stdout
    assert "".join(str(side) for side, _ in rows(tmp_path / "llmload.db", TURNS)[-6:]) == "ABBAAB"
    planned = here("plan", name, cwd=tmp_path)
    assert planned.returncode == 0, planned.stderr
    assert "assumed, `llmload calibrate` measures it" not in planned.stdout


@pytest.mark.measuring
def test_json_is_the_document_that_is_written(tmp_path: Path) -> None:
    done = measured_apart("calibrate", chat(tmp_path), "--pairs", "2", "--json", "--out", "elsewhere", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (path,) = find_calibrations(tmp_path / "elsewhere", "chat")
    assert done.stdout.encode() == path.read_bytes()


def test_what_could_not_be_measured_leaves_no_calibration(tmp_path: Path) -> None:
    name = chat(tmp_path, target__simulator=None, target__url=f"http://127.0.0.1:{free_port()}")
    done = llmload("calibrate", name, "--pairs", "2", cwd=tmp_path)
    assert done.returncode == 5
    assert "nothing was learnt" in done.stderr
    assert not find_calibrations(tmp_path / "reports", "chat")
