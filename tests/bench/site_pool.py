"""Some runs to make many of: their requests are drawn, everything else about them is measured and judged as ever.

A run has six steps of 200 requests. Each scenario has three runs: as it is, faster and slower.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from pathlib import Path
from random import Random

from llmload.analysis.baselines import Refer
from llmload.baseline import Baseline, NoBaseline, PastRun
from llmload.domain import (
    Ending,
    Observation,
    RequestRecord,
    RunHeader,
    RunResult,
    TargetFacts,
    TokenFit,
    TokenSource,
    WorkerFacts,
)
from llmload.planned import Look, Step
from llmload.scenario.asked import Scenario
from llmload.scenario.loader import load_text
from llmload.store.database import Store, open_store
from llmload.store.judgement import judged
from tests.bench.figures import record_of
from tests.recorded_runs import CLEAN

LADDER = (4, 8, 16, 32, 64, 128)
REQUESTS = 200
EVENTS = 12
SCENARIOS = 40
USUAL, FASTER, SLOWER = range(3)
SPEEDS = (1.0, 0.8, 1.35)
"""How long everything takes in the runs of a scenario, beside its usual one."""

FRAMEWORKS = ("vllm", "sglang", "ollama", "triton", "lmdeploy", "openai")
MODELS = (
    "meta-llama/Llama-3.1-8B-Instruct",
    "Qwen/Qwen3-14B",
    "mistralai/Mistral-Small-24B-Instruct",
    "google/gemma-3-12b-it",
    "LGAI-EXAONE/EXAONE-4.0-32B",
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B",
    "microsoft/phi-4",
)
GPUS = ("NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-80GB", "NVIDIA L40S")
_WORK = ("chat", "rag", "summary", "code", "agents", "translate", "classify", "extract")
_TEAMS = ("serving", "search", "assistant", "platform", "research")
_START = "2024-01-01T00:00:00.000Z"
FINISHED = "2024-01-01T00:05:00.000Z"
"""When every run of the pool was finished."""
_MEMBER_OF_HISTORY = """
    - metric: ttft
      stat: p95
      relative: {to: baseline, max_increase: 10%}
"""
_SCENARIO = """
# How much of the usual traffic does one server carry? Measured before every release.
apiVersion: llmload/v1
kind: Scenario
metadata:
  name: NAME
  description: Traffic of the usual kind on one server
spec:
  target: {url: "http://gateway.example:8000", framework: FRAMEWORK, model: "MODEL"}
  workload:
    prompts:
      synthetic: {input_tokens: 256, output_tokens: EVENTS, unique: true}
    sampling: {temperature: 0, ignore_eos: true}
  load: {concurrency: LADDER, requests: REQUESTS}
  slo: {ttft: 600ms, tpot: 50ms}
  gates:
    - goodput >= 90% at concurrency <= 32
    - p90(ttft) <= 340ms at concurrency <= FARTHEST
    - p90(tpot) <= 16ms at concurrency <= 32
    - error_rate <= 10% at concurrency <= 16RELATIVE
  decision: {max_requests: REQUESTS}
"""


@dataclass(frozen=True, slots=True)
class Origin:
    """A run of the pool: its scenario's number from 0, and its place among SPEEDS."""

    run_id: str
    scenario: int
    variant: int


def make_pool(path: Path, scenarios: int = SCENARIOS) -> tuple[Origin, ...]:
    """The pool as a store of its own."""
    with open_store(path) as store:
        return tuple(_record(store, number, variant) for number in range(scenarios) for variant in range(len(SPEEDS)))


def name_of(scenario: int) -> str:
    """The name of a scenario."""
    return f"{_WORK[scenario % len(_WORK)]}-{FRAMEWORKS[scenario % len(FRAMEWORKS)]}-{scenario:02}"


def team_of(scenario: int) -> str:
    """Whose label its runs have."""
    return _TEAMS[scenario % len(_TEAMS)]


def _record(store: Store, number: int, variant: int) -> Origin:
    draw = Random(number * len(SPEEDS) + variant)
    origin = Origin(f"20240101-{number:06}-{variant:08x}", number, variant)
    text = _document(number)
    scenario = load_text(text, "benchmarks/traffic.yaml", env={}, directory=Path())
    header = _header(origin, text, scenario)
    store.begin(header)
    store.describe(header.run_id, _facts(number))
    failing = 0.2 if number % 5 == 3 and variant == SLOWER else 0.006
    speed = SPEEDS[variant] * (0.6 + 0.025 * (number % 17))
    for index, concurrency in enumerate(LADDER):
        store.remember(header.run_id, _window(Step(index, "concurrency", concurrency), speed, failing, draw))
    result = judged(store, header.run_id, scenario, against=lambda _: _refer(store, header.scenario), ending="finished")
    store.finish(header.run_id, replace(_with_extras(result, number), finished=FINISHED), "finished")
    return origin


