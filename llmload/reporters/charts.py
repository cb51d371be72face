"""Every chart of a run, as Vega-Lite: one specification feeds the page, the pictures in Markdown and the site.

Data lie inside a specification, aggregated; a missing value is null there and leaves a gap. Text of others is only
ever data, never part of an expression.
"""

from __future__ import annotations

from collections.abc import Callable

from llmload.analysis.comparison import Comparison
from llmload.domain import RunResult
from llmload.reporters.capacity_chart import capacity_chart
from llmload.reporters.chart import Chart, Spec
from llmload.reporters.comparison_chart import comparison_chart
from llmload.reporters.gpu_chart import gpu_chart
from llmload.reporters.latency_chart import latency_chart
from llmload.reporters.load_charts import goodput_chart, throughput_chart
from llmload.reporters.server_chart import server_chart
from llmload.reporters.texts import Texts
from llmload.reporters.timeline_chart import timeline_chart

__all__ = ["Chart", "Spec", "comparison_charts", "run_charts"]

_Draw = Callable[[RunResult, Texts], Chart | None]

_OF_A_RUN: tuple[_Draw, ...] = (
    throughput_chart,
    goodput_chart,
    latency_chart,
    timeline_chart,
    server_chart,
    gpu_chart,
    capacity_chart,
)
"""The most important one first: who has room for few drops the last ones."""


NAMES = ("throughput", "goodput", "latency", "timeline", "server", "gpu", "capacity", "comparison")
"""What charts may be named."""


def run_charts(run: RunResult, texts: Texts) -> tuple[Chart, ...]:
    """The charts that the run has data for, the most important one first."""
    return tuple(chart for draw in _OF_A_RUN if (chart := draw(run, texts)) is not None)


def comparison_charts(comparison: Comparison, texts: Texts) -> tuple[Chart, ...]:
    """The charts of runs side by side; none where nothing could be compared."""
    chart = comparison_chart(comparison, texts)
    return () if chart is None else (chart,)
