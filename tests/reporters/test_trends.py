"""Trends told for people and for machines."""

from __future__ import annotations

import json
import re

import pytest

from llmload.analysis.trend import LeftOut, ScenarioTrends, Shift, Trend
from llmload.baseline import Difference, PastRun
from llmload.reporters.sparkline import BARS, sparkline
from llmload.reporters.trends import render_json, render_text
from tests.recorded_runs import HOSTILE

RUNS = tuple(PastRun(f"run-{n}", f"2026-11-0{n + 1}T08:00:00.000Z", "3f9a2c1b" * 5, {}) for n in range(6))
GPU = (Difference("gpu", "L4", "H100"), Difference("driver", "", "580"))
SLOWER = Shift(RUNS[3], 100.0, 120.0, 2.5e-7, GPU, "the longer template")
FEWER = Shift(RUNS[3], 0.99, 0.95, 0.0, (), None)
TOLD = ScenarioTrends(
    "chat",
    6,
    (
        Trend("concurrency 8", "p50(ttft)", RUNS, (100.0, 101.0, 99.0, 119.0, 121.0, 120.0), (SLOWER,), 0),
        Trend("concurrency 8", "goodput", RUNS[:5], (0.99, 0.99, 0.99, 0.95, 0.95), (FEWER,), 1),
        Trend("concurrency 16", "output_tps", (), (), (), 6),
    ),
    (LeftOut(2, ("load",)),),
)
TEXT = """\
chat: 6 runs
  left out: 2 runs with another load
  concurrency 8
    p50(ttft)     ▁▁▁███  100 ms -> 120 ms
      +20.0% from run-3 (2026-11-04, commit 3f9a2c1b3f9a): 100 ms -> 120 ms; p 2.5e-07; gpu L4 -> H100; driver not told -> 580; accepted: the longer template
    goodput       ▆▆▆▃▃  99% -> 95%, 1 without it
      -4.0 points from run-3 (2026-11-04, commit 3f9a2c1b3f9a): 99% -> 95%; p < 1e-99
  concurrency 16
    output_tps: no run has it
"""  # noqa: E501 - one line a shift


def test_people_read_each_figure_in_a_line_and_its_shifts_below() -> None:
    assert render_text([TOLD]).decode() == TEXT


def test_machines_read_every_point_and_every_shift() -> None:
    (told,) = json.loads(render_json([TOLD]))
    assert (told["scenario"], told["runs"], told["left_out"]) == ("chat", 6, ["2 runs with another load"])
    ttft, goodput, nothing = told["trends"]
    assert [point["value"] for point in ttft["points"]] == [100, 101, 99, 119, 121, 120]
    (shift,) = ttft["shifts"]
    assert (shift["run_id"], shift["before"], shift["after"], shift["change"]) == ("run-3", 100, 120, 0.2)
    assert shift["accepted"] == "the longer template"
    assert shift["differing"][0] == {"key": "gpu", "theirs": "L4", "ours": "H100"}
    assert (goodput["without"], goodput["shifts"][0]["change"], goodput["shifts"][0]["accepted"]) == (1, -0.04, None)
    assert nothing["points"] == nothing["shifts"] == []


def test_nothing_that_a_terminal_obeys_gets_out() -> None:
    run = PastRun(HOSTILE, HOSTILE, HOSTILE, {})
    shift = Shift(run, 1.0, 2.0, 0.0, (Difference(HOSTILE, HOSTILE, HOSTILE),), HOSTILE)
    trend = Trend(HOSTILE, "p50(ttft)", (run,), (1.0,), (shift,), 0)
    nasty = [ScenarioTrends(HOSTILE, 1, (trend,), (LeftOut(1),))]
    for told in (render_text(nasty), render_json(nasty)):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", told.decode("utf-8"))
    assert len(render_text(nasty).decode().splitlines()) == 5


def test_no_trend_at_all_is_said() -> None:
    assert render_text([]) == b"No finished runs.\n"
    assert json.loads(render_json([])) == []


@pytest.mark.parametrize(
    ("values", "told"),
    [
        pytest.param([], "", id="nothing"),
        pytest.param([5.0], "▅", id="one value"),
        pytest.param([0.0, 0.0], "▁▁", id="nothing but zero"),
        pytest.param([100.0, 200.0], "▁█", id="a doubling fills the height"),
        pytest.param([100.0, 100.2, 99.9], "▄▅▄", id="noise within a tenth stays flat"),
        pytest.param([1, 2, 3, 4, 5, 6, 7, 8], BARS, id="a ramp"),
    ],
)
def test_a_history_is_drawn(values: list[float], told: str) -> None:
    assert sparkline(values) == told


def test_a_long_history_is_drawn_in_as_many_bars_as_there_is_room() -> None:
    drawn = sparkline([1.0] * 500 + [2.0] * 500, 10)
    assert drawn == "▁▁▁▁▁█████"
