"""`python -m tests.bench.gates`: are relative gates right about real runs? Five minutes; writes gate-runs.json.

Forty runs of one simulated server and forty of one that is 10 % slower, in turns, each a whole `llmload apply`. Every
run's server has a speed of its own (3 % around its mean), since that is what differs between runs of a real one: the
machine, its clock, its neighbours. Then experiments are drawn from these runs: pairs of the same server, of which no
gate may fail, and pairs with the slower one, which gates must catch.
"""

from __future__ import annotations

import json
import math
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from llmload.analysis.baselines import choose
from llmload.analysis.relative import Candidate, judge_change
from llmload.baseline import Baseline, Design, Difference, Estimate, Estimates, Incomparable, NoBaseline, PastRun
from llmload.planned import Step
from llmload.promises import Change
from llmload.scenario.gates import parse_gate
from llmload.verdict import Status, Verdict
from tests.bench.table import Row, show, write
from tests.command import llmload

RUNS = 40
SPREAD = 0.03
SLOWER = 1.10
PAIRS = 12
EXPERIMENTS = 500
CONFIDENCE = 0.95
STEP = Step(0, "concurrency", 4.0)
FIGURES = ("p50(tpot)", "p50(e2e)", "mean(e2e)", "output_tps")
RECORD = Path("gate-runs.json")

_DECODE_MS, _PER_SEQ_MS, _PREFILL_PER_S = 8.0, 0.1, 20_000.0
_PATIENCE = 10
_SCENARIO = """
apiVersion: llmload/v1
kind: Scenario
metadata: {name: gates}
spec:
  target: {simulator: {profile: laptop}}
  workload: {prompts: {synthetic: {input_tokens: 64, output_tokens: 32}}, sampling: {temperature: 0, ignore_eos: true}}
  load: {concurrency: [4], requests: 32, warmup: {requests: 8}}
"""


@dataclass(frozen=True)
class Recorded:
    """What each run said of itself, and the fingerprint that all of them have."""

    healthy: tuple[Estimates, ...]
    slower: tuple[Estimates, ...]
    fingerprint: Mapping[str, str]
    other: Mapping[str, str]  # of a run on another GPU profile


def rows() -> list[Row]:
    """Measure, write the record, and judge what can be drawn from it."""
    recorded = record()
    RECORD.write_text(as_json(recorded))
    return list(judged(recorded))


# ---------------------------------------------------------------- measure


def record() -> Recorded:
    """Real runs: healthy and slower in turns, the first of each with the first noise and so on."""
    draw = Random(20261121)
    healthy, slower = [], []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "gates.yaml").write_text(_SCENARIO)
        for _ in range(RUNS):
            for found, factor in ((healthy, 1.0), (slower, SLOWER)):
                speed = factor * math.exp(draw.gauss(0, SPREAD))
                found.append(_estimates(_run(place, *_machine(speed))))
        same, other = _run(place, "seed=1"), _run(place, "profile=h100")
    return Recorded(tuple(healthy), tuple(slower), same["fingerprint"], other["fingerprint"])


def _machine(speed: float) -> tuple[str, ...]:
    """Figures of a simulated machine that takes `speed` times as long for everything."""
    return (
        f"decode_base={_DECODE_MS * speed:.4f}ms",
        f"decode_per_seq={_PER_SEQ_MS * speed:.4f}ms",
        f"prefill={_PREFILL_PER_S / speed:.2f} tok/s",
    )


