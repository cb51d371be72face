"""The rows about planning: a million requests out of each source of prompts, in a process of its own.

`python -m tests.bench.planning` prints them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

import yaml

from llmload.analysis.looks import planned_sizes, steps_of
from llmload.analysis.row_use import rows_needed, stretch_of
from llmload.domain import TokenFit, TokenSource
from llmload.planned import Look
from llmload.scenario.loader import load_text
from llmload.workload.planning import longest_request, plan_look
from tests.bench.table import Row, show

MILLION = 1_000_000
SOURCES = ("synthetic", "lengths", "file")
_WINDOW = 100_000
_FIT = TokenFit(11, 1.25, 0.0, TokenSource.USAGE)
_PROMPTS: dict[str, dict[str, object]] = {
    "synthetic": {"synthetic": {"input_tokens": 256, "output_tokens": {"mean": 128, "stdev": 30}}},
    "lengths": {"synthetic": {"lengths": {"from": "lengths.csv"}}},
    "file": {"file": {"path": "rows.jsonl", "format": "openai"}},
}


@dataclass(frozen=True, slots=True)
class Planned:
    """What planning came to; `bytes` is the peak of the process, its imports included."""

    requests: int
    wall_s: float
    cpu_s: float
    bytes: int


def rows() -> list[Row]:
    """Two rows for each source."""
    found: list[Row] = []
    for source in SOURCES:
        planned = planned_apart(source, MILLION)
        note = f"CPU, from the scenario's text to the last request; {planned.wall_s:.1f} s of wall time"
        found.append(Row(f"plan 1 M requests, {source}", 10, planned.cpu_s, "s", note))
        found.append(Row(f"plan 1 M requests, {source}: memory", 500, planned.bytes / 2**20, "MB", ""))
    return found


def planned_apart(source: str, requests: int) -> Planned:
    """Plan in a process of its own, whose files are written beforehand."""
    with tempfile.TemporaryDirectory() as folder:
        _write(source, Path(folder), requests)
        command = [sys.executable, "-m", "tests.bench.planning", source, str(requests), folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Planned(**json.loads(done.stdout))


def _write(source: str, folder: Path, requests: int) -> None:
    if source == "lengths":
        lines = (f"{20 + row * 7919 % 900},{1 + row % 300}\n" for row in range(requests))
        with (folder / "lengths.csv").open("w") as file:
            file.write("input_tokens,output_tokens\n")
            file.writelines(lines)
    elif source == "file":
        text = "Tell me what you know of this, and why anybody should believe it. " * 2
        message = '{{"messages": [{{"role": "user", "content": "{row} {text}"}}]}}\n'
        with (folder / "rows.jsonl").open("w") as file:
            file.writelines(message.format(row=row, text=text) for row in range(requests * 11 // 10 + 1000))


def _plan(source: str, requests: int, folder: Path) -> Planned:
    """From the text of the scenario to the last request: windows of at most 100,000, one after the other."""
    wall, cpu = perf_counter(), process_time()
    window = min(_WINDOW, requests)
    spec = {
        "target": {"url": "http://localhost:8000"},
        "workload": {"prompts": _PROMPTS[source]},
        "load": {"concurrency": list(range(1, requests // window + 1)), "requests": window},
    }
    document = {"apiVersion": "llmload/v1", "kind": "Scenario", "metadata": {"name": "s"}, "spec": spec}
    scenario = load_text(yaml.safe_dump(document), "s.yaml", env={}, directory=folder)
    longest_request(scenario)
    rows_needed(scenario)
    for step in steps_of(scenario):
        look = Look(step, 0, planned_sizes(scenario, step)[0])
        plan = plan_look(scenario, look, _FIT, run="a", rows=stretch_of(scenario, look))
        for index in range(window):
            plan.request(index)
    return Planned(requests, perf_counter() - wall, process_time() - cpu, _peak_bytes())


def _peak_bytes() -> int:
    """Of this very program: what `getrusage` tells begins with the size of the process that started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def main() -> None:
    """One source where a process is told it, else all rows."""
    if len(sys.argv) == 4:
        found = _plan(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
        told = {name: getattr(found, name) for name in ("requests", "wall_s", "cpu_s", "bytes")}
        print(json.dumps(told))
    else:
        print(show(rows()))


if __name__ == "__main__":
    main()
