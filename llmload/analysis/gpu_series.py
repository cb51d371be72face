"""Samples of GPUs folded into series over the run and figures of a step."""

from __future__ import annotations

from collections.abc import Sequence

from llmload.domain import Observation
from llmload.serving import GpuFigures
from llmload.timeline import GpuSeries


def gpu_series_of(observations: Sequence[Observation]) -> tuple[GpuSeries, ...]:
    """One series for each GPU that was watched, on the timeline of these windows."""
    return ()


def gpu_figures_of(windows: Sequence[Observation]) -> GpuFigures | None:
    """What the GPUs did within these windows of one step; None where none was watched."""
    return None
