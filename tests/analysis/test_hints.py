"""Hints beside a number of GPUs: each from figures that were read, and nothing where none were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from llmload.analysis.bottleneck import Bound, bottleneck_of
from llmload.analysis.hints import hints_of
from llmload.analysis.wording import milliseconds
from llmload.capacity import Demand, Hint
from llmload.domain import RunResult, StepResult
from llmload.planned import Step
from llmload.promises import Slo
from llmload.samples import Source
from llmload.scenario.asked import Scenario
from llmload.serving import GpuFigures, ServerFigures
from llmload.verdict import Status
from tests.analysis import builders
from tests.capacity_profiles import profile
from tests.recorded_advice import capacity_of
from tests.recorded_runs import CLEAN
from tests.recorded_steps import looks_of, metrics_of

SCENARIO = builders.scenario()
SHARED = replace(SCENARIO, workload=builders.scenario(unique=False).workload)
DEMAND = Demand(500, 10, 256, 512, 500, 50, 95)
VLLM: dict[str, object] = {
    "gpu_memory_utilization": 0.9,
    "tensor_parallel_size": 1,
    "max_num_seqs": 128,
    "quantization": "none",
    "enable_prefix_caching": True,
}


def server(**told: Any) -> ServerFigures:
    return ServerFigures(Source.METRICS, **told)


def step(
    load: float = 160.0,
    *,
    ttft_ms: float = 200.0,
    tpot_ms: float = 20.0,
    holds: bool = False,
    told: ServerFigures | None = None,
    busy: float | None = None,
) -> StepResult:
    """A load that surely breaks the SLO, or surely holds it; p95 is above the median that is named."""
    at = Step(1, "concurrency", load)
    metrics = replace(metrics_of(400, ttft_ms, tpot_ms, 4000.0), good=400 if holds else 200, goodput=float(holds))
    metrics = replace(metrics, goodput_low=0.99 if holds else 0.4, goodput_high=1.0 if holds else 0.6)
    result = StepResult(at, looks_of(at, 400), metrics, (), (), server=told)
    result = replace(result, gpu=None if busy is None else GpuFigures(1, utilisation=busy))
    return replace(result, capacity=capacity_of(result))


def ran(*above: StepResult, settings: Mapping[str, object] = VLLM, framework: str = "vllm", **of: Any) -> RunResult:
    """A run that carries 120, and what came above that."""
    assert CLEAN.target is not None
    assert CLEAN.knee is not None
    return replace(
        CLEAN,
        target=replace(CLEAN.target, framework=framework, settings=settings, declared=tuple(settings), actual={}),
        steps=(step(120.0, holds=True), *above),
        knee=replace(CLEAN.knee, at_slo=120.0),
        slo=Slo(ttft_ms=500.0, tpot_ms=50.0),
        profile=profile(framework=framework, **of),
        gpus=(),
    )


def said(kind: str, run: RunResult, scenario: Scenario = SCENARIO) -> list[str]:
    return [hint.text for hint in hints_of(run, scenario, DEMAND) if hint.kind == kind]


# ---------------------------------------------------------------- demand


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        pytest.param(500.0, "500 requests in flight at the busiest time, which agrees", id="as asked"),
        pytest.param(1000.0, "which agrees with the peak of 500", id="just twice"),
        pytest.param(250.0, "which agrees with the peak of 500", id="just half"),
        pytest.param(1001.0, "about 1,001 requests in flight at the busiest time, more than twice", id="over twice"),
        pytest.param(4.24, "about 4.2 requests in flight at the busiest time, less than half", id="far below"),
    ],
)
def test_what_daily_users_make_stands_beside_the_peak(expected: float, words: str) -> None:
    demand = replace(DEMAND, daily_active_users=10_000, expected_peak=expected)
    (hint,) = [each for each in hints_of(replace(CLEAN, profile=None), SCENARIO, demand) if each.kind == "demand"]
    assert hint.text.startswith("10,000 daily users make about ")
    assert words in hint.text


def test_without_daily_users_nothing_is_said_of_them() -> None:
    assert hints_of(replace(CLEAN, profile=None), SCENARIO, DEMAND) == ()


# ---------------------------------------------------------------- tensor parallelism


@pytest.mark.parametrize(
    ("model", "words"),
    [
        pytest.param("meta-llama/Llama-3.1-70B-Instruct", "has 70 billion parameters by its name", id="70B"),
        pytest.param("llama3:70b", "has 70 billion", id="as Ollama writes it"),
        pytest.param("Qwen3-32B-AWQ", "has 32 billion", id="just above"),
        pytest.param("gpt-oss-120b", "has 120 billion", id="at the end"),
        pytest.param("Mixtral-8x22B", "8 experts of 22 billion parameters by its name, at most 176", id="a mixture"),
        pytest.param("Qwen3-235B-A22B", "has 235 billion", id="active parameters are none of them"),
        pytest.param("Qwen3-30B-A3B", None, id="not above 30"),
        pytest.param("qwen3-14b", None, id="small"),
        pytest.param("llama-4bit", None, id="bits are no billions"),
        pytest.param("v70beta", None, id="within a word"),
        pytest.param("big-model", None, id="no size in the name"),
    ],
)
def test_a_large_model_on_one_gpu_is_worth_spreading(model: str, words: str | None) -> None:
    found = said("tensor_parallelism", ran(step(), model=model))
    assert [words in each for each in found if words is not None] == ([] if words is None else [True])
    assert len(found) == (0 if words is None else 1)


def test_a_large_model_on_several_gpus_or_on_nobody_knows_how_many_is_left_alone() -> None:
    assert said("tensor_parallelism", ran(step(), model="x-70b", gpu_count=2, gpus_per_replica=2)) == []
    unknown = ran(step(), settings={}, framework="ollama", model="x-70b", gpu_count=None)
    assert said("tensor_parallelism", unknown) == []


# ---------------------------------------------------------------- what bounds it


BOTTLENECKS = [
        pytest.param(
            {"kv_cache_share": 0.97, "waiting_max": 32.0}, 0.99, Bound.KV_CACHE,
            "KV cache at concurrency 160: up to 97% full, up to 32 requests waiting", id="full, and requests wait",
        ),
        pytest.param(
            {"kv_cache_share": 0.9, "preemptions": 12.0}, None, Bound.KV_CACHE,
            "up to 90% full, 12 requests preempted", id="requests are taken back",
        ),
        pytest.param({"preemptions": 1.0}, None, Bound.KV_CACHE, "160: 1 request preempted", id="nothing else told"),
        pytest.param(
            {"kv_cache_share": 0.4}, 0.98, Bound.GPU,
            "GPU at concurrency 160: it is busy 98% of the time, and the KV cache is at most 40% full", id="busy",
        ),
        pytest.param(
            {"kv_cache_share": 0.1}, 0.3, Bound.ELSEWHERE, "busy only 30% of the time. Look at the client", id="idle"
        ),
        pytest.param(None, 0.3, Bound.ELSEWHERE, "busy only 30%", id="idle, and no page of metrics"),
        pytest.param({"kv_cache_share": 0.99, "waiting_max": 0.0}, 0.6, None, "", id="full, but nobody waits"),
        pytest.param({"kv_cache_share": 0.85}, 0.98, None, "", id="both nearly full"),
        pytest.param(None, 0.98, None, "", id="busy, of unknown memory"),
        pytest.param({"kv_cache_share": 0.97}, None, None, "", id="full, of unknown queue"),
        pytest.param({"kv_cache_share": 0.5}, 0.7, None, "", id="nothing clear"),
        pytest.param(None, None, None, "", id="nothing read"),
    ]  # fmt: skip


@pytest.mark.parametrize(("told", "busy", "bound", "words"), BOTTLENECKS)
def test_a_bottleneck_is_told_by_its_figures(
    told: dict[str, float] | None, busy: float | None, bound: Bound | None, words: str
) -> None:
    found = bottleneck_of(step(told=None if told is None else server(**told), busy=busy))
    assert (None if found is None else found.bound) == bound
    assert found is None or words in found.text


def test_a_gpu_that_is_idle_while_the_slo_holds_is_no_sign_of_anything() -> None:
    assert bottleneck_of(step(holds=True, busy=0.2)) is None


def test_the_lightest_load_that_surely_breaks_the_slo_is_looked_at() -> None:
    full = server(kv_cache_share=0.97, waiting_max=9.0)
    unsure = step(130.0)
    assert unsure.capacity is not None
    unsure = replace(unsure, capacity=replace(unsure.capacity, status=Status.INCONCLUSIVE))
    run = ran(step(320.0), step(160.0, told=full), unsure)
    assert said("bound", run) == [
        "Bound by the memory of the KV cache at concurrency 160: up to 97% full, up to 9 requests waiting"
    ]


def test_an_idle_gpu_of_the_machine_hides_what_the_others_do() -> None:
    """The figures of a step are of all GPUs together: half of them idle would look like half of the work."""
    run = ran(step(busy=0.4))
    assert len(said("bound", replace(run, gpus=CLEAN.gpus[:1]))) == 1
    assert said("bound", replace(run, gpus=CLEAN.gpus)) == []


# ---------------------------------------------------------------- settings


FULL = server(kv_cache_share=0.97, waiting_max=9.0)
QUEUED = server(kv_cache_share=0.4, running=127.0, waiting_max=32.0)

TRIED: dict[str, tuple[RunResult, list[str]]] = {
    "more memory for a full KV cache": (
        ran(step(told=FULL)),
        [
            "Try a gpu_memory_utilization above 0.9: the KV cache is up to 97% full at concurrency 160",
            "Try a quantized model, whose weights leave more room: the KV cache is up to 97% full at concurrency 160",
            "Try a tensor_parallel_size above 1, with fewer weights on each GPU: the KV cache is up to 97% full at"
            " concurrency 160",
        ],
    ),
    "SGLang's name of it": (
        ran(step(told=FULL), framework="sglang", settings={"mem_fraction_static": 0.8}),
        ["Try a mem_fraction_static above 0.8: the KV cache is up to 97% full at concurrency 160"],
    ),
    "no more memory than there is": (
        ran(step(told=server(preemptions=3.0)), settings={"gpu_memory_utilization": 0.97, "tensor_parallel_size": 2}),
        [
            "Try a tensor_parallel_size above 2, with fewer weights on each GPU: requests are preempted at concurrency"
            " 160"
        ],
    ),
    "more sequences where the KV cache has room": (
        ran(step(told=QUEUED, ttft_ms=900.0)),
        [
            "Try a max_num_seqs above 128: 127 requests run and 32 wait at concurrency 160, and the KV cache is at most"
            " 40% full"
        ],
    ),
    "more sequences where nobody told how many may run": (
        ran(step(told=server(kv_cache_share=0.01, running=12.0, waiting=5.2), ttft_ms=900.0), settings={}),
        [
            "Try a larger max_num_seqs, if that is what requests wait for: 12 run and 5 wait at concurrency 160, and"
            " the KV cache is at most 1% full",
            "Try a larger max_num_batched_tokens: {ttft}, while TPOT holds",
        ],
    ),
    "fewer sequences where TPOT breaks": (
        ran(step(told=QUEUED, tpot_ms=60.0)),
        ["Try a max_num_seqs of 120, which holds the SLO: {tpot}, while TTFT holds"],
    ),
    "fewer of one of four replicas": (
        ran(step(tpot_ms=60.0), gpu_count=4),
        ["Try a max_num_seqs of 30, which holds the SLO: {tpot}, while TTFT holds"],
    ),
    "no fewer where there are no more": (ran(step(tpot_ms=60.0), settings={"max_num_seqs": 120}), []),
    "chunked prefill where it is off": (
        ran(step(tpot_ms=60.0), framework="sglang", settings={"chunked_prefill": False}),
        [
            "Try chunked_prefill, which is off: {tpot}, while TTFT holds",
            "Try a max_running_requests of 120, which holds the SLO: {tpot}, while TTFT holds",
        ],
    ),
    "a larger batch where TTFT breaks": (
        ran(step(ttft_ms=900.0)),
        ["Try a larger max_num_batched_tokens: {ttft}, while TPOT holds"],
    ),
    "more at once for Ollama": (
        ran(step(ttft_ms=900.0), framework="ollama", settings={}),
        ["Try a larger OLLAMA_NUM_PARALLEL: {ttft}, while TPOT holds"],
    ),
    "neither where both break": (ran(step(ttft_ms=900.0, tpot_ms=60.0)), []),
    "nothing of a server that nobody knows": (ran(step(ttft_ms=900.0), framework="openai", settings={}), []),
    "nothing where nothing was read": (ran(step()), []),
}


@pytest.mark.parametrize(("run", "wanted"), TRIED.values(), ids=TRIED)
def test_settings_to_try_rest_on_a_figure_each(run: RunResult, wanted: list[str]) -> None:
    latency = run.steps[-1].metrics.latency
    words = {
        name: f"p95 {name.upper()} is {milliseconds(latency[name].p95_ms)} at concurrency 160, over {limit}"
        for name, limit in (("ttft", "500ms"), ("tpot", "50ms"))
    }
    assert said("setting", run) == [each.format(**words) for each in wanted]


def test_prefix_caching_is_worth_trying_only_where_prompts_may_begin_alike() -> None:
    off = {**VLLM, "enable_prefix_caching": False}
    words = ["Try enable_prefix_caching: it is off, and prompts of this workload may begin alike"]
    assert said("setting", ran(step(), settings=off), SHARED) == words
    assert said("setting", ran(step(), settings=off)) == []
    assert said("setting", ran(step()), SHARED) == []


# ---------------------------------------------------------------- as a whole


def test_a_run_without_a_profile_has_no_hints_but_of_its_demand() -> None:
    assert hints_of(replace(ran(step(told=FULL)), profile=None), SCENARIO, DEMAND) == ()


def test_hints_are_pure() -> None:
    run = ran(step(told=FULL, busy=0.99), model="x-70b")
    assert hints_of(run, SCENARIO, DEMAND) == hints_of(run, SCENARIO, DEMAND)
    assert {hint.kind for hint in hints_of(run, SCENARIO, DEMAND)} == {"tensor_parallelism", "bound", "setting"}
    assert all(isinstance(hint, Hint) and hint.text.strip() == hint.text for hint in hints_of(run, SCENARIO, DEMAND))
