"""What a metrics page tells in our names: its series put together, and how far they went between two pages."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean
from typing import get_args

from llmload.frameworks.metric_names import Alias, Metric, MetricNames
from llmload.samples import CounterName, Distribution, DistributionName, GaugeName, MetricName
from llmload.telemetry.metrics_text import Labels, Sample, Samples, pattern_of, read_samples

STARTED = "process_start_time_seconds"
"""The instant at which a server began, as client libraries of Prometheus tell it."""
_GAUGES: frozenset[MetricName] = frozenset(get_args(GaugeName))
_DISTRIBUTIONS: frozenset[MetricName] = frozenset(get_args(DistributionName))
_COUNTERS: frozenset[MetricName] = frozenset(get_args(CounterName))
_SHARES: Mapping[MetricName, Callable[[Iterable[float]], float]] = {
    "kv_cache_share": max,
    "prefix_cache_hit_share": fmean,
}
_MODEL_LABELS = ("model_name", "model")
_REPEATED = frozenset(("tp_rank", "pp_rank", "moe_ep_rank", "pid"))
"""Labels of SGLang that tell apart those who work on the same requests: each of them tells all of these."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one page tells: gauges as they are, counters and histograms since the server began.

    `at_work` are the requests that the server has at this instant, waiting ones included; None where it does not tell,
    or tells only now and then. `started_s` is when the server began, by its own clock.
    """

    gauges: Mapping[MetricName, float] = field(default_factory=dict)
    counts: Mapping[MetricName, float] = field(default_factory=dict)
    distributions: Mapping[MetricName, Distribution] = field(default_factory=dict)
    at_work: float | None = None
    started_s: float | None = None

    @property
    def is_empty(self) -> bool:
        """Whether the page has none of our names."""
        return not (self.gauges or self.counts or self.distributions)


class PageNames:
    """Reads pages by the names of a server; `model` is whose series count where a page tells several apart.

    `brief` finds the lines of gauges and counters, `whole` those of histograms, too.
    """

    def __init__(self, names: MetricNames, model: str) -> None:
        self._model = model
        self._names = {name: tuple(map(_metric, aliases)) for name, aliases in names.items()}
        brief = {STARTED, *_families(self._names, _GAUGES | _COUNTERS)}
        self.brief, self.whole = pattern_of(brief), pattern_of({*brief, *_families(self._names, _DISTRIBUTIONS)})

    def glance(self, page: bytes) -> Reading:
        """Gauges and counters alone: what a timer reads."""
        return self._reading(read_samples(page, self.brief), _GAUGES | _COUNTERS)

    def study(self, page: bytes) -> Reading:
        """All that the page tells."""
        return self._reading(read_samples(page, self.whole), _GAUGES | _COUNTERS | _DISTRIBUTIONS)

    def _reading(self, samples: Samples, asked: frozenset[MetricName]) -> Reading:
        samples = _of_model(samples, self._model)
        told = {name: self._value(samples, name) for name in sorted(_GAUGES | _COUNTERS)}
        values = {name: value for name, value in told.items() if value is not None}
        spread = {name: self._distribution(samples, name) for name in sorted(asked & _DISTRIBUTIONS)}
        started = [sample.value for sample in samples.get(STARTED, {}).values()]
        return Reading(
            {name: value for name, value in values.items() if name in _GAUGES},
            {name: value for name, value in values.items() if name in _COUNTERS},
            {name: each for name, each in spread.items() if each is not None},
            self._at_work(samples, values),
            max(started, default=None),
        )

    def _value(self, samples: Samples, name: MetricName) -> float | None:
        told = (_value(samples, metric, name) for metric in self._names.get(name, ()))
        return next((value for value in told if value is not None), None)

    def _distribution(self, samples: Samples, name: MetricName) -> Distribution | None:
        told = (_distribution(samples, metric) for metric in self._names.get(name, ()))
        return next((each for each in told if each is not None), None)

    def _at_work(self, samples: Samples, values: Mapping[MetricName, float]) -> float | None:
        metrics = self._names.get("requests_running", ())
        lags = any(metric.lags and metric.family in samples for metric in metrics)
        running = None if lags else values.get("requests_running")
        return None if running is None else running + values.get("requests_waiting", 0.0)


def _metric(alias: Alias) -> Metric:
    return Metric(alias) if isinstance(alias, str) else alias


def _families(names: Mapping[MetricName, tuple[Metric, ...]], asked: frozenset[MetricName]) -> Iterator[str]:
    """The names of series that are needed for the asked of ours."""
    for name in asked & names.keys():
        for metric in names[name]:
            if name in _DISTRIBUTIONS and metric.per is None:
                yield from (metric.family + part for part in ("_bucket", "_sum", "_count"))
            else:
                yield from (metric.family, *metric.also, *((metric.per,) if metric.per else ()))


def _of_model(samples: Samples, model: str) -> Samples:
    """Without the series of other models, where any series is of ours by this name."""

    def models(sample: Sample) -> list[str]:
        return [sample.labels[label] for label in _MODEL_LABELS if label in sample.labels]

    if not any(model in models(sample) for series in samples.values() for sample in series.values()):
        return samples
    return {
        name: {key: sample for key, sample in series.items() if model in (models(sample) or [model])}
        for name, series in samples.items()
    }


def _counted(series: Mapping[Labels, Sample], metric: Metric) -> list[Sample]:
    """Those that a figure is made of; none of our figures can be below 0."""
    possible = [sample for sample in series.values() if sample.value >= 0]
    if not metric.label:
        return possible
    told = ((sample, sample.labels.get(metric.label)) for sample in possible)
    return [sample for sample, value in told if (not metric.only or value in metric.only) and value not in metric.never]


def _together(samples: Iterable[Sample], fold: Callable[[Iterable[float]], float], told_by: str = "") -> float | None:
    """One value of many series: of those that repeat each other the largest, and of the rest what `fold` makes."""
    apart: dict[Labels, float] = {}
    for sample in samples:
        key = frozenset(item for item in sample.labels.items() if item[0] not in _REPEATED and item[0] != told_by)
        apart[key] = max(apart.get(key, -math.inf), sample.value)
    return fold(apart.values()) if apart else None


def _value(samples: Samples, metric: Metric, name: MetricName) -> float | None:
    fold = _SHARES.get(name, math.fsum)
    values = []
    for family in (metric.family, *metric.also):
        counted = _counted(samples.get(family, {}), metric)
        if name in _SHARES:
            counted = [sample for sample in counted if 0.0 <= sample.value <= 1.0]  # -1: there is no cache
        value = _together(counted, fold)
        if value is None:
            return None
        values.append(value * metric.scale)
    return math.fsum(values)


def _distribution(samples: Samples, metric: Metric) -> Distribution | None:
    if metric.per is not None:
        total, count = (
            _together(_counted(samples.get(each, {}), metric), math.fsum) for each in (metric.family, metric.per)
        )
        return None if total is None or count is None else Distribution(count, total * metric.scale)
    total = _together(_counted(samples.get(metric.family + "_sum", {}), metric), math.fsum)
    count = _together(_counted(samples.get(metric.family + "_count", {}), metric), math.fsum)
    if total is None or count is None:
        return None
    bounds, counts = _buckets(_counted(samples.get(metric.family + "_bucket", {}), metric))
    return Distribution(count, total * metric.scale, tuple(bound * metric.scale for bound in bounds), counts)


def _buckets(samples: Iterable[Sample]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Finite bounds and how many lie below each but above the one before, the rest at the end.

    Nothing where series were cut differently, or one of them is missing: counts below a bound never fall.
    """
    at: dict[float, list[Sample]] = {}
    for sample in samples:
        try:
            bound = float(sample.labels.get("le", ""))
        except ValueError:
            continue
        if not math.isnan(bound):
            at.setdefault(bound, []).append(sample)
    if math.inf not in at or len({len(series) for series in at.values()}) > 1:
        return (), ()
    bounds = sorted(at)
    below = [_together(at[bound], math.fsum, told_by="le") or 0.0 for bound in bounds]
    counts = tuple(here - before for before, here in pairwise((0.0, *below)))
    return (tuple(bounds[:-1]), counts) if min(counts) >= 0 else ((), ())


