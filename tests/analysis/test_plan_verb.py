"""`llmload plan` on real files: what it prints, and exit code 2 for a gate that can never pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmload.cli.plan import plan
from llmload.errors import ScenarioError

SCENARIO = """\
apiVersion: llmload/v1
kind: Scenario
metadata: {name: try-plan}
spec:
  target: {url: "http://localhost:8000", model: m}
  load: {concurrency: [10, 100], requests: 200}
  slo: {ttft: 500ms, tpot: 50ms}
  gates:
    - goodput >= 95% at concurrency <= 50
    - output_tps >= 100 tok/s
"""


@pytest.fixture
def scenario_file(tmp_path: Path) -> Path:
    """A scenario as a user writes it."""
    path = tmp_path / "scenario.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


def test_plan_shows_steps_tokens_time_and_what_each_gate_can_decide(
    scenario_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan(scenario_file)
    shown = capsys.readouterr().out
    for part in (
        "concurrency 10: 20 warm-up and 200 measured requests (up to 1,600 where a gate stays open)",
        "about 56,320 tokens in, 112,640 out",
        "on a server that just keeps the SLO; at most 10 min",
        "goodput >= 95% at concurrency <= 50 [concurrency 10]: passes with at most",
        "0: 86, 1: 125",
        "output_tps >= 100 tok/s: decided on what is measured",
        "url: http://localhost:8000",
    ):
        assert part in shown


def test_plan_as_json_is_one_document(scenario_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan(scenario_file, json=True)
    document = json.loads(capsys.readouterr().out)
    (gate,) = document["gates"]
    assert (gate["can_pass"], gate["looks"], gate["smallest_effective_sample"]["0"]) == (True, 4, 86)
    assert [step["step"] for step in document["steps"]] == ["concurrency 10", "concurrency 100"]
    assert document["document"]["spec"]["target"]["model"] == "m"


def test_plan_shows_what_it_refuses_and_then_refuses_it(
    scenario_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ScenarioError) as caught:
        plan(scenario_file, sets=["spec.load.requests=50", "spec.decision.max_requests=50"])
    assert caught.value.exit_code == 2
    assert "can never pass with 50 requests" in capsys.readouterr().out
    assert str(caught.value).startswith(f"{scenario_file}:9:7: spec.gates[0]: ")
