"""What `result.json` tells of the server over the run: few points, however long it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

from llmload.reporters.step_document import Json, number
from llmload.timeline import ServerSeries

_Values = Sequence[float | None]


def server_series_document(series: ServerSeries, most: int) -> Json:
    """At most so many points, neighbours folded into one: means, and of what waits and what the cache holds the most.

    A point is null where none of its samples has the figure.
    """
    size = max(1, -(-len(series.at_s) // most)) if most else 0
    folds: tuple[tuple[str, _Values, Callable[[Sequence[float]], float]], ...] = (
        ("at_s", series.at_s, fmean),
        ("running", series.running, fmean),
        ("waiting", series.waiting, max),
        ("kv_cache_share", series.kv_cache_share, max),
        ("output_tps", series.output_tps, fmean),
    )
    return {"source": series.source.value, **{name: _folded(values, size, fold) for name, values, fold in folds}}


def _folded(values: _Values, size: int, fold: Callable[[Sequence[float]], float]) -> list[float | None]:
    if not size:
        return []
    groups = (values[begin : begin + size] for begin in range(0, len(values), size))
    known = ([value for value in group if value is not None] for group in groups)
    return [number(round(fold(told), 4)) if told else None for told in known]
