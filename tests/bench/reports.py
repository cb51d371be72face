"""The rows about reports: how long each takes of a large stored run, and how much memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from resource import struct_rusage
from time import perf_counter

from llmload.domain import Observation, RunHeader, TargetFacts, TokenFit, TokenSource
from llmload.planned import Look, Step
from llmload.reporters.registry import REPORTERS
from llmload.scenario.loader import load_text
from llmload.store.database import open_store
from tests.bench.figures import observation_of
from tests.bench.table import Row

_LADDER = (8, 16, 32, 64, 128)
_EVENTS = 128  # a request: memory goes with the events, and 128 are many
_SCENARIO = """
apiVersion: llmload/v1
kind: Scenario
metadata: {name: bench}
spec:
  target: {url: "http://127.0.0.1:9", framework: openai, model: bench}
  load: {concurrency: [8, 16, 32, 64, 128], requests: 20000}
  slo: {ttft: 500ms, tpot: 50ms}
  gates: ["goodput >= 95%", "p99(ttft) <= 500ms"]
  decision: {max_requests: 20000}
"""
_SIZES = {"markdown": 80, "html": 600, "json": 200}
"""What OUTPUTS bounds, in kB; of Markdown with its pictures."""


def rows() -> list[Row]:
    """Every format of one run of 100,000 requests, each by `llmload report` in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "bench.db"
        _stored(store)
        return [row for name in REPORTERS for row in _of_format(name, store)]


def _of_format(name: str, store: Path) -> list[Row]:
    out = store.parent / name
    seconds, used = _reported(name, store, out)
    kilobytes = sum(file.stat().st_size for file in out.rglob("*") if file.is_file()) / 1000
    what = f"100,000 requests: {name}"
    return [
        Row(
            what,
            10,
            seconds,
            "s",
            f"{_EVENTS} events a request; {used.ru_utime + used.ru_stime:.1f} s of CPU, of a process of its own",
        ),
        Row(f"{what}, memory", 500, used.ru_maxrss * 1024 / 1e6, "MB", "most resident"),
        Row(f"{what}, size", _SIZES.get(name), kilobytes, "kB"),
    ]


def _reported(name: str, store: Path, out: Path) -> tuple[float, struct_rusage]:
    """Seconds of one `llmload report`, and what it used."""
    program = str(Path(sys.executable).parent / "llmload")
    command = [program, "report", "bench-run", "--format", name]
    command += ["--store", str(store), "--out", str(out)]
    began = perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(process.stderr.read().decode() if process.stderr else "llmload report failed")
    return perf_counter() - began, used


def _stored(path: Path) -> None:
    document = load_text(_SCENARIO, "bench.yaml", env={}, directory=Path()).document
    created = "2026-01-01T00:00:00.000Z"
    header = RunHeader(
        "bench-run", "bench", created, "0", _SCENARIO, document.sha256, document.resolved, "bench.yaml", {}, {}
    )
    fit = TokenFit(4.0, 1.25, 0.004, TokenSource.USAGE)
    facts = TargetFacts("http://127.0.0.1:9", "openai", "chat", "bench", None, None, fit, {}, ())
    with open_store(path) as store:
        store.begin(header)
        store.describe(header.run_id, facts)
        for index, concurrency in enumerate(_LADDER):
            store.remember(header.run_id, _window(Step(index, "concurrency", concurrency)))


def _window(step: Step) -> Observation:
    observation = observation_of(20_000, 0, _EVENTS)
    return replace(observation, look=Look(step, 0, 20_000))
