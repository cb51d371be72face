"""The rows about everything else: judging, storing, starting."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
from array import array
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from time import perf_counter

from llmload.analysis.estimates import estimates_of
from llmload.analysis.gates import judge_sample, sample_of
from llmload.analysis.metrics import measure_folded
from llmload.domain import Ending, Observation, Outcome, Phase, RequestRecord, RunHeader, TokenSource
from llmload.planned import Look, Step
from llmload.scenario.loader import load_text
from llmload.store.database import open_store
from tests.bench.table import Row, show

STEP = Step(0, "concurrency", 50)
EVENTS = 20
_SCENARIO = """
apiVersion: llmload/v1
kind: Scenario
metadata: {name: bench}
spec:
  target: {simulator: {profile: laptop}}
  load: {concurrency: [50], requests: 100000}
  slo: {ttft: 500ms, tpot: 50ms}
  gates: ["goodput >= 95%", "p99(ttft) <= 500ms", "p95(tpot) <= 50ms", "error_rate <= 1%"]
"""


def rows() -> list[Row]:
    """Every row that needs no server."""
    return [_judged(), *_stored(), _started("--help", 0.2), _started("validate scenarios/quickstart.yaml", 0.5)]


def _judged() -> Row:
    scenario = load_text(_SCENARIO, "bench.yaml", env={}, directory=Path())
    observations = (observation_of(100_000, 0),)

    def judge() -> None:
        sample = sample_of(STEP, observations, scenario)
        metrics = measure_folded(sample.folded, scenario.slo)
        judge_sample(scenario.gates, sample, ())
        estimates_of(sample.folded, metrics, scenario.slo)

    return Row("100,000 requests: metrics and gates", 5, _timed(judge), "s", f"{EVENTS} events a request")


def _stored() -> list[Row]:
    blocks, size = 10, 100_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.db"
        header = RunHeader("bench-run", "bench", "2026-01-01T00:00:00.000Z", "0", "", "", "{}", "bench.yaml", {}, {})
        observation = observation_of(size, 0)
        taken = 0.0
        with open_store(path) as store:
            store.begin(header)
            for number in range(blocks):
                window = replace(observation, look=replace(observation.look, number=number))
                taken += _timed(lambda window=window: store.remember(header.run_id, window))  # type: ignore[misc]
        stored = sum(file.stat().st_size for file in Path(folder).iterdir())
    note = f"{EVENTS} events a request"
    return [
        Row("store 1 M requests", 10, taken, "s", note),
        Row("store 1 M requests, each", 60, stored / (blocks * size), "bytes", note),
    ]


def _started(arguments: str, bar: float) -> Row:
    command = [sys.executable, "-m", "llmload", *arguments.split()]
    if not (Path("llmload") / "__main__.py").exists():
        command[:3] = [str(Path(sys.executable).parent / "llmload")]

    def start() -> None:
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "COLUMNS": "120"})

    start()  # the first one fills the disk cache
    return Row(f"llmload {arguments}", bar, min(_timed(start) for _ in range(3)), "s", "best of 3")


def _timed(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def observation_of(count: int, number: int, events: int = EVENTS) -> Observation:
    """A window of plausible requests: lognormal TTFT, gaps about 20 ms, one in two hundred failed."""
    draw = Random(number)
    records = tuple(_record(seq, number, events, draw) for seq in range(count))
    end = max(record.done_ns for record in records)
    beats = array("q", (draw.randrange(1_000_000) for _ in range(20_000)))
    return Observation(Look(STEP, number, count), records, records[0].due_ns, end, Ending.COMPLETE, beats)


def record_of(seq: int, look: int, begun: tuple[int, int], events: array[int], *, is_failed: bool) -> RequestRecord:
    """A measured request, due and sent at these instants (ns); one that failed ends when its last event would come."""
    due, sent = begun
    return RequestRecord(
        seq=seq,
        look=look,
        phase=Phase.MEASURED,
        outcome=Outcome.HTTP_ERROR if is_failed else Outcome.OK,
        due_ns=due,
        sent_ns=sent,
        done_ns=events[-1] + 100_000,
        event_ns=array("q") if is_failed else events,
        asked_input_tokens=256,
        asked_output_tokens=len(events),
        reads=0 if is_failed else len(events),
        input_tokens=None if is_failed else 256,
        output_tokens=None if is_failed else len(events),
        token_source=None if is_failed else TokenSource.USAGE,
        finish_reason=None if is_failed else "length",
        http_status=503 if is_failed else 200,
        error_type="HTTP_503" if is_failed else None,
        error_text="overloaded" if is_failed else None,
    )


def _record(seq: int, look: int, count: int, draw: Random) -> RequestRecord:
    due = 10**12 + seq * 10_000_000
    sent = due + draw.randrange(20, 300) * 1000
    at = sent + int(draw.lognormvariate(math.log(2e5), 0.3)) * 1000
    events = array("q")
    for _ in range(count):
        events.append(at)
        at += int(draw.gauss(20_000, 500)) * 1000
    return record_of(seq, look, (due, sent), events, is_failed=seq % 200 == 199)


if __name__ == "__main__":
    print(show(rows()))
