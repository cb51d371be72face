"""`llmload runs --trend` as a user calls it, over stores whose history is known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from llmload.baseline import Estimate
from llmload.domain import RunResult
from llmload.scenario.loader import load_text
from llmload.store.baseline_file import path_of
from llmload.store.database import open_store
from tests.command import here, start
from tests.recorded_runs import CLEAN

DOCUMENT = """
apiVersion: llmload/v1
kind: Scenario
metadata: {{name: {name}}}
spec:
  target: {{url: "http://127.0.0.1:8000", model: tiny, framework: vllm}}
  workload: {{prompts: {{synthetic: {{input_tokens: 512, output_tokens: 4}}}}}}
  load: {{concurrency: [1, 8, 32], requests: 300}}
  slo: {{ttft: 500ms}}
  gates: {gates}
"""
HOME = {"workload": "w1", "load": "l1", "gpu": "L4"}


def result_of(name: str, number: int, ttft_ms: float, gates: str, fingerprint: Mapping[str, str] = HOME) -> RunResult:
    """The `number`-th run of a scenario, a day after the one before."""
    document = load_text(DOCUMENT.format(name=name, gates=gates), f"{name}.yaml", env={}, directory=Path()).document
    header = replace(
        CLEAN.header,
        run_id=f"202611{number + 1:02}-080000-{name}",
        scenario=name,
        created=f"2026-11-{number + 1:02}T08:00:00.000Z",
        document_text=document.text,
        resolved=document.resolved,
        environment={"git_commit": f"{number:02}c0ffee" * 5},
    )
    figures = {"p50(ttft)": Estimate(ttft_ms), "goodput": Estimate(1.0), "p99(e2e)": Estimate(9.0 * ttft_ms)}
    steps = tuple(replace(step, estimates=figures) for step in CLEAN.steps[:3])
    return replace(CLEAN, header=header, fingerprint=fingerprint, steps=steps)


def remember(folder: Path, results: Sequence[RunResult]) -> None:
    assert CLEAN.target is not None
    with open_store(folder / "llmload.db") as store:
        for result in results:
            store.begin(result.header)
            store.describe(result.header.run_id, CLEAN.target)
            store.finish(result.header.run_id, result, "finished")


def shifted(name: str, gates: str = '["p95(ttft) <= 1s at concurrency == 8"]') -> list[RunResult]:
    """Twenty runs at a CV of 2 %; from the eleventh on a TTFT of 130 ms in place of 100, on another GPU."""
    noise = np.exp(0.02 * np.random.default_rng(3).normal(size=20))
    return [
        result_of(name, n, (100 if n < 10 else 130) * noise[n], gates, HOME if n < 10 else {**HOME, "gpu": "H100"})
        for n in range(20)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of a scenario that shifted, with runs of another load and one not measured; and a steady one."""
    folder = tmp_path_factory.mktemp("history")
    other_load = [result_of("chat", n, 900.0, "[]", {**HOME, "load": "l0"}) for n in range(20, 22)]
    failed = replace(result_of("chat", 22, 5000.0, "[]"), exit_code=5)
    steady = [result_of("steady", n, 50.0, "[]") for n in range(8)]
    early = [
        replace(each, header=replace(each.header, created=f"2026-10-0{n}T00:00:00.000Z"))
        for n, each in enumerate(other_load, 1)
    ]
    remember(folder, [*early, *shifted("chat"), failed, *steady])
    return folder


def test_a_shift_is_told_with_its_run_its_size_and_what_changed(folder: Path) -> None:
    done = here("runs", "--trend", "--scenario", "chat", cwd=folder)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:3] == [
        "chat: 20 runs",
        "  left out: 1 run that could not measure",
        "  left out: 2 runs with another load",
    ]
    assert lines[3] == "  concurrency 8"  # the only step with a gate
    ttft = next(place for place, line in enumerate(lines) if "p50(ttft)" in line)
    assert " ms -> " in lines[ttft]
    assert "from 20261111-080000-chat (2026-11-11, commit 10c0ffee10c0): " in lines[ttft + 1]
    assert lines[ttft + 1].endswith("; gpu L4 -> H100")
    goodput = next(place for place, line in enumerate(lines) if "goodput" in line)
    assert lines[goodput].endswith("100% -> 100%")
    assert lines[goodput + 1 :] == ["    output_tps: no run has it"]


