"""Stores with runs in them, made without any load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from llmload.analysis.judgement import judge
from llmload.analysis.metrics import measure
from llmload.domain import Observation, RunHeader
from llmload.errors import TargetError
from llmload.scenario.asked import Scenario
from llmload.scenario.loader import load_text
from llmload.store.database import Store
from tests.recorded_runs import CLEAN
from tests.store.observations import window

_DOCUMENT = """
apiVersion: llmload/v1
kind: Scenario
metadata: {{name: {name}}}
spec:
  target: {{url: "http://127.0.0.1:8000", model: tiny, framework: vllm}}
  workload: {{prompts: {{synthetic: {{input_tokens: 512, output_tokens: 4}}}}}}
  load: {{concurrency: {load}, requests: 300}}
  slo: {{ttft: 500ms}}
  gates: ["{gate}"]
"""
DOWN = TargetError("http://127.0.0.1:8000", "cannot connect: refused", "Start it", kind="ServerNotReady")


def document_of(name: str = "chat", gate: str = "goodput >= 90%", load: str = "[1, 2]", more: str = "") -> str:
    """The text of a scenario; `more` goes below `spec`."""
    return _DOCUMENT.format(name=name, gate=gate, load=load) + more


def scenario_of(name: str = "chat", gate: str = "goodput >= 90%", load: str = "[1, 2]", more: str = "") -> Scenario:
    return load_text(document_of(name, gate, load, more), f"{name}.yaml", env={}, directory=Path())


def run_id_of(number: int) -> str:
    """The run that began in this second."""
    return f"20261121-0143{number:02}-aaaa{number:04}"


def header_of(number: int, scenario: Scenario) -> RunHeader:
    document = scenario.document
    return replace(
        CLEAN.header,
        run_id=run_id_of(number),
        scenario=scenario.name,
        created=f"2026-11-21T01:43:{number:02}.000Z",
        document_text=document.text,
        document_hash=document.sha256,
        resolved=document.resolved,
    )


def whole() -> list[Observation]:
    """Both steps, complete."""
    return [window(0, requests=300), window(1, requests=300)]


def put_run(
    store: Store,
    number: int,
    scenario: Scenario,
    seen: Sequence[Observation],
    *,
    status: str = "finished",
    trouble: TargetError | None = None,
    model: str = "qwen3-14b",
) -> str:
    """Measure, judge and store a run, as `apply` does; its id."""
    assert CLEAN.target is not None
    header = header_of(number, scenario)
    store.begin(header)
    facts = replace(CLEAN.target, model=model) if seen else None
    if facts is not None:
        store.describe(header.run_id, facts)
    for one in seen:
        store.remember(header.run_id, one, measure([one], scenario.slo))
    result = judge(header, scenario, facts, seen, finished="2026-11-21T01:44:00.000Z", trouble=trouble)
    store.finish(header.run_id, result, status)
    return header.run_id
