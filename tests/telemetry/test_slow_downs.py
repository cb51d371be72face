"""Which bits of a GPU's mask mean that it was slowed down."""

from __future__ import annotations

import pynvml
import pytest

from llmload.samples import SLOW_DOWNS, slow_downs


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        pytest.param(pynvml.nvmlClocksEventReasonNone, (), id="nothing"),
        pytest.param(pynvml.nvmlClocksEventReasonGpuIdle, (), id="idle"),
        pytest.param(pynvml.nvmlClocksEventReasonApplicationsClocksSetting, (), id="clocks that somebody set"),
        pytest.param(pynvml.nvmlClocksEventReasonSyncBoost, (), id="clocks of a group of GPUs"),
        pytest.param(pynvml.nvmlClocksEventReasonDisplayClockSetting, (), id="clocks of a display"),
        pytest.param(pynvml.nvmlClocksThrottleReasonReliability, (), id="the highest voltage there is"),
        pytest.param(pynvml.nvmlClocksEventReasonSwPowerCap, ("power cap",), id="the power limit"),
        pytest.param(pynvml.nvmlClocksEventReasonHwSlowdown, ("hardware slowdown",), id="hardware, without a cause"),
        pytest.param(pynvml.nvmlClocksEventReasonSwThermalSlowdown, ("too hot",), id="the driver finds it too hot"),
        pytest.param(
            pynvml.nvmlClocksEventReasonHwSlowdown | pynvml.nvmlClocksEventReasonHwThermalSlowdown,
            ("too hot (hardware)",),
            id="hardware with its cause is told once",
        ),
        pytest.param(
            pynvml.nvmlClocksEventReasonHwSlowdown | pynvml.nvmlClocksEventReasonHwPowerBrakeSlowdown,
            ("power brake",),
            id="the power supply",
        ),
        pytest.param(pynvml.nvmlClocksThrottleReasonBoardLimit, ("board limit",), id="the board"),
        pytest.param(
            pynvml.nvmlClocksEventReasonSwPowerCap | pynvml.nvmlClocksEventReasonGpuIdle, ("power cap",), id="two bits"
        ),
        pytest.param(1 << 40, (), id="a bit that nobody knows yet"),
    ],
)
def test_a_mask_tells_what_slowed_the_gpu_down(mask: int, told: tuple[str, ...]) -> None:
    assert slow_downs(float(mask)) == told


def test_every_slow_down_is_a_bit_that_nvidias_library_names() -> None:
    assert sum(SLOW_DOWNS) & ~pynvml.nvmlClocksThrottleReasonAll == 0
