"""Everything of v1 runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmload.reporters.registry import REPORTERS
from llmload.scenario.loader import load_text

HEAD = "apiVersion: llmload/v1\nkind: Scenario\nmetadata: {name: s}\nspec:\n"
URL = "  target: {url: http://localhost:8000}\n"


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param("", id="nothing"),
        pytest.param("  load: {workers: 4, engine: local, guards: {}, ramp: 10s}\n", id="loads"),
        pytest.param("  load: {guards: {error_rate: 5%, no_first_token: 30s, dead_server: 10s}}\n", id="guards"),
        pytest.param("  load: {engine: ray, address: 'head:6379'}\n", id="workers on a cluster"),
        pytest.param("  load: {rate: [2/s], arrival: {gamma: {burstiness: 0.5}}}\n", id="open loop"),
        pytest.param("  decision: {repeats: 3}\n", id="repeats"),
        pytest.param(
            "  telemetry: {gpu: {source: none}, server_metrics: none, server_logs: none}\n", id="no telemetry"
        ),
        pytest.param("  telemetry: {gpu: {source: dcgm}, server_logs: {file: a.log}}\n", id="telemetry"),
        pytest.param("  workload: {prompts: {synthetic: {shared_prefix: {tokens: 9, groups: 2}}}}\n", id="a prefix"),
        pytest.param("  reports: {formats: [json, html, xlsx]}\n", id="formats"),
        pytest.param("  gates: [p50(tpot) within 5% of baseline]\n", id="a gate against a baseline"),
        pytest.param("  gates: [{metric: rps, relative: {max_decrease: 5%}}]\n", id="the same in its long form"),
        pytest.param("  recommend: {peak_concurrency: 5}\n", id="capacity"),
        pytest.param("  matrix: null\n  recommend: null\n", id="written as nothing"),
    ],
)
def test_what_asks_for_nothing_unbuilt_runs(spec):
    found = load_text(HEAD + URL + spec, "s.yaml", env={}, directory=Path())
    assert set(found.reports.formats) <= set(REPORTERS)
