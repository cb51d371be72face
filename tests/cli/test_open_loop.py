"""The scenarios that are shipped for open loop and traces, run as a user runs them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from llmload.scenario.trace_file import open_recording
from tests.command import measured

pytestmark = pytest.mark.measuring

SCENARIOS = Path(__file__).parents[2] / "scenarios"


def steps(store: Path) -> list[tuple[object, ...]]:
    """What the store remembers of each step."""
    connection = sqlite3.connect(store)
    try:
        columns = "label, attempts, input_tokens, output_tokens, cached_tokens"
        return connection.execute(f"select {columns} from steps order by run, step").fetchall()
    finally:
        connection.close()


def test_the_ladder_of_rates_passes_at_both(tmp_path: Path) -> None:
    done = measured("apply", str(SCENARIOS / "open-loop.yaml"), "--set", "spec.load.requests=100", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (low, low_attempts, *_), (high, high_attempts, *_) = steps(tmp_path / "llmload.db")[-2:]
    assert (low, high) == ("rate 20/s", "rate 40/s")
    assert {low_attempts, high_attempts} <= {100, 200, 400}


def test_a_trace_is_replayed_with_its_lengths_and_what_its_prompts_share(tmp_path: Path) -> None:
    done = measured("apply", str(SCENARIOS / "trace.yaml"), "--set", "spec.load.trace.speed=2", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    recording = open_recording(str(SCENARIOS / "data" / "chats.jsonl"))
    label, attempts, prompts, answers, cached = steps(tmp_path / "llmload.db")[-1]
    assert (label, attempts) == ("speed 2", len(recording))
    assert (prompts, answers) == (sum(recording.input_tokens), sum(recording.output_tokens))
    assert cached == pytest.approx(recording.repeated_tokens(len(recording)), rel=0.05)
    again = measured("gate", "latest", cwd=tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
