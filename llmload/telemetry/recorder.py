"""Samples as they come in from several threads, until a window takes those that are its own."""

from __future__ import annotations

import threading
from array import array

from llmload.samples import SampleName, Series, Source

_Key = tuple[Source, SampleName, str]

_SHARES: frozenset[SampleName] = frozenset({"utilisation", "kv_cache_share", "prefix_cache_hit_share"})
_ABSURD = 2.0**63
"""Of any figure: bytes, tokens and joules stay below, and no arithmetic with them overflows."""


class Recorder:
    """Collects samples and notes; a note is told once, however often it comes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tracks: dict[_Key, tuple[array[int], array[float]]] = {}
        self._noted: set[str] = set()
        self._notes: list[str] = []

    def add(self, source: Source, name: SampleName, value: float, at_ns: int, device: str = "") -> None:
        """Keep one sample, taken at `at_ns` of the monotonic clock.

        What cannot be is none: NaN, an infinite or absurd number, a share that is none. Servers and exporters say
        what they like.
        """
        if not (0.0 <= value <= 1.0 if name in _SHARES else abs(value) < _ABSURD):
            return
        with self._lock:
            at, values = self._tracks.setdefault((source, name, device), (array("q"), array("d")))
            at.append(at_ns // 1000 * 1000)
            values.append(value)

    def note(self, text: str) -> None:
        """Tell something once: a figure that a device does not have, a page that did not answer."""
        with self._lock:
            if text not in self._noted:
                self._noted.add(text)
                self._notes.append(text)

    def take(self) -> tuple[tuple[Series, ...], tuple[str, ...]]:
        """The samples and notes since the last time, which are then somebody else's to keep."""
        with self._lock:
            tracks, self._tracks = self._tracks, {}
            notes, self._notes = self._notes, []
        series = (Series(*key, at, values) for key, (at, values) in sorted(tracks.items()))
        return tuple(series), tuple(notes)