def _document(number: int) -> str:
    words = {
        "NAME": name_of(number),
        "FRAMEWORK": FRAMEWORKS[number % len(FRAMEWORKS)],
        "MODEL": MODELS[number % len(MODELS)],
        "EVENTS": str(EVENTS),
        "LADDER": str(list(LADDER)),
        "REQUESTS": str(REQUESTS),
        "FARTHEST": "64" if number % 6 == 1 else "32",  # 200 requests say too little of 64 streams
        "RELATIVE": _MEMBER_OF_HISTORY.rstrip() if number % 4 == 0 else "",
    }
    text = _SCENARIO
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def _header(origin: Origin, text: str, scenario: Scenario) -> RunHeader:
    document = scenario.document
    environment = {"gpu": GPUS[origin.scenario % len(GPUS)], "gpu_count": "1", "git_branch": "main", "cpu_count": "16"}
    return RunHeader(
        origin.run_id,
        name_of(origin.scenario),
        _START,
        "0.1.0",
        text,
        document.sha256,
        document.resolved,
        "benchmarks/traffic.yaml",
        {},
        environment,
    )


def _facts(number: int) -> TargetFacts:
    fit = TokenFit(4.0, 1.25, 0.004, TokenSource.USAGE)
    framework = FRAMEWORKS[number % len(FRAMEWORKS)]
    settings = {"tensor_parallel_size": 1, "max_num_seqs": 256} if framework == "vllm" else {}
    api = "chat"
    model = MODELS[number % len(MODELS)]
    return TargetFacts(
        "http://gateway.example:8000", framework, api, model, f"0.{number % 12}.1", 8192, fit, settings, tuple(settings)
    )


def _history(store: Store, scenario: str) -> tuple[PastRun, ...]:
    """Eight runs about like the scenario's first one, where there has been one."""
    first = next(iter(store.history(scenario)), None)
    if first is None:
        return ()
    draw = Random(first.run_id)
    return tuple(_about_like(first.past, math.exp(draw.gauss(0, 0.03))) for _ in range(8))


def _about_like(run: PastRun, factor: float) -> PastRun:
    steps = {
        label: {name: replace(each, value=each.value * factor) for name, each in estimates.items()}
        for label, estimates in run.steps.items()
    }
    return replace(run, steps=steps)


def _refer(store: Store, name: str) -> Refer:
    past = _history(store, name)
    if not past:
        return lambda _: NoBaseline("this is the first run of its scenario", "Measure it again")
    return lambda fingerprint: Baseline("the history of the store", name, fingerprint, past)


def _with_extras(result: RunResult, number: int) -> RunResult:
    """Some had a GPU to look at, and a demand to meet."""
    if number % 3:
        return result
    return replace(result, gpus=CLEAN.gpus, recommendation=CLEAN.recommendation)


# ---------------------------------------------------------------- what happened


def _window(step: Step, speed: float, failing: float, draw: Random) -> Observation:
    """A closed loop on a server that is the slower, the more it has to do."""
    start = 10**12 + step.index * 60_000_000_000
    records = tuple(_records(step, speed, failing, draw, start))
    end = max(record.done_ns for record in records)
    beats = array("q", (int(draw.expovariate(1 / 2e5)) // 1000 * 1000 for _ in range((end - start) // 10_000_000)))
    worker = WorkerFacts(0, "", min(0.9, 0.02 + 0.004 * step.value), int(step.value), beats=len(beats))
    return Observation(
        Look(step, 0, REQUESTS),
        records,
        start,
        end,
        Ending.COMPLETE,
        beats,
        workers=(worker,),
        workers_because="one process carries this load",
    )


def _records(step: Step, speed: float, failing: float, draw: Random, start: int) -> Iterator[RequestRecord]:
    free: list[int] = []
    for number in range(int(step.value)):
        heappush(free, start + number * 50_000)
    first_ms = 120 * speed * (1 + step.value / 60)
    gap_us = 9_000 * speed * (1 + step.value / 90)
    for seq in range(REQUESTS):
        record = _request(seq, heappop(free), first_ms, gap_us, failing, draw)
        heappush(free, record.done_ns)
        yield record


def _request(seq: int, due: int, first_ms: float, gap_us: float, failing: float, draw: Random) -> RequestRecord:
    sent = due + draw.randrange(20, 300) * 1000
    at = sent + int(draw.lognormvariate(math.log(first_ms * 1000), 0.3)) * 1000
    events = array("q")
    for _ in range(EVENTS):
        events.append(at)
        at += max(1, int(draw.gauss(gap_us, gap_us / 12))) * 1000
    return record_of(seq, 0, (due, sent), events, is_failed=draw.random() < failing)