def test_every_scenario_is_told_and_one_without_gates_by_its_last_step(folder: Path) -> None:
    done = here("runs", "--trend", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "steady: 8 runs\n  concurrency 32\n" in done.stdout
    assert "chat: 20 runs" in done.stdout


def test_one_figure_at_one_step_is_told_where_it_is_asked_for(folder: Path) -> None:
    arguments = ("--scenario", "chat", "--metric", "p99(e2e)", "--at", "concurrency 32", "--json")
    (told,) = json.loads(here("runs", "--trend", *arguments, cwd=folder).stdout)
    (trend,) = told["trends"]
    assert (trend["step"], trend["figure"], len(trend["points"])) == ("concurrency 32", "p99(e2e)", 20)
    (shift,) = trend["shifts"]
    assert shift["run_id"] == "20261111-080000-chat"
    assert 0.25 < shift["change"] < 0.35


def test_only_the_newest_runs_are_looked_at_where_that_is_asked_for(folder: Path) -> None:
    (told,) = json.loads(here("runs", "--trend", "--scenario=chat", "--limit=6", "--json", cwd=folder).stdout)
    assert told["runs"] == 5
    assert all(trend["shifts"] == [] for trend in told["trends"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["--trend", "--metric", "speed"], "Use one of: p50(ttft)", id="no such figure"),
        pytest.param(["--trend", "--at", "concurrency 999"], "Write it as in a gate", id="no such step"),
        pytest.param(["--trend", "--scenario", "chatt"], "no run of it", id="no such scenario"),
        pytest.param(["--metric", "goodput"], "Add --trend", id="a figure without --trend"),
        pytest.param(["--at", "concurrency 8"], "Add --trend", id="a step without --trend"),
    ],
)
def test_what_there_is_not_is_a_bad_command_line(folder: Path, arguments: list[str], words: str) -> None:
    done = here("runs", *arguments, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_a_shift_that_was_accepted_is_marked(tmp_path: Path) -> None:
    remember(tmp_path, shifted("chat"))
    fingerprint = {**HOME, "gpu": "H100"}
    entry = {"at": "2026-11-20T00:00:00Z", "action": "accept", "reason": "the longer template", "added": []}
    document = {
        "apiVersion": "llmload/baseline/v1",
        "kind": "Baseline",
        "scenario": "chat",
        "fingerprint": fingerprint,
        "runs": [],
        "histograms": {},
        "history": [{**entry, "removed": [], "since": "2026-11-11T08:00:00.000Z"}],
    }
    path = path_of(tmp_path / "reports", "chat", fingerprint)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(document))
    done = here("runs", "--trend", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "; accepted: the longer template" in done.stdout

    path.write_text("{")
    done = here("runs", "--trend", cwd=tmp_path)
    assert done.returncode == 0
    assert f"{path.relative_to(tmp_path)}:1:" in done.stderr
    assert "accepted" not in done.stdout
    assert "from 20261111-080000-chat" in done.stdout


def test_what_baseline_accept_wrote_marks_the_shift(tmp_path: Path) -> None:
    remember(tmp_path, shifted("chat"))
    accepted = here("baseline", "accept", "chat", "20261111", "--reason", "a larger model", cwd=tmp_path)
    assert accepted.returncode == 0, accepted.stderr
    done = here("runs", "--trend", "--metric", "p50(ttft)", cwd=tmp_path)
    assert [line for line in done.stdout.splitlines() if line.endswith("; accepted: a larger model")]


def test_a_store_of_runs_that_did_not_finish_has_no_trend(tmp_path: Path) -> None:
    with open_store(tmp_path / "llmload.db") as store:
        store.begin(result_of("chat", 1, 9.0, "[]").header)
    done = here("runs", "--trend", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "No finished runs.\n")


def test_a_reader_that_is_gone_fails_no_build(folder: Path) -> None:
    with start("runs", "--trend", cwd=folder) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(60) == 0
