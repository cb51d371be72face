"""A recorded run whose traffic has parts: classes of a mixture, and turns of conversations that grow. Fixed values."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from llmload.domain import PartFigures, StepMetrics, StepResult
from tests.recorded_clean import CLEAN
from tests.recorded_foreign import HOSTILE
from tests.recorded_steps import metrics_of


def _part(
    axis: Literal["class", "turn"], name: str, metrics: StepMetrics, input_tokens: int, cached_tokens: int | None
) -> PartFigures:
    """Of requests of so many input tokens each, of which so many came from a cache; None = the server does not tell."""
    tokens = metrics.ok * input_tokens
    cached = None if cached_tokens is None else metrics.ok * cached_tokens
    return PartFigures(axis, name, replace(metrics, histograms={}, input_tokens=tokens, cached_tokens=cached))


def _late(metrics: StepMetrics, good: int, low: float, high: float) -> StepMetrics:
    share = good / metrics.attempts
    return replace(metrics, good=good, goodput=share, goodput_low=low, goodput_high=high)


def _failing(metrics: StepMetrics) -> StepMetrics:
    """None of its requests came to an end."""
    none = dict.fromkeys(("output_tps", "total_tps", "cached_tokens"))
    failed = replace(metrics, ok=0, good=0, goodput=0.0, goodput_low=0.0, goodput_high=0.05, error_rate=1.0, rps=0.0)
    errors = {"HTTP_503": metrics.attempts}
    return replace(failed, **none, latency={}, errors=errors, input_tokens=0, output_tokens=0, token_sources={})


def _steps() -> tuple[StepResult, ...]:
    first, second = CLEAN.steps[1:3]
    chat, rag = metrics_of(140, 21.4, 8.7, 590.0), metrics_of(60, 74.5, 9.1, 252.75)
    turns = (metrics_of(80, 44.0, 8.8, 337.0), metrics_of(70, 19.5, 8.9, 295.0), metrics_of(50, 22.25, 9.1, 210.75))
    told = (
        _part("class", "chat", chat, 420, 96),
        _part("class", "rag", _late(rag, 55, 0.8412, 0.9604), 3900, 2048),
        *(_part("turn", str(turn + 1), each, 400 + 300 * turn, 350 * turn) for turn, each in enumerate(turns)),
    )
    worse = (
        _part("class", HOSTILE, _failing(metrics_of(40, 1.0, 1.0, 100.0)), 100, None),
        _part("class", "chat", metrics_of(280, 52.5, 11.1, 1820.0), 420, None),
        _part("class", "rag", _late(metrics_of(80, 190.0, 12.4, 520.0), 41, 0.4218, 0.6007), 3900, None),
    )
    return (replace(first, parts=told), replace(second, parts=worse))


TALKS = replace(
    CLEAN,
    header=replace(CLEAN.header, run_id="20261121-014301-7a3f09c2", scenario="talks"),
    steps=_steps(),
    knee=None,
    timeline=None,
    gpus=(),
    server=None,
    recommendation=None,
    profile=None,
    analyses=(),
)
"""Two steps of a mixture; in the first one the server tells of its cache, in the second one a class fails."""
