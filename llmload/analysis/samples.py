"""Samples of many windows on the timeline of their run: joined, and folded where there are more than can be drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from llmload.analysis.stats import Floats
from llmload.analysis.timeline import laid_out
from llmload.domain import Observation
from llmload.samples import SampleName, Series, Source

MOST_POINTS = 240
"""Instants of a series that is told: as many as bins of the timeline."""

_SILENCE = 5
"""Times the usual distance of two samples: a longer one is a gap that no line may cross."""

_NS_PER_S = 1e9

Fold = Callable[[Floats], float]


@dataclass(frozen=True, slots=True)
class Track:
    """One figure of one device over the run, in order; seconds since the start of the first window."""

    at_s: Floats
    values: Floats


Tracks = Mapping[SampleName, Track]


def tracks_of(observations: Sequence[Observation], source: Source, device: str = "") -> Tracks:
    """What `source` told of a device, by figure.

    What was sampled before the first window began, and in a pause that the timeline leaves out, has no place on it.
    """
    parts: dict[SampleName, list[Track]] = {}
    former_end_ns = 0
    for placed in laid_out(observations):
        for series in placed.window.watched.series:
            if (series.source, series.device) != (source, device):
                continue
            at_ns = np.array(series.at_ns, dtype=np.int64) - placed.window.start_ns + placed.start_ns
            shown = (at_ns >= former_end_ns) & (at_ns <= placed.end_ns + _NS_PER_S)
            track = Track(at_ns[shown] / _NS_PER_S, np.array(series.values, dtype=np.float64)[shown])
            parts.setdefault(series.name, []).append(track)
        former_end_ns = placed.end_ns
    return {name: _joined(tracks) for name, tracks in parts.items()}


def _joined(tracks: Sequence[Track]) -> Track:
    at_s = np.concatenate([track.at_s for track in tracks])
    order = np.argsort(at_s, kind="stable")
    return Track(at_s[order], np.concatenate([track.values for track in tracks])[order])


def folded(tracks: Tracks, folds: Mapping[SampleName, Fold], most: int = MOST_POINTS) -> Folded:
    """These figures at instants that they share, no more than `most` of them."""
    wanted = {name: tracks[name] for name in folds if name in tracks and len(tracks[name].at_s)}
    if not wanted:
        return Folded((), {})
    instants = np.unique(np.concatenate([track.at_s for track in wanted.values()]))
    edges = _edges(instants, most)
    at_s = instants if edges is None else (edges[:-1] + edges[1:]) / 2
    values = {
        name: _at(track, instants) if edges is None else _in_bins(track, edges, folds[name])
        for name, track in wanted.items()
    }
    return _with_gaps(at_s, values)


@dataclass(frozen=True, slots=True)
class Folded:
    """Figures at shared instants; one that was never told is not there, and one that is missing is None."""

    at_s: tuple[float, ...]
    values: Mapping[SampleName, tuple[float | None, ...]]

    def track(self, name: SampleName) -> tuple[float | None, ...]:
        """As many values as instants."""
        return self.values.get(name, (None,) * len(self.at_s))


def _edges(instants: Floats, most: int) -> Floats | None:
    """Even bins over the instants; None where there are few enough."""
    if len(instants) <= most:
        return None
    return np.linspace(instants[0], np.nextafter(instants[-1], np.inf), most + 1)


def _at(track: Track, instants: Floats) -> Floats:
    values = np.full(len(instants), np.nan)
    values[np.searchsorted(instants, track.at_s)] = track.values
    return values


def _in_bins(track: Track, edges: Floats, fold: Fold) -> Floats:
    values = np.full(len(edges) - 1, np.nan)
    places = np.clip(np.searchsorted(edges, track.at_s, side="right") - 1, 0, len(values) - 1)
    for place in np.unique(places):
        values[place] = fold(track.values[places == place])
    return values


def _with_gaps(at_s: Floats, values: Mapping[SampleName, Floats]) -> Folded:
    """An instant without any value where nothing was told for long, so that no line crosses it."""
    steps = np.diff(at_s)
    silent = np.flatnonzero(steps > _SILENCE * np.median(steps)) if len(steps) > 1 else np.array([], dtype=np.int64)
    middles = (at_s[silent] + at_s[silent + 1]) / 2
    places = silent + 1
    return Folded(
        tuple(np.round(np.insert(at_s, places, middles), 3).tolist()),
        {name: _known(np.insert(column, places, np.nan)) for name, column in values.items()},
    )


def _known(values: Floats) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else float(value) for value in values)


def within(windows: Sequence[Observation], source: Source, name: SampleName, device: str | None = None) -> Floats:
    """The values of a figure that were sampled inside measured windows; `device` None takes those of all devices."""
    found = [_inside(window, series) for window, series in _series_of(windows, source, name, device)]
    return np.concatenate([np.empty(0), *found])


def _series_of(
    windows: Sequence[Observation], source: Source, name: SampleName, device: str | None
) -> Iterator[tuple[Observation, Series]]:
    for window in windows:
        for series in window.watched.series:
            if (series.source, series.name) == (source, name) and device in (None, series.device):
                yield window, series


def _inside(window: Observation, series: Series) -> Floats:
    at_ns = np.array(series.at_ns, dtype=np.int64)
    return np.array(series.values, dtype=np.float64)[(at_ns >= window.start_ns) & (at_ns <= window.end_ns)]