def _run(place: Path, *settings: str) -> dict[str, dict[str, str]]:
    """One measured run. A client that was late measured nothing: the run is made again, as a person would."""
    sets = [word for setting in settings for word in ("--set", f"spec.target.simulator.{setting}")]
    for _ in range(_PATIENCE):
        done = llmload("apply", "gates.yaml", "--json", *sets, cwd=place)
        if not done.returncode:
            document: dict[str, dict[str, str]] = json.loads(done.stdout)
            return document
    raise SystemExit(f"a run could not be measured {_PATIENCE} times:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def _estimates(document: Mapping[str, object]) -> Estimates:
    steps = document["steps"]
    assert isinstance(steps, list)
    told = steps[0]["estimates"]
    return {figure: Estimate(**told[figure]) for figure in FIGURES}


# ---------------------------------------------------------------- keep


def as_json(recorded: Recorded) -> str:
    """The record as readable JSON, values to five digits."""
    sides = {
        side: {name: [float(f"{run[name].value:.5g}") for run in runs] for name in runs[0]}
        for side, runs in (("healthy", recorded.healthy), ("slower", recorded.slower))
    }
    lines = [
        f'  "{side}": {{\n' + ",\n".join(f'    "{name}": {values}' for name, values in figures.items()) + "\n  }"
        for side, figures in sides.items()
    ]
    lines += [f'  "{key}": {json.dumps(getattr(recorded, key), sort_keys=True)}' for key in ("fingerprint", "other")]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def from_json(text: str) -> Recorded:
    """A record as it was kept."""
    kept = json.loads(text)
    sides = [
        tuple(
            {name: Estimate(values[place]) for name, values in kept[side].items()}
            for place in range(len(next(iter(kept[side].values()))))
        )
        for side in ("healthy", "slower")
    ]
    return Recorded(sides[0], sides[1], kept["fingerprint"], kept["other"])


# ---------------------------------------------------------------- judge


def judged(recorded: Recorded) -> Iterator[Row]:
    """False fails, catches and the spread they rest on, figure by figure; the worst figure is told."""
    largest = max(spread(recorded.healthy, figure) for figure in FIGURES)
    yield Row("runs of one server: CV between runs, largest", None, 100 * largest, "%", ", ".join(FIGURES))
    healthy = experiments(recorded.healthy, recorded.healthy, PAIRS)
    note = f"{EXPERIMENTS} experiments of {PAIRS} pairs out of {RUNS} real runs, {len(FIGURES)} gates each"
    yield Row("pairs of the same server: gates that fail", 0, count(healthy, Status.FAIL), "", note)
    yield Row("pairs of the same server: gates that pass", None, share(healthy, Status.PASS), "%", note)
    for pairs, bar in ((PAIRS, 90.0), (8, None), (5, None)):
        caught = experiments(recorded.healthy, recorded.slower, pairs)
        worst = min(share({gate: caught[gate]}, Status.FAIL) for gate in caught)
        yield Row(f"10 % slower, {pairs} pairs: caught, worst gate", bar, worst, "%", note="", is_floor=True)
    keys = [each.key for each in differing(recorded)]
    note = f"differs in {', '.join(keys)}"
    yield Row("another GPU profile: incomparable by its gpu", 1, keys.count("gpu"), "", note, is_floor=True)


def differing(recorded: Recorded) -> tuple[Difference, ...]:
    """What a run on another GPU profile is told to differ in, held against a baseline of the recorded ones."""
    known = PastRun("run-1", "2026-11-21T00:00:00.000Z", "", {STEP.label: recorded.healthy[0]})
    candidates = (Baseline("recorded", "gates", recorded.fingerprint, (known,)),)
    found = choose(candidates, recorded.other, NoBaseline("nothing is recorded", ""))
    return found.differing if isinstance(found, Incomparable) else ()


Decided = Mapping[str, Sequence[Status]]


def experiments(base: Sequence[Estimates], candidates: Sequence[Estimates], pairs: int) -> Decided:
    """What each gate came to in experiments drawn from runs; no run is on both sides of one experiment."""
    draw = Random(pairs)
    decided: dict[str, list[Status]] = {figure: [] for figure in FIGURES}
    for _ in range(EXPERIMENTS):
        places = draw.sample(range(len(base)), 2 * pairs)
        before = [base[place] for place in places[:pairs]]
        after = [candidates[place] for place in places[pairs:]]
        for figure in FIGURES:
            decided[figure].append(judge_pairs(figure, before, after).status)
    return decided


def judge_pairs(figure: str, before: Sequence[Estimates], after: Sequence[Estimates]) -> Verdict:
    """The verdict on pairs of runs that may differ by 5 %."""
    gate = parse_gate(f"{figure} within 5% of baseline")
    assert isinstance(gate.promise, Change)
    runs = tuple(PastRun(f"run-{number}", "", "", {STEP.label: each}) for number, each in enumerate(before))
    paired = Baseline("pairs", "gates", {}, runs, Design.PAIRED)
    candidate = Candidate(STEP, after[0], tuple(after))
    return judge_change(gate, gate.promise, candidate=candidate, reference=paired, confidence=CONFIDENCE)


def count(decided: Decided, status: Status) -> int:
    """How many verdicts came out so."""
    return sum(each is status for found in decided.values() for each in found)


def share(decided: Decided, status: Status) -> float:
    """The same in percent."""
    return 100 * count(decided, status) / sum(len(found) for found in decided.values())


def spread(runs: Sequence[Estimates], figure: str) -> float:
    """Coefficient of variation between runs, as the standard deviation of logarithms."""
    return statistics.stdev(math.log(run[figure].value) for run in runs)


if __name__ == "__main__":
    found = rows()
    print(show(found))
    write(found, Path("bench-gates.json"))
