"""`python -m tests.bench.capacity`: how many replicas are advised, and how many it really takes? About ten minutes.

Three kinds of simulated server, each limited by something else. Truth: N = 1 .. 8 replicas behind one address are
given the peaks of a list, and the smallest N at which at least 95 % of a large sample of requests were good is what a
peak takes. Advice: a scenario with `recommend`, run as `llmload apply` runs it on one replica, and on three
behind one address. A figure that was taken while the client or the simulator was late is taken again, and not used.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TypeVar

from llmload.analysis.capacity import recommendation_of
from llmload.analysis.metrics import measure
from llmload.analysis.validity import check
from llmload.cli.execution import Order, execute
from llmload.cli.logs import configure
from llmload.domain import Observation, RunResult
from llmload.load.pool import Pool
from llmload.load.window import Window
from llmload.planned import Look, Step
from llmload.scenario.asked import Recommend, Scenario, Simulator
from llmload.scenario.loader import load
from llmload.simulator.process import SimulatorProcess, start
from llmload.target.probe import Probed, probe
from llmload.verdict import Caveat
from llmload.workload.planning import longest_request, pace_of, plan_look, warmup_of
from tests.bench.table import Row, show, write

PEAKS = (8, 11, 15, 20, 26, 33, 40, 47, 54, 62, 70, 78)
MOST_REPLICAS = 8
MEASURED_REPLICAS = (1, 3)
"""Replicas behind the address that advice is taken from."""

TARGET = 0.95
HEADROOM = 0.2
PER_SLOT, LEAST_REQUESTS = 12, 240
"""Measured requests of a sample that truth is taken from, for each request in flight, and at least."""

WITHIN = 0.2
LATE_MS = 10.0
"""The simulator's steps may be written so late, as p99: what the client is allowed as well."""

_PATIENCE = 4
_SCENARIO = """
apiVersion: llmload/v1
kind: Scenario
metadata: {{name: capacity}}
spec:
  target: {{url: "{url}", framework: openai}}
  workload:
    prompts: {{synthetic: {{input_tokens: {input}, output_tokens: {output}}}}}
    sampling: {{ignore_eos: true}}
  load: {{concurrency: [{ladder}], requests: 100, warmup: {{requests: 24}}}}
  slo: {slo}
  telemetry: {{gpu: {{source: none}}, server_metrics: none}}
  reports: {{formats: [json]}}
  recommend: {{peak_concurrency: {peak}, headroom: 0%, gpu: {{model: simulated, count: {replicas}}}}}
"""

Taken = TypeVar("Taken")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of server: what limits it, its figures, and the traffic and SLO that it is held to."""

    name: str
    machine: Simulator
    input_tokens: str
    output_tokens: str
    slo: str


KINDS = (
    Kind(
        "seats (max_num_seqs), TTFT",
        Simulator(
            decode_base_ms=12, decode_per_seq_ms=0, prefill_tokens_per_s=400_000, max_num_seqs=10, prefix_cache=False
        ),
        "32",
        "{uniform: [8, 24]}",
        "{ttft: 50ms}",
    ),
    Kind(
        "batch (decode_per_seq), TPOT",
        Simulator(
            decode_base_ms=8, decode_per_seq_ms=0.5, prefill_tokens_per_s=400_000, max_num_seqs=64, prefix_cache=False
        ),
        "32",
        "{uniform: [12, 28]}",
        "{tpot: 14ms}",
    ),
    Kind(
        "prefill, TTFT",
        Simulator(
            decode_base_ms=4, decode_per_seq_ms=0.05, prefill_tokens_per_s=5_000, max_num_seqs=64, prefix_cache=False
        ),
        "{uniform: [120, 180]}",
        "{uniform: [2, 4]}",
        "{ttft: 270ms}",
    ),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One peak: the smallest number of replicas that met the SLO there, and what was advised for it."""

    kind: str
    measured_replicas: int
    peak: int
    truth: int | None  # None: more than were tried
    advised: int | None
    with_headroom: int | None

    @property
    def deviation(self) -> float | None:
        """(advised - truth) / truth; None where there is no truth to hold it against."""
        if self.truth is None:
            return None
        return -1.0 if self.advised is None else (self.advised - self.truth) / self.truth

    @property
    def is_right(self) -> bool:
        """Whether the advice is within 20 % of the truth, or one replica."""
        if self.truth is None or self.advised is None:
            return False
        off = abs(self.advised - self.truth)
        return off <= 1 or off <= WITHIN * self.truth


