"""The cells of a matrix in `llmload plan`, a line for each: how much it sends, and how long that takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from llmload.analysis.forecast import StepForecast
from llmload.cells import cell_of
from llmload.scenario.asked import Scenario

_HEAD = ("cell", "steps", "requests", "up to", "expected time", "at most")
_UNKNOWN = "unknown"


def cells_table(
    cells: Sequence[tuple[Scenario, Sequence[StepForecast]]], span: Callable[[float], str]
) -> Iterator[str]:
    """Ids, steps, measured requests (and up to how many), time as `span` tells it; unknown where nobody knows."""
    rows = [_HEAD, *(_row(scenario, steps, span) for scenario, steps in cells)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    yield f"{len(cells)} {'cell' if len(cells) == 1 else 'cells'}, each a run of its own"
    for row in rows:
        yield "  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def _row(scenario: Scenario, steps: Sequence[StepForecast], span: Callable[[float], str]) -> tuple[str, ...]:
    requests = _total([step.requests for step in steps])
    most = _total([step.most_requests for step in steps])
    time_s = _total([step.arrivals_s if step.arrivals_s is not None else step.at_slo_s for step in steps])
    return (
        cell_of(scenario.labels),
        str(len(steps)),
        _UNKNOWN if requests is None else f"{requests:,.0f}",
        _UNKNOWN if most is None else f"{most:,.0f}",
        _UNKNOWN if time_s is None else span(time_s),
        span(sum(step.at_most_s for step in steps)),
    )


def _total(parts: Sequence[float | None]) -> float | None:
    """The sum, None where a part is missing."""
    told = [part for part in parts if part is not None]
    return sum(told) if len(told) == len(parts) else None
