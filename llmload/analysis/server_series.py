"""Samples of the server folded into series over the run and figures of a step."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from llmload.analysis.samples import Fold, folded, tracks_of, within
from llmload.analysis.server_work import counted_in, has_counts, mean_ms_in, tpot_ms_in
from llmload.analysis.stats import Floats
from llmload.domain import Observation
from llmload.samples import CounterName, SampleName, Series, Source
from llmload.serving import ServerFigures
from llmload.timeline import ServerSeries

_BY_TRUST = (Source.METRICS, Source.LOG)
_TOLD = ("requests_running", "requests_waiting", "kv_cache_share", "output_tokens", "output_tps")


def server_series_of(observations: Sequence[Observation]) -> ServerSeries | None:
    """The server's queue and cache on the timeline of these windows; None where it told nothing of them.

    Its metrics page comes before its log. What waits and what the cache holds are the most of each stretch, so that
    no peak is lost where samples are folded; the others are means.
    """
    source = _source(observations)
    if source is None:
        return None
    found = folded(
        tracks_of([_rated(window) for window in observations], source),
        {"requests_running": _mean, "requests_waiting": _most, "kv_cache_share": _most, "output_tps": _mean},
    )
    if not found.at_s:
        return None
    return ServerSeries(
        source=source,
        at_s=found.at_s,
        running=found.track("requests_running"),
        waiting=found.track("requests_waiting"),
        kv_cache_share=found.track("kv_cache_share"),
        output_tps=found.track("output_tps"),
    )


def _source(observations: Sequence[Observation]) -> Source | None:
    told = {each.source for o in observations for each in o.watched.series if each.name in _TOLD}
    return next((source for source in _BY_TRUST if source in told), None)


def _rated(window: Observation) -> Observation:
    """With tokens per second from the counter of tokens, where no rate is told. Of each window by itself: before its
    first sample lies what the timeline leaves out, such as the turn of another side.
    """
    series = {each.name: each for each in window.watched.series if each.source is Source.METRICS}
    counter = series.get("output_tokens")
    if counter is None or "output_tps" in series:
        return window
    at_ns, values = np.array(counter.at_ns, dtype=np.int64), np.array(counter.values)
    elapsed_s, grown = np.diff(at_ns) / 1e9, np.diff(values)
    known = (elapsed_s > 0) & (grown >= 0)  # where it falls, the server began anew
    at, rates = at_ns[1:][known].tolist(), (grown[known] / elapsed_s[known]).tolist()
    rate = Series(counter.source, "output_tps", counter.device, array("q", at), array("d", rates))
    return replace(window, watched=replace(window.watched, series=(*window.watched.series, rate)))


def _mean(values: Floats) -> float:
    return float(values.mean())


def _most(values: Floats) -> float:
    return float(values.max())


def server_figures_of(windows: Sequence[Observation]) -> ServerFigures | None:
    """What the server told of these windows of one step; None where it told nothing."""
    source = _source(windows) or (Source.METRICS if any(w.watched.server for w in windows) else None)
    if source is None:
        return None

    def gauge(name: SampleName, fold: Fold) -> float | None:
        values = within(windows, source, name)
        return fold(values) if len(values) else None

    return ServerFigures(
        source=source,
        running=gauge("requests_running", _mean),
        waiting=gauge("requests_waiting", _mean),
        waiting_max=gauge("requests_waiting", _most),
        kv_cache_share=gauge("kv_cache_share", _most),
        prefix_cache_hit_share=_first_told(_hit_share(windows), gauge("prefix_cache_hit_share", _mean)),
        preemptions=_total(windows, "preemptions"),
        ttft_ms=mean_ms_in(windows, "ttft_s"),
        tpot_ms=tpot_ms_in(windows),
        e2e_ms=mean_ms_in(windows, "e2e_s"),
        queue_ms=mean_ms_in(windows, "queue_s"),
    )


def _hit_share(windows: Sequence[Observation]) -> float | None:
    """By the tokens that were looked for in the cache, or by all tokens of prompts where a server counts only these."""
    looked_for = _ratio(windows, "prefix_cache_hits", "prefix_cache_queries")
    return _first_told(looked_for, _ratio(windows, "prompt_tokens_cached", "prompt_tokens"))


def _first_told(*figures: float | None) -> float | None:
    return next((each for each in figures if each is not None), None)


def _total(windows: Sequence[Observation], name: CounterName) -> float | None:
    """How far a counter went over all windows; None where one of them does not tell."""
    return counted_in(windows, name) if len(has_counts(windows, name)) == len(windows) else None


def _ratio(windows: Sequence[Observation], part: CounterName, whole: CounterName) -> float | None:
    of, all_of_them = _total(windows, part), _total(windows, whole)
    return of / all_of_them if of is not None and all_of_them else None
