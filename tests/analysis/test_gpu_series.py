"""Samples of GPUs become series and figures: nothing invented, no peak lost, energy by the windows' own edges."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.analysis.gpu_series import gpu_figures_of, gpu_series_of
from llmload.analysis.metrics import measure
from llmload.analysis.samples import MOST_POINTS
from llmload.domain import Observation, StepMetrics
from llmload.samples import Series
from llmload.serving import GpuFigures
from tests.analysis.watched import CARD, OTHER, lasting, of_gpu

POWER_CAP, IDLE, HOT = 0x4, 0x1, 0x20


def metrics(*windows: Observation, output_tps: float | None = None) -> StepMetrics:
    return replace(measure(list(windows), None), output_tps=output_tps)


def figures(*windows: Observation, output_tps: float | None = None) -> GpuFigures:
    found = gpu_figures_of(windows, metrics(*windows, output_tps=output_tps))
    assert found is not None
    return found


def test_without_a_gpu_there_is_nothing_to_tell() -> None:
    plain = lasting(0, 10)
    assert gpu_series_of([plain]) == ()
    assert gpu_figures_of([plain], metrics(plain)) is None


def test_a_series_lies_on_the_clock_of_the_windows() -> None:
    first = lasting(100, 110, of_gpu("power_w", [(99, 1.0), (100, 2.0), (105, 3.0)]), gpus=(CARD,))
    second = lasting(115, 120, of_gpu("power_w", [(112, 4.0), (118, 5.0)]), gpus=(CARD,))
    (series,) = gpu_series_of([first, second])
    assert (series.at_s, series.power_w) == ((0.0, 5.0, 12.0, 18.0), (2.0, 3.0, 4.0, 5.0))


def test_what_a_gpu_does_not_tell_is_missing_and_never_nothing() -> None:
    told = of_gpu("utilisation", [(0, 0.0), (1, 0.5)])
    (series,) = gpu_series_of([lasting(0, 2, told, of_gpu("temperature_c", [(1, 60.0)]), gpus=(CARD,))])
    assert series.utilisation == (0.0, 0.5)
    assert series.temperature_c == (None, 60.0)
    assert series.power_w == (None, None)
    assert (series.sm_clock_mhz, series.throttled, series.energy_j) == ((), (), None)


def test_a_gpu_that_was_silent_for_long_leaves_a_gap() -> None:
    seconds = [*range(10), *range(40, 50)]
    (series,) = gpu_series_of([lasting(0, 50, of_gpu("power_w", [(at, 100.0) for at in seconds]), gpus=(CARD,))])
    assert len(series.at_s) == 21
    assert [at for at, value in zip(series.at_s, series.power_w, strict=True) if value is None] == [24.5]


@given(
    count=st.integers(MOST_POINTS + 1, 2_000),
    gpus=st.integers(1, 20),
    peak=st.floats(1e6, 1e11).map(round),
    data=st.data(),
)
def test_long_runs_are_folded_and_keep_their_peaks(count: int, gpus: int, peak: int, data: st.DataObject) -> None:
    hottest = data.draw(st.integers(0, count - 1))
    memory = [(float(at), float(peak if at == hottest else 1_000)) for at in range(count)]
    cards = tuple(replace(CARD, key=f"GPU-{place}", index=place) for place in range(gpus))
    told = [of_gpu("memory_bytes", memory, card) for card in cards]
    found = gpu_series_of([lasting(0, count, *told, gpus=cards)])
    assert len(found) == gpus
    assert {series.peak_memory_bytes for series in found} == {peak}
    assert all(len(series.at_s) <= MOST_POINTS for series in found)
    assert gpus * len(found[0].at_s) <= max(4 * MOST_POINTS, gpus * 60)


def test_figures_of_a_step_are_those_inside_its_windows() -> None:
    told = of_gpu("utilisation", [(5, 0.1), (10, 0.8), (15, 0.9), (20, 1.0), (25, 0.2)])
    assert figures(lasting(10, 20, told, gpus=(CARD,))).utilisation == pytest.approx(0.9)


def test_all_gpus_count_together() -> None:
    window = lasting(
        0,
        10,
        of_gpu("power_w", [(1, 300.0), (2, 500.0)]),
        of_gpu("power_w", [(1, 100.0)], OTHER),
        of_gpu("memory_bytes", [(1, 7e9), (2, 8e9)]),
        of_gpu("memory_bytes", [(1, 1e9)], OTHER),
        of_gpu("temperature_c", [(1, 66.0)]),
        of_gpu("temperature_c", [(1, 71.0)], OTHER),
        gpus=(CARD, OTHER),
    )
    found = figures(window)
    assert (found.count, found.power_w, found.memory_bytes, found.temperature_c) == (2, 500.0, 9_000_000_000, 71.0)


def test_energy_is_the_growth_of_the_counter_between_the_edges_of_the_windows() -> None:
    counter = of_gpu("energy_j", [(at, 1_000.0 + 400.0 * at) for at in (9.5, 11.0, 19.0, 20.5)])
    window = lasting(10, 20, counter, of_gpu("power_w", [(9.5, 1.0), (20.5, 1.0)]), gpus=(CARD,))
    found = figures(window, output_tps=200.0)
    assert found.energy_j == pytest.approx(4_000.0)
    assert found.joules_per_token == pytest.approx(2.0)


def test_without_a_counter_energy_is_power_over_time() -> None:
    power = of_gpu("power_w", [(9.0, 100.0), (15.0, 100.0), (15.000001, 300.0), (21.0, 300.0)])
    assert figures(lasting(10, 20, power, gpus=(CARD,))).energy_j == pytest.approx(2_000.0, rel=1e-4)


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(of_gpu("energy_j", [(11, 5.0)]), id="one sample"),
        pytest.param(of_gpu("energy_j", [(14, 5.0), (16, 9.0)]), id="samples far from the edges"),
        pytest.param(of_gpu("energy_j", [(10, 900.0), (15, 5.0), (20, 9.0)]), id="a counter that fell"),
        pytest.param(of_gpu("utilisation", [(10, 0.5), (20, 0.5)]), id="neither energy nor power"),
    ],
)
def test_energy_that_cannot_be_told_is_none(told: Series) -> None:
    found = figures(lasting(10, 20, told, gpus=(CARD,)), output_tps=100.0)
    assert (found.energy_j, found.joules_per_token) == (None, None)


def test_power_and_energy_of_some_gpus_are_not_those_of_all() -> None:
    counter, power = of_gpu("energy_j", [(10, 0.0), (20, 100.0)]), of_gpu("power_w", [(15, 300.0)])
    found = figures(lasting(10, 20, counter, power, gpus=(CARD, OTHER)))
    assert (found.energy_j, found.power_w) == (None, None)


def test_energy_of_some_windows_is_not_that_of_all() -> None:
    told = lasting(10, 20, of_gpu("energy_j", [(10, 0.0), (20, 100.0)]), gpus=(CARD,))
    assert [gpu.energy_j for gpu in gpu_series_of([told])] == [100.0]
    assert [gpu.energy_j for gpu in gpu_series_of([told, lasting(30, 40, gpus=(CARD,))])] == [None]


def test_of_several_gpus_the_one_that_was_slowed_down_most_often_counts() -> None:
    hot = of_gpu("throttle_reasons", [(1, HOT), (2, HOT), (3, 0)], OTHER)
    cool = of_gpu("throttle_reasons", [(1, 0), (2, POWER_CAP), (3, 0)])
    found = figures(lasting(0, 5, hot, cool, gpus=(CARD, OTHER)))
    assert found.throttled == pytest.approx(2 / 3)
    assert found.throttle_reasons == ("too hot", "power cap")


def test_a_gpu_is_slowed_down_by_what_is_no_lack_of_work() -> None:
    masks = of_gpu("throttle_reasons", [(1, IDLE), (2, POWER_CAP), (3, POWER_CAP | HOT), (4, 0)])
    window = lasting(0, 5, masks, gpus=(CARD,))
    found = figures(window)
    assert (found.throttled, found.throttle_reasons) == (0.5, ("power cap", "too hot"))
    (series,) = gpu_series_of([window])
    assert series.throttled == (False, True, True, False)


def test_a_long_run_does_not_make_more_of_a_slow_down_than_its_samples_tell() -> None:
    masks = [(float(at), float(HOT if at % 20 == 0 else 0)) for at in range(4_000)]
    (series,) = gpu_series_of([lasting(0, 4_000, of_gpu("throttle_reasons", masks), gpus=(CARD,))])
    assert len(series.throttled) <= MOST_POINTS
    assert series.throttled_share == 0.05


def test_a_room_of_gpus_is_folded_in_one_pass_and_each_keeps_its_own() -> None:
    room = [replace(CARD, key=f"gpu-{number}", index=number) for number in range(1000)]
    told = [
        replace(of_gpu(name, [(at, float(gpu.index)) for at in range(4)]), device=gpu.key)
        for gpu in room
        for name in (*("utilisation", "temperature_c", "sm_clock_mhz", "memory_bytes"), "power_w")
    ]
    windows = [lasting(0, 3, *told, gpus=tuple(room))]
    began = time.process_time()
    series, found = gpu_series_of(windows), figures(*windows)
    assert time.process_time() - began < 1.2
    assert [each.power_w[0] for each in series] == list(range(1000))
    assert [each.energy_j for each in series] == [3.0 * number for number in range(1000)]
    assert (found.power_w, found.memory_bytes) == (sum(range(1000)), sum(range(1000)))


def test_a_mask_that_is_none_slows_nothing_down() -> None:
    masks = of_gpu("throttle_reasons", [(1, 1e100), (2, -1.0), (3, HOT), (4, 0.5)])
    window = lasting(0, 5, masks, gpus=(CARD,))
    assert figures(window).throttled == 0.25
    assert gpu_series_of([window])[0].throttled_share == 0.25
