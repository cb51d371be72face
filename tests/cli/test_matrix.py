"""A matrix on the command line: plans, runs and shares of its cells, each with reports of its own."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from llmload.ci.outcome_folder import read_all
from llmload.cli.cells import Choice, units_of
from llmload.errors import UsageError
from tests.command import here, llmload, measured, write_scenario

MATRIX = "{load.concurrency: [[2], [4]], include: [{load.concurrency: [2], slo.e2e: 9s}]}"
CELLS = ("concurrency=2,e2e=9s", "concurrency=4")


def chat(directory: Path, matrix: str | None = MATRIX, name: str = "chat") -> Path:
    return write_scenario(directory, name, matrix=matrix)


@pytest.mark.measuring
def test_each_cell_is_a_run_with_its_own_reports_history_and_verdict(tmp_path):
    chat(tmp_path)
    done = measured("apply", "chat.yaml", "--no-progress", "--outcome", "outcome", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for cell in CELLS:
        suites = ET.parse(tmp_path / "reports/chat" / cell / "junit.xml").getroot()
        assert [suite.get("name") for suite in suites] == [f"chat [{cell}] / concurrency {cell[12]}"]
    entries = read_all([tmp_path / "outcome"]).entries
    runs = [entry.result.header for entry in entries if entry.result is not None]
    assert [run.labels["llmload.cell"] for run in runs] == list(CELLS)
    history = json.loads(here("runs", "--json", cwd=tmp_path).stdout)
    assert [(run["scenario"], run["cell"]) for run in history] == [("chat", cell) for cell in reversed(CELLS)]
    assert f"chat [{CELLS[0]}]" in here("runs", cwd=tmp_path).stdout
    again = here("gate", runs[0].run_id, "--scenario", "chat.yaml", "--json", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["run_id"] == runs[0].run_id
    assert here("gate", runs[1].run_id, cwd=tmp_path).returncode == 0
    chat(tmp_path, "{load.concurrency: [[8]]}", "other")
    refused = here("gate", runs[0].run_id, "--scenario", "other.yaml", cwd=tmp_path)
    assert refused.returncode == 2
    assert f"is the cell {CELLS[0]}, and the matrix of the scenario has none such" in refused.stderr


@pytest.mark.measuring
def test_a_shard_of_a_job_in_ci_is_of_cells_over_all_files(tmp_path):
    chat(tmp_path, "{load.concurrency: [[2], [4]]}", "a")
    chat(tmp_path, None, "b")
    env = {"GITHUB_OUTPUT": str(tmp_path / "outputs"), "GITHUB_ACTIONS": "", "LLMLOAD_STORE": ""}
    done = llmload("ci", "run", "--scenario=*.yaml", "--shard=2/3", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    (entry,) = read_all([tmp_path / "llmload-outcome"]).entries
    assert entry.source == "a.yaml"
    assert entry.result is not None
    assert entry.result.header.title == "a [concurrency=4]"


@pytest.mark.parametrize("count", range(1, 5))
def test_shares_of_runs_are_disjoint_and_complete(tmp_path, count):
    files = [chat(tmp_path, MATRIX, "a"), chat(tmp_path, None, "b"), tmp_path / "missing.yaml"]
    everything = [(unit.source, unit.cell) for unit in units_of(files, Choice(), sets=(), env={})]
    assert [cell for _, cell in everything] == [*CELLS, "", ""]
    dealt = [
        (unit.source, unit.cell)
        for number in range(1, count + 1)
        for unit in units_of(files, Choice(shard=f"{number}/{count}"), sets=(), env={})
    ]
    assert sorted(dealt) == sorted(everything)


@pytest.mark.parametrize(
    ("only", "shard", "said"),
    [
        pytest.param(["x*"], None, "--only x*: names no cell. The cells are concurrency=2,e2e=9s, concurrency=4"),
        pytest.param([], "3/3", "--shard 3/3: has no run: there are 2 runs to share. Use at most 2 shards"),
        pytest.param(["*=4"], "2/2", "--shard 2/2: has no run: there is 1 run to share"),
        pytest.param([], "0/2", "--shard: '0/2' is no shard"),
    ],
    ids=["no such cell", "an empty share", "an empty share of what is chosen", "no share"],
)
def test_a_choice_that_leaves_nothing_is_refused(tmp_path, only, shard, said):
    path = chat(tmp_path)
    with pytest.raises(UsageError) as caught:
        units_of([path], Choice(only, shard), sets=(), env={})
    assert said in str(caught.value)


def test_only_takes_cells_by_name_and_by_pattern_and_never_hides_a_broken_file(tmp_path):
    files = [chat(tmp_path), chat(tmp_path, None, "plain")]
    assert [unit.cell for unit in units_of(files, Choice([CELLS[1]]), sets=(), env={})] == [CELLS[1]]
    assert [unit.cell for unit in units_of(files, Choice(["*"]), sets=(), env={})] == list(CELLS)
    broken = tmp_path / "broken.yaml"
    broken.write_text("nothing: here\n")
    assert [unit.is_broken for unit in units_of([broken], Choice(["x"]), sets=(), env={})] == [True]


def test_a_run_of_a_matrix_goes_on_by_its_cell_alone(tmp_path):
    chat(tmp_path)
    refused = here("apply", "chat.yaml", "--resume", "latest", cwd=tmp_path)
    assert refused.returncode == 2
    assert (
        "--resume: names one run, and the matrix has 2 cells. Name the cell of that run with --only" in refused.stderr
    )


def test_a_plan_lists_the_cells_and_then_the_plan_of_each(tmp_path):
    chat(tmp_path)
    told = here("plan", "chat.yaml", cwd=tmp_path).stdout.splitlines()
    assert told[0] == "2 cells, each a run of its own"
    assert [line.split()[:3] for line in told[2:4]] == [[CELLS[0], "1", "100"], [CELLS[1], "1", "100"]]
    assert [line for line in told if line.startswith("# cell")] == [f"# cell {cell}" for cell in CELLS]
    document = json.loads(here("plan", "chat.yaml", "--json", "--only", CELLS[0], "--explain", cwd=tmp_path).stdout)
    (cell,) = document["cells"]
    assert (cell["cell"], cell["values"]) == (CELLS[0], {"load.concurrency": [2], "slo.e2e": "9s"})
    (origin,) = [each for each in cell["explanation"] if each["path"] == "spec.slo.e2e"]
    assert origin["source"].startswith("chat.yaml:")


def test_validate_counts_the_cells(tmp_path):
    chat(tmp_path)
    done = here("validate", "chat.yaml", "--schema", cwd=tmp_path)
    assert (done.returncode, "note: its matrix has 2 cells" in done.stdout) == (0, True)