class Unfit(Exception):
    """Figures that must not be used: the client or the simulator was late."""


def rows() -> list[Row]:
    """Measure, print the table of every peak, and tell how far off the advice was."""
    configure("text", "error", lambda text: text)
    found: list[Answer] = []
    took = []
    for kind in KINDS:
        began = perf_counter()
        found += answers(kind)
        took.append(perf_counter() - began)
    print(told(found))
    return [*judged(found), Row("truth table: minutes", 20, sum(took) / 60, "min")]


def judged(found: Sequence[Answer]) -> Iterator[Row]:
    """For each kind of server and number of measured replicas, how many peaks are right of those that N carry."""
    for kind, measured in dict.fromkeys((each.kind, each.measured_replicas) for each in found):
        mine = [each for each in found if (each.kind, each.measured_replicas) == (kind, measured)]
        known = [each for each in mine if each.truth is not None]
        worst = max((each.deviation or 0.0 for each in known), key=abs, default=0.0)
        note = f"largest deviation {worst:+.0%}; truth: share of a sample, of 1 to {MOST_REPLICAS} replicas"
        if len(known) < len(mine):
            note += f"; {len(mine) - len(known)} of {len(mine)} peaks take more than that"
        right = sum(each.is_right for each in known)
        yield Row(f"{kind}, from {measured}: peaks right", max(1, len(known)), right, "", note, is_floor=True)


def told(found: Sequence[Answer]) -> str:
    """The table: one line for each kind of server and peak."""
    lines = [("limited by", "peak", "takes", *(f"from {n} (+20 %)" for n in MEASURED_REPLICAS), "off by")]
    for kind, peak in dict.fromkeys((each.kind, each.peak) for each in found):
        mine = [each for each in found if (each.kind, each.peak) == (kind, peak)]
        takes = f"> {MOST_REPLICAS}" if mine[0].truth is None else str(mine[0].truth)
        off = ", ".join("?" if each.deviation is None else f"{each.deviation:+.0%}" for each in mine)
        advised = (f"{_or_none(each.advised)} ({_or_none(each.with_headroom)})" for each in mine)
        lines.append((kind, str(peak), takes, *advised, off))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    texts = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(text.rstrip() for text in texts)


def _or_none(number: int | None) -> str:
    return "none" if number is None else str(number)


def answers(kind: Kind) -> Iterator[Answer]:
    """Every peak of one kind of server, as it is and as it is advised from each number of measured replicas."""
    takes = truth(kind)
    for measured in MEASURED_REPLICAS:
        run, scenario = _patiently(lambda n=measured: recommended(kind, n))  # type: ignore[misc]  # bound now
        for peak in PEAKS:
            plain, cautious = (_advised(run, scenario, peak, headroom) for headroom in (0.0, HEADROOM))
            yield Answer(kind.name, measured, peak, takes.get(peak), plain, cautious)


def _patiently(take: Callable[[], Taken]) -> Taken:
    for _ in range(_PATIENCE):
        try:
            return take()
        except Unfit as unfit:
            print(f"taken again: {unfit}")
    raise SystemExit(f"this machine is too busy to measure on: figures were unfit {_PATIENCE} times")


# ---------------------------------------------------------------- truth


def truth(kind: Kind) -> Mapping[int, int]:
    """The smallest number of replicas that met the SLO at each peak; peaks that none met are left out.

    Each N climbs from the highest peak that N - 1 met (a lighter one is no news) to the first that it does not meet.
    """
    takes: dict[int, int] = {}
    for replicas in range(1, MOST_REPLICAS + 1):
        first = max(0, len(takes) - 1)
        shares = _patiently(lambda n=replicas, peaks=PEAKS[first:]: climbed(kind, n, peaks))  # type: ignore[misc]  # bound now
        print(f"{kind.name}, {replicas}: " + ", ".join(f"{peak} {share:.1%}" for peak, share in shares.items()))
        for peak, share in shares.items():
            if share >= TARGET:
                takes.setdefault(peak, replicas)
    return takes