@dataclass(frozen=True, slots=True)
class Growth:
    """How far a server went between two pages."""

    counts: Mapping[MetricName, float]
    distributions: Mapping[MetricName, Distribution]


def growth(before: Reading, after: Reading) -> Growth | None:
    """None where anything has fallen or the server began anew: the two are not of one server's life.

    What was not there before begins at nothing, as series do that a server makes when there is something to count.
    """
    if before.started_s != after.started_s:
        return None
    counts = {name: value - before.counts.get(name, 0.0) for name, value in after.counts.items()}
    grown = {name: _grown(before.distributions.get(name), value) for name, value in after.distributions.items()}
    gone = (before.counts.keys() - after.counts.keys()) | (before.distributions.keys() - after.distributions.keys())
    if gone or min(counts.values(), default=0.0) < 0 or any(each is None for each in grown.values()):
        return None
    return Growth(counts, {name: each for name, each in grown.items() if each is not None})


def _grown(before: Distribution | None, after: Distribution) -> Distribution | None:
    if before is None:
        return after
    count, total = after.count - before.count, after.total - before.total
    if count < 0 or total < -1e-9 * abs(after.total):  # sums of fractions are not exact
        return None
    if before.bounds != after.bounds or not after.bounds:
        return Distribution(count, max(total, 0.0))
    counts = tuple(here - there for here, there in zip(after.counts, before.counts, strict=True))
    return Distribution(count, max(total, 0.0), after.bounds, counts) if min(counts) >= 0 else None
