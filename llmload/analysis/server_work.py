"""How far a server's own counters and histograms went over the windows of a step that have them."""

from __future__ import annotations

from collections.abc import Sequence

from llmload.analysis.client_work import answered_in
from llmload.domain import Observation
from llmload.samples import CounterName, Distribution, DistributionName

MS_PER_S = 1000.0

_ONE_A_STEP = 0.8
"""A server that decodes ahead makes a quarter more tokens than steps at the least; less is another way to count."""


def has_counts(windows: Sequence[Observation], name: CounterName) -> list[Observation]:
    """The windows at whose edges the server told this counter."""
    return [w for w in windows if w.watched.server is not None and name in w.watched.server.counts]


def counted_in(windows: Sequence[Observation], name: CounterName) -> float | None:
    """How far a counter went over these windows; None where none of them has it."""
    told = [w.watched.server.counts[name] for w in has_counts(windows, name) if w.watched.server is not None]
    return sum(told) if told else None


def has_growth(windows: Sequence[Observation], name: DistributionName) -> list[Observation]:
    """The windows in which this histogram of the server observed something."""
    return [w for w in windows if _grown(w, name).count > 0]


def grown_in(windows: Sequence[Observation], name: DistributionName) -> Distribution:
    """How a histogram grew over these windows, without its bounds; of nothing where none of them has it."""
    grown = [_grown(window, name) for window in windows]
    return Distribution(sum(each.count for each in grown), sum(each.total for each in grown))


def _grown(window: Observation, name: DistributionName) -> Distribution:
    none = Distribution(0.0, 0.0)
    return none if window.watched.server is None else window.watched.server.distributions.get(name, none)


def mean_ms_in(windows: Sequence[Observation], name: DistributionName) -> float | None:
    """The mean that a histogram observed over these windows, in ms; None where it observed nothing."""
    mean = grown_in(windows, name).mean
    return None if mean is None else mean * MS_PER_S


def tpot_ms_in(windows: Sequence[Observation]) -> float | None:
    """Mean TPOT over all tokens but the first of each answer, else over requests; None where neither is told."""
    told = has_growth(windows, "itl_s")
    if not told:
        return mean_ms_in(windows, "tpot_s")
    gaps = _gaps(told)
    return grown_in(told, "itl_s").total / gaps * MS_PER_S if gaps > 0 else None


def _gaps(windows: Sequence[Observation]) -> float:
    """Tokens that have a gap before them. llama.cpp counts the first of each answer as well; a server that decodes
    several tokens in one step may count the step once.
    """
    gaps, firsts, tokens = grown_in(windows, "itl_s").count, grown_in(windows, "ttft_s").count, None
    if len(has_counts(windows, "output_tokens")) == len(windows):
        tokens = counted_in(windows, "output_tokens")
    if tokens is None:
        return gaps
    answered = answered_in(windows)
    if not firsts and gaps > tokens - answered / 2:
        return gaps - answered
    after_first = tokens - (firsts or answered)
    return after_first if gaps < _ONE_A_STEP * after_first else gaps