def climbed(kind: Kind, replicas: int, peaks: Sequence[int]) -> Mapping[int, float]:
    """Share of good requests at each of `peaks`, up to the first at which it is below the target."""
    shares: dict[int, float] = {}
    with served(kind, replicas) as server, tempfile.TemporaryDirectory() as folder, Pool(1) as pool:
        scenario = scenario_of(kind, server.url, replicas, Path(folder))
        probed = probe(
            scenario.target, server.url, workload=scenario.workload, env={}, longest=longest_request(scenario)
        )
        for index, peak in enumerate(peaks):
            shares[peak] = sampled(pool, scenario, probed, Step(index, "concurrency", peak))
            if shares[peak] < TARGET:
                break
    return shares


def sampled(pool: Pool, scenario: Scenario, probed: Probed, step: Step) -> float:
    """Share of good requests of one large window; Unfit where the client was late."""
    look = Look(step, 0, max(LEAST_REQUESTS, round(PER_SLOT * step.value)))
    assert probed.facts.fit is not None
    asked = Window(
        look=look,
        endpoint=probed.endpoint,
        plan=plan_look(scenario, look, probed.facts.fit),
        slo=scenario.slo,
        pace=pace_of(scenario, look),
        warmup=warmup_of(scenario, look),
        duration_s=None,
        cooldown_s=0,
        max_duration_s=120,
    )
    seen: Observation = pool.observe(asked, on_progress=lambda progress: None, stop=threading.Event())
    metrics = measure([seen], scenario.slo)
    refuse_late(check([seen], metrics, scenario=scenario, facts=probed.facts), f"truth at {step.label}")
    assert metrics.goodput is not None
    return metrics.goodput


# ---------------------------------------------------------------- advice


def recommended(kind: Kind, replicas: int) -> tuple[RunResult, Scenario]:
    """One run that looks for the capacity of so many replicas behind one address; Unfit where anybody was late."""
    with served(kind, replicas) as server, tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        scenario = scenario_of(kind, server.url, replicas, place)
        order = Order(place / "store.db", place / "reports", None, {}, lambda progress: None)
        run = execute(scenario, order).result
    for step in run.steps:
        refuse_late(step.caveats, f"advice at {step.step.label}")
    return run, scenario


def _advised(run: RunResult, scenario: Scenario, peak: int, headroom: float) -> int | None:
    """Replicas for one peak, from what the run measured."""
    assert scenario.recommend is not None
    asked: Recommend = replace(scenario.recommend, peak_concurrency=peak, headroom=headroom)
    advice = recommendation_of(run, replace(scenario, recommend=asked), asked).advice
    return None if advice is None else advice.replicas


# ---------------------------------------------------------------- server


@contextmanager
def served(kind: Kind, replicas: int) -> Iterator[SimulatorProcess]:
    """So many replicas behind one address; Unfit where their steps came late."""
    with start(replace(kind.machine, replicas=replicas), api_key=None) as server:
        yield server
        late = server.truth()["lateness"]["written_ms"]["p99"]
    if late > LATE_MS:
        raise Unfit(f"p99 of the simulator's steps was {late:.1f} ms late, at most {LATE_MS:.0f} ms allowed")


def scenario_of(kind: Kind, url: str, replicas: int, folder: Path) -> Scenario:
    """The scenario that asks how many of such servers carry the highest peak."""
    written = _SCENARIO.format(
        url=url,
        input=kind.input_tokens,
        output=kind.output_tokens,
        slo=kind.slo,
        ladder=f"{4 * replicas}, {24 * replicas}",
        peak=PEAKS[-1],
        replicas=replicas,
    )
    path = folder / "capacity.yaml"
    path.write_text(written)
    return load(path, env={})


def refuse_late(caveats: Sequence[Caveat], where: str) -> None:
    """Unfit where a figure must not be used."""
    fatal = next((caveat for caveat in caveats if caveat.is_fatal), None)
    if fatal is not None:
        raise Unfit(f"{where}: {fatal.rule}: {fatal.figure}")


if __name__ == "__main__":
    measured = rows()
    print(show(measured))
    write(measured, Path("bench-capacity.json"))
