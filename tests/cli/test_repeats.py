"""`decision.repeats`: the ladder climbed again in one run, each time on a fresh server."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.cli.test_apply import rows, wait_for, windows_of
from tests.command import llmload, measured, start, write_scenario

pytestmark = pytest.mark.measuring

CLIMBS = "select repeat, value, look, ending from windows join steps using (run, step) order by window"


def three_climbs(directory: Path, **changes: object) -> str:
    """Two steps of about half a second each, three times."""
    return write_scenario(
        directory,
        load="{concurrency: [2, 3], requests: 60, warmup: {requests: 2}}",
        target__simulator__decode_base="3ms",
        decision="{repeats: 3, max_requests: 60}",
        gates="[goodput >= 80%]",
        **changes,
    ).name


def test_three_climbs_are_one_run_with_a_figure_of_each(tmp_path: Path) -> None:
    done = measured("apply", three_climbs(tmp_path), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "reports/chat/result.json").read_bytes())
    for step in result["steps"]:
        assert len(step["repeats"]) == 3
        values = [each["p50(e2e)"]["value"] for each in step["repeats"]]
        assert min(values) <= step["estimates"]["p50(e2e)"]["value"] <= max(values)
        assert step["metrics"]["attempts"] == 180
    climbed = rows(tmp_path / "llmload.db", CLIMBS)[-6:]
    assert [(repeat, value, look) for repeat, value, look, _ in climbed] == [
        (0, 2, 0), (0, 3, 0), (1, 2, 1), (1, 3, 1), (2, 2, 2), (2, 3, 2),
    ]  # fmt: skip


def test_each_climb_meets_a_fresh_server(tmp_path: Path) -> None:
    done = measured("apply", three_climbs(tmp_path, target__simulator__faults="{restart_after: 250}"), cwd=tmp_path)
    # a climb takes some 130 requests with probe and fillers: one server for all three would have begun again
    assert "the server changed" not in done.stdout
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "ctrl-c"])
def test_a_run_goes_on_in_the_middle_of_a_climb(tmp_path: Path, number: signal.Signals) -> None:
    store, name = tmp_path / "llmload.db", three_climbs(tmp_path)
    process = start("apply", "--no-progress", name, cwd=tmp_path)
    wait_for(lambda: windows_of(store) == 3)
    process.send_signal(number)
    process.communicate(timeout=15)
    done = llmload("apply", "--no-progress", "--resume", "latest", name, cwd=tmp_path)
    assert done.returncode in (0, 5), done.stderr  # 5: this machine was too busy in one of the windows
    assert rows(store, "select status from runs") == [("finished",)]
    whole = [place for *place, ending in rows(store, CLIMBS) if ending != "interrupted"]
    assert sorted(whole) == [[0, 2, 0], [0, 3, 0], [1, 2, 1], [1, 3, 1], [2, 2, 2], [2, 3, 2]]
