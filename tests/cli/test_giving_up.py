"""Runs that give up early, as a user meets them: guards end as exit code 5, a lost step only ends itself."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.command import here, llmload, measured_apart, start, write_scenario

pytestmark = pytest.mark.measuring

FAILING = {"target__simulator__faults": "{error_rate: 60%}"}


def junit_types(directory: Path) -> set[str | None]:
    """The types of everything that JUnit calls an error or a failure."""
    root = ET.parse(directory / "reports" / "chat" / "junit.xml").getroot()
    return {found.get("type") for tag in ("error", "failure") for found in root.iter(tag)}


def result_of(directory: Path) -> dict[str, object]:
    """What result.json says."""
    found: dict[str, object] = json.loads((directory / "reports" / "chat" / "result.json").read_bytes())
    return found


def endings(directory: Path) -> list[tuple[int, str]]:
    """Step and ending of each window of the last run."""
    connection = sqlite3.connect(directory / "llmload.db")
    try:
        last = "(SELECT max(run) FROM windows)"  # on a busy machine `measured` runs a scenario again
        return connection.execute(f"SELECT step, ending FROM windows WHERE run = {last} ORDER BY window").fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_tripped_guard_ends_the_run_as_not_measured(tmp_path: Path, workers: int) -> None:
    """Ten thousand requests at two steps are asked for, and most of them fail."""
    scenario = write_scenario(
        tmp_path,
        load=f"{{concurrency: [4, 8], requests: 10000, workers: {workers}, guards: {{error_rate: 30%}}}}",
        gates="[goodput >= 90%, 'p95(e2e) <= 10s at concurrency 8']",
        **FAILING,
    )
    done = llmload("apply", scenario.name, cwd=tmp_path)
    assert done.returncode == 5, done.stdout + done.stderr
    assert "guard error_rate tripped" in done.stdout
    assert "above 30%" in done.stdout
    assert endings(tmp_path) == [(0, "guard")]
    assert junit_types(tmp_path) == {"GuardTripped"}
    assert here("gate", "latest", "--scenario", scenario.name, cwd=tmp_path).returncode == 5


def test_a_guard_ends_the_run_although_no_gate_speaks_of_the_step_where_it_tripped(tmp_path: Path) -> None:
    """The server stands still when the second step begins; the gate speaks of the first one, and holds."""
    figures = ("--set", "decode_base_ms=5", "--set", "prefill_tokens_per_s=100000")
    server = start("simulate", "--port", "0", "--framework", "vllm", *figures, cwd=tmp_path)
    try:
        assert server.stdout is not None
        url = server.stdout.readline().split()[-1]
        scenario = write_scenario(
            tmp_path,
            target=f"{{url: '{url}', framework: vllm}}",
            load="{concurrency: [2, 4], requests: 200, guards: {no_first_token: 1s, dead_server: 1s}}",
            gates="[goodput >= 50% at concurrency 2]",
        )
        with start("apply", scenario.name, cwd=tmp_path) as run:
            assert run.stderr is not None
            told = ""
            while "concurrency 4, warmup" not in told:
                told = run.stderr.readline()
                assert told, "the second step never began"
            server.send_signal(signal.SIGSTOP)
            began_s = time.monotonic()
            out, err = run.communicate(timeout=60)
            took_s = time.monotonic() - began_s
    finally:
        server.send_signal(signal.SIGCONT)
        server.terminate()
        server.communicate(timeout=10)
    assert run.returncode == 5, out + err
    assert "tripped" in out
    assert endings(tmp_path) == [(0, "complete"), (1, "guard")]
    assert took_s < 30


def test_a_lost_step_sends_no_more_than_it_needs_and_the_next_one_is_measured_all_the_same(tmp_path: Path) -> None:
    scenario = write_scenario(
        tmp_path,
        target__simulator__faults="{error_rate: 40%}",
        target__simulator__decode_base="4ms",
        load="{concurrency: [4, 8], requests: 600, warmup: {requests: 4}}",
        gates="[goodput >= 95%]",
    )
    done = measured_apart("apply", scenario.name, cwd=tmp_path)
    assert done.returncode == 3, done.stdout + done.stderr
    assert endings(tmp_path) == [(0, "futile"), (1, "futile")]
    assert "window ended as futile" in done.stdout
    for step in result_of(tmp_path)["steps"]:  # type: ignore[attr-defined]  # JSON
        assert 100 <= step["metrics"]["attempts"] < 450
    assert here("gate", "latest", "--scenario", scenario.name, cwd=tmp_path).returncode == 3


def test_a_step_that_keeps_its_promise_is_sent_whole(tmp_path: Path) -> None:
    done = measured_apart("apply", write_scenario(tmp_path).name, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert endings(tmp_path) == [(0, "complete")]


def test_a_guard_that_trips_on_one_side_of_a_comparison_ends_both(tmp_path: Path) -> None:
    """A fails most of its requests, B none: what B is to be compared with was not measured."""
    scenario = write_scenario(
        tmp_path,
        load="{concurrency: [4], requests: 1000, guards: {error_rate: 30%}}",
        gates="[goodput >= 50%, p50(e2e) within 20% of baseline]",
        **FAILING,
    )
    healthy = "--set-b=spec.target.simulator.faults.error_rate=0%"
    done = llmload("ab", scenario.name, healthy, "--pairs", "3", cwd=tmp_path)
    assert done.returncode == 5, done.stdout + done.stderr
    assert "A: guard error_rate tripped" in done.stdout
    assert endings(tmp_path) == [(0, "guard")]
