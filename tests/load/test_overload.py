"""A client at its limit says that it could not measure, and what would help; it never says that the server is slow.

The command and its worker share one core, the server has the other one. Verdicts and words are asserted, not timings.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from llmload.scenario.asked import Simulator
from llmload.simulator.process import SimulatorProcess, start
from tests.bench.served import CLIENT_CORE, SERVER_CORE, served
from tests.command import start as start_command
from tests.command import write_scenario

pytestmark = pytest.mark.measuring

QUICK = Simulator(
    prefill_tokens_per_s=1e6,
    decode_base_ms=10,
    decode_per_seq_ms=0,
    prefix_cache=False,
    max_num_seqs=1000,
    kv_cache_tokens=10_000_000,
)


@contextmanager
def simulated() -> Iterator[SimulatorProcess]:
    """A quick server that keeps to its own core."""
    with start(QUICK, api_key=None) as server:
        os.sched_setaffinity(server.pid, {SERVER_CORE})
        yield server


@contextmanager
def hog(core: int, processes: int) -> Iterator[None]:
    """Processes that take all they can get of a core."""
    with ExitStack() as stack:
        for _ in range(processes):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            stack.callback(process.kill)
            os.sched_setaffinity(process.pid, {core})
        yield


def applied(scenario: Path) -> tuple[int, str, Path]:
    """The exit code and the words of a run whose command and worker have the client's core to share."""
    with start_command("apply", scenario.name, cwd=scenario.parent) as process:
        os.sched_setaffinity(process.pid, {CLIENT_CORE})
        out, err = process.communicate(timeout=100)
    return process.returncode, out + err, scenario.parent / "reports" / scenario.stem


def assert_could_not_measure(code: int, words: str, reports: Path) -> None:
    """Exit code 5, by our own doing, with the remedy, in every report; no gate says `fail`."""
    assert code == 5, words
    assert "client" in words
    assert "idle core" in words
    result = json.loads((reports / "result.json").read_bytes())
    verdicts = result["steps"][0]["verdicts"]
    assert {verdict["status"] for verdict in verdicts} == {"error"}, verdicts
    assert {verdict["kind"] for verdict in verdicts} == {"ClientSaturated"}, verdicts
    assert all("idle core" in verdict["remedy"] for verdict in verdicts)
    errors = ET.parse(reports / "junit.xml").getroot().iter("error")
    assert {error.attrib["type"] for error in errors} == {"ClientSaturated"}


def test_beside_a_busy_process_on_its_core_the_client_does_not_blame_the_server(tmp_path: Path) -> None:
    with simulated() as server:
        scenario = write_scenario(
            tmp_path,
            target={"url": server.url, "framework": "vllm", "model": QUICK.model},
            load={"concurrency": [300], "requests": 1500, "warmup": {"requests": 300}},
            workload={"prompts": {"synthetic": {"input_tokens": 16, "output_tokens": 32}}},
            slo="{ttft: 60ms}",
            gates="[p99(ttft) <= 60ms, goodput >= 99%]",
        )
        with hog(CLIENT_CORE, processes=4):
            assert_could_not_measure(*applied(scenario))


def test_asked_for_four_times_what_it_can_do_the_client_does_not_blame_the_server(tmp_path: Path) -> None:
    """One worker sends some 8,000 short requests a second; the server could answer more."""
    with served(first_ms=0, tokens=2, gap_ms=0) as server:
        scenario = write_scenario(
            tmp_path,
            target={"url": server.url, "framework": "openai", "model": "tiny"},
            workload={"prompts": {"synthetic": {"input_tokens": 16, "output_tokens": 2}}},
            load={"rate": ["32000/s"], "requests": 32_000, "warmup": {"requests": 100}, "workers": 1},
            slo="{ttft: 100ms}",
            gates="[p99(ttft) <= 100ms, goodput >= 99%]",
        )
        assert_could_not_measure(*applied(scenario))
