"""Where GPUs were slowed down is drawn, told, and never left out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.reporters.chart import Chart
from llmload.reporters.gpu_chart import gpu_chart
from llmload.reporters.texts import Language, texts_in
from llmload.reporters.throttling import Stretch, throttled_stretches
from llmload.serving import GpuFigures
from llmload.timeline import GpuSeries
from tests.recorded_runs import CLEAN

ENGLISH = texts_in(Language.EN)


def slowed(*told: bool | None, index: int = 0) -> GpuSeries:
    """A GPU with a sample each second."""
    count = len(told)
    return GpuSeries(
        index=index,
        name="H100",
        uuid=f"GPU-{index}",
        memory_total_bytes=None,
        power_limit_w=None,
        at_s=tuple(float(second) for second in range(count)),
        utilisation=(0.9,) * count,
        memory_bytes=(None,) * count,
        temperature_c=(None,) * count,
        power_w=(None,) * count,
        sm_clock_mhz=(1410.0,) * count,
        throttled=told,
        throttled_share=share_of(told),
    )


def share_of(told: Sequence[bool | None]) -> float | None:
    known = [each for each in told if each is not None]
    return sum(known) / len(known) if known else None


def drawn(*gpus: GpuSeries) -> Chart:
    chart = gpu_chart(replace(CLEAN, gpus=gpus), ENGLISH)
    assert chart is not None
    return chart


def titles_of(chart: Chart) -> list[str]:
    views = chart.spec["concat"]
    assert isinstance(views, list)
    return [str(view["title"]["text"]) for view in views]


def test_stretches_say_from_when_to_when_and_which() -> None:
    both = slowed(False, True, True, None, False), slowed(False, False, True, True, False, index=3)
    assert throttled_stretches(both) == [
        Stretch(1.0, 2.0, "GPU 0"),
        Stretch(2.0, 3.0, "GPU 0, GPU 3"),
        Stretch(3.0, 4.0, "GPU 3"),
    ]


def test_the_last_sample_counts_as_long_as_the_others() -> None:
    assert throttled_stretches([slowed(False, False, True)]) == [Stretch(2.0, 3.0, "GPU 0")]


@given(st.lists(st.sampled_from([True, False, None]), min_size=2, max_size=2000))
def test_no_slow_down_is_left_out_and_none_is_made_up(told: list[bool | None]) -> None:
    found = throttled_stretches([slowed(*told)])
    assert len(found) <= 40
    assert bool(found) == (True in told)
    for second, value in enumerate(told):
        if value:
            assert any(each.start_s <= second < each.end_s for each in found)
    assert all(earlier.end_s < later.start_s for earlier, later in pairwise(found))


def test_a_slow_down_shades_what_it_takes_from_and_brings_the_clock() -> None:
    chart = drawn(slowed(False, True, True, False))
    assert titles_of(chart) == ["mean 90%", "mean 1,410 MHz"]
    assert json.dumps(chart.spec).count("slowed down in 50% of the samples") >= 2
    assert chart.summary.endswith("Slowed down in 50% of the samples.")


def test_the_reasons_are_told_once_each() -> None:
    step = replace(CLEAN.steps[0], gpu=GpuFigures(1, throttled=0.5, throttle_reasons=("power cap", "too hot")))
    run = replace(CLEAN, gpus=(slowed(True, False),), steps=(step, step))
    chart = gpu_chart(run, ENGLISH)
    assert chart is not None
    assert chart.summary.endswith("Slowed down in 50% of the samples: power cap, too hot.")


@pytest.mark.parametrize(
    ("told", "end"),
    [
        pytest.param((False, False), " None was slowed down.", id="never slowed down"),
        pytest.param((), "mean utilisation 90%.", id="a device that does not tell"),
        pytest.param((None, None), "mean utilisation 90%.", id="a device that stopped to tell"),
    ],
)
def test_without_a_slow_down_there_is_neither_shade_nor_clock(told: tuple[bool | None, ...], end: str) -> None:
    chart = drawn(replace(slowed(False, False), throttled=told, throttled_share=share_of(told)))
    assert titles_of(chart) == ["mean 90%"]
    assert '"rect"' not in json.dumps(chart.spec)
    assert chart.summary.endswith(end)


def test_the_energy_of_all_gpus_is_told() -> None:
    chart = drawn(replace(slowed(False), energy_j=1500.0), replace(slowed(False, index=1), energy_j=2500.0))
    assert "4 kJ in the measured windows" in chart.summary


def test_stretches_are_a_table_for_those_who_cannot_see_them() -> None:
    views = drawn(slowed(False, True, False)).spec["concat"]
    assert isinstance(views, list)
    shade = views[0]["layer"][0]
    assert isinstance(shade, Mapping)
    assert shade["data"]["values"] == [{"start": 1.0, "end": 2.0, "gpus": "GPU 0"}]
    assert [each["title"] for each in shade["encoding"]["tooltip"]] == ["Slowed down", "From (s)", "To (s)"]
