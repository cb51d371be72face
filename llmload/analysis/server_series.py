"""Samples of the server folded into series over the run and figures of a step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llmload.analysis.samples import Fold, Track, Tracks, folded, tracks_of, within
from llmload.analysis.stats import Floats
from llmload.domain import Observation
from llmload.samples import Distribution, MetricName, SampleName, Source
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
    tracks = _with_rate(tracks_of(observations, source))
    found = folded(
        tracks,
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


def _with_rate(tracks: Tracks) -> Tracks:
    """Tokens per second from the counter of tokens; where it falls, the server began anew, and no rate is known."""
    counter = tracks.get("output_tokens")
    if "output_tps" in tracks or counter is None or len(counter.at_s) < 2:
        return tracks
    elapsed, grown = np.diff(counter.at_s), np.diff(counter.values)
    known = (elapsed > 0) & (grown >= 0)
    rate = grown[known] / elapsed[known]
    return {**tracks, "output_tps": Track(counter.at_s[1:][known], rate)}


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
        ttft_ms=_mean_ms(windows, "ttft_s"),
        tpot_ms=_first_told(_mean_ms(windows, "itl_s"), _mean_ms(windows, "tpot_s")),
        e2e_ms=_mean_ms(windows, "e2e_s"),
        queue_ms=_mean_ms(windows, "queue_s"),
    )


def _hit_share(windows: Sequence[Observation]) -> float | None:
    """By the tokens that were looked for in the cache, or by all tokens of prompts where a server counts only these."""
    looked_for = _ratio(windows, "prefix_cache_hits", "prefix_cache_queries")
    return _first_told(looked_for, _ratio(windows, "prompt_tokens_cached", "prompt_tokens"))


def _first_told(*figures: float | None) -> float | None:
    return next((each for each in figures if each is not None), None)


def _total(windows: Sequence[Observation], name: MetricName) -> float | None:
    """How far a counter went over all windows; None where one of them does not tell."""
    grown = [None if w.watched.server is None else w.watched.server.counts.get(name) for w in windows]
    known = [each for each in grown if each is not None]
    return sum(known) if known and len(known) == len(grown) else None


def _ratio(windows: Sequence[Observation], part: MetricName, whole: MetricName) -> float | None:
    of, all_of_them = _total(windows, part), _total(windows, whole)
    return of / all_of_them if of is not None and all_of_them else None


def _mean_ms(windows: Sequence[Observation], name: MetricName) -> float | None:
    found = [
        grown
        for w in windows
        if w.watched.server is not None and (grown := w.watched.server.distributions.get(name)) is not None
    ]
    mean = Distribution(sum(each.count for each in found), sum(each.total for each in found)).mean
    return None if mean is None else mean * 1000
