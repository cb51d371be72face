"""GPUs, capacity and advice read the same in Markdown, HTML and Excel."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmload.capacity import Advice, CurrentInfra, Demand, Interval, Knee, Recommendation
from llmload.reporters import capacity_sections, sections
from llmload.reporters.texts import Language, Texts, texts_in
from llmload.reporters.wording import label_in, step_label
from llmload.timeline import GpuSeries
from tests.recorded_runs import CLEAN, TROUBLE

ENGLISH, KOREAN = texts_in(Language.EN), texts_in(Language.KO)
GIB = 2**30
BUSY = GpuSeries(
    index=0,
    name="NVIDIA H100",
    uuid="GPU-1",
    memory_total_bytes=80 * GIB,
    power_limit_w=700.0,
    at_s=(0.0, 1.0, 2.0),
    utilisation=(0.5, None, 1.0),
    memory_bytes=(60 * GIB, 64 * GIB, None),
    temperature_c=(61.0, 72.5, None),
    power_w=(300.0, None, 500.0),
)
DUMB = GpuSeries(1, "unknown", "", None, None, (0.0,), (None,), (None,), (None,), (None,))
ADVICE = Recommendation(
    "5 × H100 carry 500 concurrent requests",
    Demand(500, 20, 512, 256, 500.0, 50.0, 95.0),
    CurrentInfra("H100", 1, 80.0, 120, 2604.0, 96.2, 160, 71.5),
    Advice(
        recommended_gpu="H100",
        recommended_count=5,
        tensor_parallelism=1,
        estimated_max_concurrency=600,
        estimated_goodput=96.2,
        estimated_throughput=13_020.0,
        headroom_percent=20,
        calculation_formula="ceil(500 × 1.2 / 120) = 5",
        reasoning="One GPU carries 120",
        intervals={"recommended_count": Interval(4, 6), "estimated_goodput": Interval(95.1, 97.4)},
    ),
)


@pytest.mark.parametrize(
    ("knee", "words"),
    [
        pytest.param(None, "", id="no ladder"),
        pytest.param(
            Knee("concurrency", 32, 64, 0.95),
            "The SLO holds for at least 95% of requests up to concurrency 32; "
            "throughput stops growing, or goodput falls, at concurrency 64",
            id="both",
        ),
        pytest.param(
            Knee("rate", 2.5, None, 0.99),
            "The SLO holds for at least 99% of requests up to rate 2.5/s; no saturation was seen",
            id="never saturated",
        ),
        pytest.param(
            Knee("concurrency", None, 8, 0.95),
            "At no measured load is it sure that the SLO holds for at least 95% of requests; "
            "throughput stops growing, or goodput falls, at concurrency 8",
            id="never within the SLO",
        ),
    ],
)
def test_the_knee_is_a_sentence(knee: Knee | None, words: str) -> None:
    assert sections.knee(replace(CLEAN, knee=knee), ENGLISH) == words


def test_a_gpu_tells_means_and_peaks_over_the_samples_that_it_has() -> None:
    table = sections.gpus(replace(CLEAN, gpus=(BUSY, DUMB)), ENGLISH)
    assert table.columns[3:] == ("Peak memory (GiB)", "Peak temperature (°C)", "Mean power (W)")
    assert table.rows == (
        ("0", "NVIDIA H100", "75%", "64 of 80", "72.5", "400 of 700"),
        ("1", "unknown", "n/a", "n/a", "n/a", "n/a"),
    )


def test_advice_tells_each_estimate_with_its_interval_and_an_unknown_cost_as_unknown() -> None:
    advised = capacity_sections.recommendation(replace(CLEAN, recommendation=ADVICE), ENGLISH)
    assert advised is not None
    assert advised.estimates.rows == (
        ("GPUs", "5 × H100", "4 to 6"),
        ("Tensor parallelism", "1", ""),
        ("Concurrency within the SLO", "600", ""),
        ("Goodput", "96.2%", "95.1% to 97.4%"),
        ("Output tok/s", "13,020", ""),
        ("Headroom", "20%", ""),
        ("Cost per month (USD)", "unknown", ""),
    )
    assert ("Peak concurrency", "500") in advised.demand
    assert ("Daily active users", "n/a") in advised.demand
    assert ("Highest concurrency within the SLO", "120") in advised.measured


def test_where_there_can_be_no_advice_the_reason_stands_alone() -> None:
    run = replace(CLEAN, recommendation=replace(ADVICE, headline="TTFT broke the SLO at every step", advice=None))
    advised = capacity_sections.recommendation(run, ENGLISH)
    assert advised is not None
    assert (advised.headline, advised.formula, advised.estimates.rows) == ("TTFT broke the SLO at every step", "", ())
    assert capacity_sections.recommendation(replace(CLEAN, recommendation=None), ENGLISH) is None


@pytest.mark.parametrize(
    ("texts", "labels"),
    [
        pytest.param(ENGLISH, ["concurrency 1", "concurrency 50", "concurrency 100", "rate 40/s"], id="English"),
        pytest.param(KOREAN, ["동시성 1", "동시성 50", "동시성 100", "초당 40건"], id="Korean"),
    ],
)
def test_a_step_is_labelled_in_the_language_of_the_report(texts: Texts, labels: list[str]) -> None:
    assert [step_label(step.step, texts) for step in TROUBLE.steps] == labels


def test_a_label_of_no_known_axis_stays_as_it_is() -> None:
    assert label_in("the run", KOREAN) == "the run"
    assert label_in("speed 2", KOREAN) == "2배속"
