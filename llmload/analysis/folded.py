"""The windows of one step with everything they are folded into, each fold made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from llmload.analysis.attempts import Attempts, attempts_of
from llmload.analysis.traffic import Traffic, traffic_of
from llmload.domain import Observation, RequestRecord


@dataclass(frozen=True)  # no slots: what is folded on demand stays here
class Folded:
    """Windows of one step in order, and their measured attempts as columns."""

    observations: tuple[Observation, ...]
    attempts: Attempts

    @cached_property
    def traffic(self) -> Traffic:
        """What the server did inside the windows, whosever request it was."""
        return traffic_of(self.observations)

    @cached_property
    def classes(self) -> Mapping[str, Folded]:
        """The same windows with the requests of one class alone, by its name; none where traffic has no classes."""
        named = {record.part.traffic_class for window in self.observations for record in window.records}
        return {name: fold(only(self.observations, partial(_is_of, name))) for name in sorted(filter(None, named))}

    def of(self, traffic_class: str) -> Folded:
        """The requests of one class, which may be none."""
        return self.classes.get(traffic_class) or fold(only(self.observations, partial(_is_of, traffic_class)))


def only(windows: Sequence[Observation], belongs: Callable[[RequestRecord], bool]) -> tuple[Observation, ...]:
    """The same windows with those requests alone. What was planned of each part, nobody counted."""
    return tuple(
        replace(window, records=tuple(record for record in window.records if belongs(record)), planned=None)
        for window in windows
    )


def _is_of(traffic_class: str, record: RequestRecord) -> bool:
    return record.part.traffic_class == traffic_class


def fold(observations: Sequence[Observation]) -> Folded:
    """Fold windows of one step, in the order in which they were measured."""
    return Folded(tuple(observations), attempts_of(observations))
