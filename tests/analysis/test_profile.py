"""What one run says of an installation: which GPUs did the work, and what the findings of its search leave out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from llmload.analysis.judgement import judge
from llmload.analysis.profile import Hardware, gpus_per_replica, hardware_of, profile_of, traffic_of
from llmload.domain import RunResult
from llmload.planned import Step
from llmload.promises import Slo
from llmload.samples import Distribution
from llmload.scenario.asked import OpenLoop, Poisson, Recommend, Scenario, Simulator
from llmload.timeline import GpuSeries
from tests.analysis.builders import FACTS, HEADER, good_and_bad, request, scenario, window
from tests.analysis.servers import also, honest, telling

ASKED = Recommend(500, None, 10.0, 3.0, 0.95, 0.2, None, None)
GIB = 2**30


def gpu(
    utilisation: float | None, *, name: str = "H100", used: float | None = None, mig: str | None = None
) -> GpuSeries:
    """A GPU of 80 GiB that is so busy, and `used` of whose memory is occupied."""
    shares, sizes = (utilisation,) * 2, (None if used is None else round(used * 80 * GIB),) * 2
    nothing = (None, None)
    return GpuSeries(0, name, "", 80 * GIB, None, (0.0, 1.0), shares, sizes, nothing, nothing, mig=mig)


@pytest.mark.parametrize(
    ("gpus", "hardware"),
    [
        pytest.param([gpu(0.9)], Hardware("H100", 1, 80), id="one at work"),
        pytest.param([gpu(0.9), gpu(0.8)], Hardware("H100", 2, 80), id="two at work"),
        pytest.param([gpu(0.9), gpu(0.0)], Hardware("H100", 1, 80), id="an idle one beside it"),
        pytest.param([gpu(0.9), gpu(0.1)], Hardware("H100", 1, 80), id="a neighbour's few percent"),
        pytest.param([gpu(0.2), gpu(0.1)], Hardware("H100", 2, 80), id="two that are little used"),
        pytest.param([gpu(0.06, name="T400"), gpu(0.2)], Hardware("H100", 1, 80), id="one that drives a screen"),
        pytest.param([gpu(0.0), gpu(0.01)], Hardware(None, None, None), id="none at work: the server is elsewhere"),
        pytest.param([], Hardware(None, None, None), id="nothing was watched"),
        pytest.param([gpu(None, used=0.9), gpu(None, used=0.01)], Hardware("H100", 1, 80), id="by memory alone"),
        pytest.param([gpu(None), gpu(None)], Hardware(None, None, None), id="GPUs that tell nothing"),
        pytest.param(
            [gpu(None, used=0.9, mig="3g.40gb")] * 2, Hardware("H100 MIG 3g.40gb", 2, 80), id="slices of a GPU"
        ),
    ],
)
def test_the_gpus_that_did_the_work_are_the_servers(gpus: Sequence[GpuSeries], hardware: Hardware) -> None:
    assert hardware_of(gpus, replace(scenario(), recommend=ASKED)) == hardware


@pytest.mark.parametrize(
    ("named", "gpus", "hardware"),
    [
        pytest.param({"gpu_model": "L40S"}, [gpu(0.9)], Hardware("L40S", 1, 80), id="the model"),
        pytest.param({"gpu_count": 4}, [gpu(0.9)], Hardware("H100", 4, 80), id="the number"),
        pytest.param(
            {"gpu_model": "L40S", "gpu_count": 4}, [], Hardware("L40S", 4, None), id="both, where nothing is seen"
        ),
        pytest.param({"gpu_model": "L40S"}, [], Hardware("L40S", None, None), id="a model without a number"),
    ],
)
def test_what_the_author_names_wins(named: Mapping[str, object], gpus: Sequence[GpuSeries], hardware: Hardware) -> None:
    asked = replace(scenario(), recommend=replace(ASKED, **named))  # type: ignore[arg-type]  # by name
    assert hardware_of(gpus, asked) == hardware


def test_the_replicas_of_the_simulator_are_its_gpus_whatever_runs_beside_it() -> None:
    target = replace(scenario().target, place=Simulator(profile="h100", replicas=3))
    simulated = replace(scenario(), target=target)
    assert hardware_of([gpu(0.9)], simulated) == Hardware("simulated h100", 3, None)
    assert hardware_of([], simulated, 2) == Hardware("simulated h100", 6, None), "two GPUs for each replica"
    named = replace(simulated, recommend=replace(ASKED, gpu_model="H100", gpu_count=1))
    assert hardware_of([], named) == Hardware("H100", 1, None)


@pytest.mark.parametrize(
    ("settings", "actual", "gpus"),
    [
        pytest.param({}, {}, 1, id="nobody says"),
        pytest.param({"tensor_parallel_size": 2, "pipeline_parallel_size": 3}, {}, 6, id="declared"),
        pytest.param({"tensor_parallel_size": 2}, {"tensor_parallel_size": 4}, 4, id="the server's own word"),
        pytest.param({"tensor_parallel_size": "two", "pipeline_parallel_size": 0}, {}, 1, id="no number of GPUs"),
    ],
)
def test_the_gpus_of_a_replica(settings: Mapping[str, object], actual: Mapping[str, object], gpus: int) -> None:
    assert gpus_per_replica(replace(FACTS, settings=settings, actual=actual)) == gpus


def test_the_seed_is_no_part_of_the_traffic() -> None:
    other = replace(scenario(), workload=replace(scenario().workload, seed=7))
    assert traffic_of(other) == traffic_of(scenario())
    assert traffic_of(scenario(unique=False)) != traffic_of(scenario())


def queueing(asked: Scenario, *loads: tuple[float, float]) -> RunResult:
    """Windows of a server of whose TTFT most is its queue, at these loads and shares of good requests."""
    seen = []
    for load, share in loads:
        good = [request(n, at_ms=40 * n, ttft_ms=200.0 if n % 100 < share * 100 else 400.0) for n in range(200)]
        records = window(good, step=Step(0, "concurrency", load))
        seen.append(telling(records, also(honest(records), "queue_s", Distribution(200.0, 30.0))))
    return judge(HEADER, asked, FACTS, seen, finished="later")


SLOW = Slo(ttft_ms=300.0)


@pytest.mark.parametrize(
    ("recommend", "loads", "told"),
    [
        pytest.param(ASKED, [(8, 1.0), (16, 1.0), (32, 0.5)], [8, 16], id="up to the knee of a search"),
        pytest.param(ASKED, [(8, 0.5), (16, 0.5)], [8, 16], id="where no load holds"),
        pytest.param(None, [(8, 1.0), (16, 1.0), (32, 0.5)], [8, 16, 32], id="everywhere without a search"),
    ],
)
def test_a_search_does_not_wonder_at_the_queue_that_it_makes(
    recommend: Recommend | None, loads: Sequence[tuple[float, float]], told: Sequence[int]
) -> None:
    asked = replace(scenario(concurrency=(8, 16, 32), slo=SLOW), recommend=recommend)
    found = [each.step for each in queueing(asked, *loads).findings if each.kind == "server_queue"]
    assert found == [f"concurrency {load}" for load in told]


def test_without_a_ladder_of_concurrencies_there_is_no_profile() -> None:
    by_rate = replace(scenario(), load=replace(scenario().load, shape=OpenLoop((4.0,), Poisson())))
    seen = [window(good_and_bad(200, 0), step=Step(0, "rate", 4.0))]
    run = judge(HEADER, by_rate, FACTS, seen, finished="later")
    assert run.knee is not None
    assert profile_of(run, by_rate) is None
    assert profile_of(judge(HEADER, scenario(), None, [], finished="later"), scenario()) is None
