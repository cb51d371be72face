"""steps.csv: the twelve headers other tools know, empty cells for missing values, and no formulas."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

from llmload.domain import RunResult
from llmload.planned import Step
from llmload.reporters import steps_csv
from tests.recorded_runs import CLEAN, TROUBLE

KNOWN = (
    "Concurrency,Throughput (tok/s),TTFT p50 (ms),TTFT p99 (ms),TPOT p50 (ms),TPOT p99 (ms),E2E p50 (ms),E2E p99 (ms),"
    "Requests,Success,Error Rate (%),Goodput (%)"
)


def rows(run: RunResult) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(steps_csv.render(run).decode())))


def test_the_known_headers_come_first_and_exactly() -> None:
    assert steps_csv.render(CLEAN).decode().startswith(KNOWN + ",")


def test_there_is_one_row_per_step_in_the_order_of_the_run() -> None:
    assert [row["Concurrency"] for row in rows(CLEAN)] == ["1", "8", "32", "64", "120", "160"]
    assert [row["Verdict"] for row in rows(TROUBLE)] == ["pass", "fail", "error", "fail"]


def test_a_missing_value_is_an_empty_cell_and_never_zero() -> None:
    dead = rows(TROUBLE)[2]
    assert dead["Throughput (tok/s)"] == dead["TTFT p50 (ms)"] == dead["E2E p99 (ms)"] == ""
    assert (dead["Requests"], dead["Success"], dead["Error Rate (%)"], dead["Goodput (%)"]) == ("64", "0", "100", "0")


def test_figures_are_plain_numbers() -> None:
    row = rows(TROUBLE)[1]
    assert (row["Throughput (tok/s)"], row["TTFT p99 (ms)"], row["Goodput (%)"]) == ("1711", "1219.8", "90.688")


def test_an_open_loop_step_has_a_rate_and_no_concurrency() -> None:
    step = replace(CLEAN.steps[0], step=Step(0, "rate", 0.5))
    (row,) = rows(replace(CLEAN, steps=(step,)))
    assert (row["Concurrency"], row["Rate (req/s)"]) == ("", "0.5")


def test_an_open_loop_step_tells_what_was_planned_dropped_and_since_due() -> None:
    closed, *_, opened = rows(TROUBLE)
    columns = ("Planned", "Dropped", "TTFT p99 (ms)", "TTFT since due p99 (ms)", "Workers")
    assert [opened[name] for name in columns] == ["2000", "96", "913.9", "920.55", "2"]
    assert [closed[name] for name in columns] == ["", "", "34.675", "", "1"]
    assert opened["Busiest worker (% of a core)"] == "83.4"


def test_a_replayed_trace_has_a_speed() -> None:
    (row,) = rows(replace(CLEAN, steps=(replace(CLEAN.steps[0], step=Step(0, "speed", 2.0)),)))
    assert (row["Concurrency"], row["Rate (req/s)"], row["Trace speed"]) == ("", "", "2")


def test_no_cell_is_a_formula() -> None:
    header = replace(TROUBLE.header, scenario="=1+1", run_id="@SUM(A1)")
    for row in rows(replace(TROUBLE, header=header)):
        assert not [cell for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
        assert (row["Scenario"], row["Run"]) == ("'=1+1", "'@SUM(A1)")


def test_a_run_without_steps_is_only_headers() -> None:
    assert steps_csv.render(replace(CLEAN, steps=())).decode().count("\n") == 1


def test_what_the_server_and_the_gpus_did_has_columns_after_all_others() -> None:
    busy, strained = rows(CLEAN)[-1], rows(TROUBLE)[1]
    columns = ("GPU Power (W)", "Energy (J/tok)", "Server Waiting Max", "KV Cache Peak (%)", "Server Figures From")
    assert [busy[name] for name in columns] == ["643.6", "0.152", "32", "94.7", "metrics"]
    assert [strained[name] for name in columns] == ["", "", "64", "99.43", "metrics"]
    assert steps_csv.HEADERS.index("GPU Util (%)") > steps_csv.HEADERS.index("Findings")


def test_a_row_tells_the_findings_of_its_step_and_of_the_run() -> None:
    first, strained, *_ = rows(TROUBLE)
    assert "framework_config.replicas" in first["Findings"]
    assert "other traffic" not in first["Findings"]
    assert "requests at concurrency 50 (other traffic)" in strained["Findings"]
    assert "network" not in strained["Findings"]
