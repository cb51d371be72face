"""Reasoning and tool calls from a row of a file over sockets to the store, and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmload.analysis.metrics import measure
from llmload.domain import Outcome, Phase
from llmload.store.database import open_existing
from tests.command import measured, write_scenario

pytestmark = pytest.mark.measuring

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
ASKED = {"messages": [{"role": "user", "content": "Do I need an umbrella?"}]}
ROWS = [{**ASKED, "tools": [TOOL], "tool_choice": "required"}, {**ASKED, "tools": [TOOL]}]


def test_a_run_of_a_model_that_reasons_and_calls_tools_is_told_apart_and_stored(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    scenario = write_scenario(
        tmp_path,
        target={"simulator": {"decode_base": "4ms", "decode_per_seq": "10us", "reasoning_tokens": 5}},
        workload__prompts={"file": {"path": "rows.jsonl", "format": "openai", "reuse": True, "output_tokens": 12}},
        workload__sampling={"ignore_eos": True},
        load={"concurrency": [2], "requests": 40, "warmup": {"requests": 2}},
        gates=None,
        slo=None,
    )
    done = measured("apply", str(scenario), "--store", "runs.db", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    with open_existing(tmp_path / "runs.db") as store:
        observations = store.load(store.find("latest")).observations
    told = [record for window in observations for record in window.records if record.phase is Phase.MEASURED]
    assert {(record.outcome, record.output_tokens, record.reasoning_tokens) for record in told} == {(Outcome.OK, 12, 5)}
    kinds = {(record.reasoning_events, record.answer_events, record.call_events) for record in told}
    assert kinds == {(5, 0, 7), (5, 7, 0)}
    for record in told:
        assert (record.answer_ns is None, record.call_ns is None) == (bool(record.call_events), not record.call_events)
        assert record.output_ns == record.event_ns[5]
    metrics = measure(observations, None)
    (step,) = json.loads(next((tmp_path / "reports").rglob("result.json")).read_text())["steps"]
    names = ("reasoned", "called_tools", "reasoning_tokens")
    counted = (len(told), len(told) / 2, len(told) * 5)  # rows take turns
    assert tuple(step["metrics"][name] for name in names) == counted
    assert (metrics.reasoned, metrics.called_tools, metrics.reasoning_tokens) == counted
    assert metrics.latency["ttfo"].count == len(told)
    assert metrics.latency["ttfo"].p50_ms > metrics.latency["ttft"].p50_ms + 10
