"""What the engines of one server tell in their log, put together.

Data-parallel engines print a line each. Requests and tokens per second are added up over what each said last; of the
KV caches the fullest counts, since requests wait for that one; shares of prefix-cache hits are averaged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from llmload.samples import SampleName
from llmload.telemetry.log_lines import EngineFigures


@dataclass(frozen=True, slots=True)
class _Said:
    value: float
    until_s: float


class Engines:
    """Hears lines and tells the server as a whole."""

    def __init__(self) -> None:
        self._said: dict[SampleName, dict[str, _Said]] = {}
        self._ranks: dict[str, str] = {}
        self._news: set[SampleName] = set()

    def hear(self, told: EngineFigures, at_s: float) -> None:
        """Take in one line. Of ranks that say the same, the one that spoke first is listened to."""
        if self._ranks.setdefault(told.engine, told.rank) != told.rank:
            return
        for name, value in told.figures.items():
            self._said.setdefault(name, {})[told.engine] = _Said(value, at_s + told.lasts_s)
            self._news.add(name)

    def tell(self, at_s: float) -> Mapping[SampleName, float]:
        """The figures that anybody spoke of since the last time, over all whose last word is not over."""
        news, self._news = self._news, set()
        return {name: _together(name, self._of_all(name, at_s)) for name in sorted(news)}

    def _of_all(self, name: SampleName, at_s: float) -> list[float]:
        lasting = {engine: said for engine, said in self._said[name].items() if said.until_s >= at_s}
        self._said[name] = lasting
        return [said.value for said in lasting.values()]


def _together(name: SampleName, values: list[float]) -> float:
    if name == "kv_cache_share":
        return max(values)
    return fmean(values) if name == "prefix_cache_hit_share" else sum(values)
