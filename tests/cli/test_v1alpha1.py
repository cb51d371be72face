"""A document of the earlier tool is run as it is: `vllm_config` alone makes it a run of vLLM, wherever it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmload.scenario.asked import Simulator
from llmload.simulator.process import start
from tests.command import here, measured_apart

pytestmark = pytest.mark.measuring

OLD = """
apiVersion: llmload/v1alpha1
server_url: {url}
model: {model}
adapter: openai
vllm_config: {{gpu_memory_utilization: 0.8, quantization: ""}}
concurrency: [2]
num_prompts: 30
input_len: 32
output_len: 8
warmup: 2
goodput_thresholds: {{ttft: 5000, tpot: 500}}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a run that an old document asked for."""
    folder = tmp_path_factory.mktemp("old")
    simulator = Simulator(decode_base_ms=1.0, prefill_tokens_per_s=1e5)
    with start(simulator, api_key=None) as server:
        (folder / "old.yaml").write_text(OLD.format(url=server.url, model=simulator.model))
        done = measured_apart("apply", "old.yaml", cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
        yield folder


def test_it_is_stored_as_a_run_of_vllm(run: Path) -> None:
    (stored, *_) = json.loads(here("runs", "--json", cwd=run).stdout)
    assert (stored["framework"], stored["status"]) == ("vllm", "finished")
    assert " vllm " in here("runs", cwd=run).stdout


def test_show_and_every_report_say_vllm_and_what_was_declared(run: Path) -> None:
    assert " on vllm " in " ".join(here("show", "latest", cwd=run).stdout.split())
    target = json.loads(here("show", "latest", "--json", cwd=run).stdout)["target"]
    assert (target["framework"], target["settings"]["gpu_memory_utilization"]) == ("vllm", 0.8)
    assert sorted(target["declared"]) == ["gpu_memory_utilization", "quantization"]
    (reports,) = (run / "reports").iterdir()
    for name in ("report.md", "result.json", "junit.xml"):
        assert "vllm" in (reports / name).read_text(encoding="utf-8"), name
