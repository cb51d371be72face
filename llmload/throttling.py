"""NVML's reasons for a GPU's clocks: which of them slow a GPU down that has work to do.

Bits as `nvmlClocksEventReason*` in nvml.h has them; DCGM_FI_DEV_CLOCK_THROTTLE_REASONS is the same mask.
"""

from __future__ import annotations

_SLOW_DOWNS = {
    0x4: "power cap",  # nvmlClocksEventReasonSwPowerCap
    0x8: "hardware slowdown",  # HwSlowdown
    0x20: "temperature",  # SwThermalSlowdown
    0x40: "temperature",  # HwThermalSlowdown
    0x80: "power brake",  # HwPowerBrakeSlowdown
}
"""Not among them: idle, clocks that somebody set, sync boost and display clocks, which are as they are meant to be."""


def slow_downs(mask: int) -> tuple[str, ...]:
    """In words, each once, what slows the GPU down; empty where nothing does."""
    return tuple(dict.fromkeys(word for bit, word in _SLOW_DOWNS.items() if mask & bit))
