"""Samples as they come in from several threads, until a window takes those that are its own."""

from __future__ import annotations

import math
import threading
from array import array

from llmload.samples import SampleName, Series, Source

_Key = tuple[Source, SampleName, str]


class Recorder:
    """Collects samples and notes; a note is told once, however often it comes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tracks: dict[_Key, tuple[array[int], array[float]]] = {}
        self._noted: set[str] = set()
        self._notes: list[str] = []

    def add(self, source: Source, name: SampleName, value: float, at_ns: int, device: str = "") -> None:
        """Keep one sample, taken at `at_ns` of the monotonic clock; what is no number (NaN, infinite) is none."""
        if not math.isfinite(value):
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
