"""The comparison with other load tools, as far as it needs none of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.commands import PEERS
from tests.bench.served import ROOT
from tests.bench.truth import Truth, steady

_MS = 1_000_000


def stream(begin_ms: int, first_ms: int, gaps: int, gap_ms: int) -> list[int]:
    """Instants as the paced server keeps them: the arrival, then each token."""
    return [begin_ms * _MS, *((begin_ms + first_ms + index * gap_ms) * _MS for index in range(gaps + 1))]


def test_a_tool_that_is_not_installed_is_a_row_that_says_so(tmp_path: Path) -> None:
    places = {f"PEERS_{tool.name.upper()}": str(tmp_path / tool.name) for tool in PEERS}
    asking = [sys.executable, "-m", "tests.bench.peers", *(tool.name for tool in PEERS)]
    environment = {**os.environ, **places, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        asking, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("not installed") == len(PEERS)
    told = json.loads((tmp_path / "bench-peers.json").read_text())
    assert told == [{"tool": tool.name, "because": "not installed"} for tool in PEERS]


def test_the_truth_of_a_run_is_that_of_its_streams() -> None:
    truth = Truth.of({b"a": stream(0, 200, 10, 20), b"b": stream(5, 210, 4, 30), b"aside": stream(0, 900, 0, 0)})
    assert (truth.ttft_p50, truth.ttft_p99) == (210, 210)
    assert (truth.tpot_p50, truth.itl_p50) == (30, 20)


def test_the_steady_state_is_the_middle_half_of_the_tokens() -> None:
    during = steady({bytes([number]): stream(number, 0, 100, 10) for number in range(4)})
    assert during.streams == pytest.approx(4, rel=0.01)
    assert during.events_per_s == pytest.approx(400, rel=0.05)
    assert (during.to_ns - during.from_ns) / _MS == pytest.approx(500, rel=0.05)
