"""A store with a history: runs of a scenario whose TTFT is known, made without any load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from llmload.analysis.judgement import judge
from llmload.analysis.metrics import measure
from llmload.domain import Observation, Outcome, TargetFacts
from llmload.planned import Step
from llmload.scenario.asked import Scenario
from llmload.scenario.loader import load_text
from llmload.store.database import open_store
from tests.analysis.builders import FACTS, HEADER, request, window

DOCUMENT = """
apiVersion: llmload/v1
kind: Scenario
metadata: {{name: {name}}}
spec:
  target: {{url: "http://127.0.0.1:8000", model: tiny}}
  workload: {{prompts: {{synthetic: {{input_tokens: 100, output_tokens: 11}}}}}}
  load: {{concurrency: [8], requests: 200}}
  slo: {{ttft: 5s}}
  gates: ["{gate}"]
"""
GATE = "p95(ttft) within 10% of baseline"


def write_scenario(folder: Path, name: str = "chat", gate: str = GATE) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(DOCUMENT.format(name=name, gate=gate))
    return path


def scenario_of(name: str = "chat", gate: str = GATE) -> Scenario:
    return load_text(DOCUMENT.format(name=name, gate=gate), f"{name}.yaml", env={}, directory=Path())


@dataclass(frozen=True)
class Made:
    """One run to make: the `number`-th (which is its second), and what its server was like."""

    number: int
    ttft_ms: float = 100.0
    branch: str = "main"
    environment: Mapping[str, str] = field(default_factory=dict)
    facts: TargetFacts | None = FACTS
    outcome: Outcome = Outcome.OK
    status: str = "finished"
    scenario: str = "chat"
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def run_id(self) -> str:
        return f"20261121-0000{self.number:02}-{self.number:08x}"


def many(count: int, *, first: int = 0, ttft_ms: float = 100.0, branch: str = "main") -> list[Made]:
    """Runs that differ by a few percent, as real ones do: the same ones each time."""
    return [
        Made(number, ttft_ms * (1 + 0.004 * ((number * 7) % 5 - 2)), branch) for number in range(first, first + count)
    ]


def fill(store: Path, runs: Sequence[Made]) -> None:
    """Remember these runs as `llmload apply` does."""
    with open_store(store) as opened:
        for made in runs:
            scenario = scenario_of(made.scenario)
            header = replace(
                HEADER,
                run_id=made.run_id,
                scenario=made.scenario,
                created=f"2026-11-21T00:00:{made.number:02}.000Z",
                document_text=scenario.document.text,
                document_hash=scenario.document.sha256,
                resolved=scenario.document.resolved,
                labels=made.labels,
                environment={"git_commit": f"{made.number:040x}", "git_branch": made.branch, **made.environment},
            )
            opened.begin(header)
            if made.facts is not None:
                opened.describe(made.run_id, made.facts)
            seen = [_window(made)]
            for one in seen:
                opened.remember(made.run_id, one, measure([one], scenario.slo))
            finished = header.created.replace(".000Z", ".900Z")
            opened.finish(made.run_id, judge(header, scenario, made.facts, seen, finished=finished), made.status)


def _window(made: Made) -> Observation:
    """Two hundred answers, eight at a time; the slowest tenth takes a fifth longer."""
    records = [
        request(
            seq, at_ms=(seq // 8) * 300.0, ttft_ms=made.ttft_ms * (1.2 if seq % 10 == 0 else 1.0), outcome=made.outcome
        )
        for seq in range(200)
    ]
    return window(records, step=Step(0, "concurrency", 8.0))
