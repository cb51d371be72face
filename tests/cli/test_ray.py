"""`load.engine: ray` from the command line, on a real cluster of two nodes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.command import llmload, measured, write_scenario
from tests.load.ray_nodes import ray_nodes


@pytest.mark.measuring
def test_a_scenario_is_measured_by_workers_on_the_nodes_of_a_cluster(tmp_path: Path) -> None:
    with ray_nodes() as nodes:
        scenario = write_scenario(tmp_path, load__engine="ray", load__address=nodes.address, load__workers=2)
        done = measured("apply", scenario.name, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (step,) = json.loads((tmp_path / "reports/chat/result.json").read_bytes())["steps"]
    assert (step["workers"]["count"], step["workers"]["because"]) == (2, "as load.workers asks")


def test_a_cluster_that_is_not_there_is_told_soon_and_by_its_address(tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path, load__engine="ray", load__address="127.0.0.1:9")
    begun = time.monotonic()
    done = llmload("apply", scenario.name, cwd=tmp_path)
    assert done.returncode == 5, done.stderr
    assert "no Ray cluster can be used at 127.0.0.1:9" in done.stderr
    assert time.monotonic() - begun < 30
