"""The history of a scenario as trends are made of it: its newest runs of one workload and load, with their figures.

No file is read but the store: whatever a store names may be named by a stranger.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from llmload.analysis.judgement import UNMEASURED
from llmload.analysis.looks import gates_at, steps_of
from llmload.analysis.trend import Accepted, LeftOut, ScenarioTrends, TrendRun, series_of, trend_of
from llmload.errors import ScenarioError, StoreError
from llmload.scenario.asked import Scenario
from llmload.scenario.loader import load_resolved
from llmload.store.database import Store

SERIES = ("workload", "load")
"""Keys of the fingerprint that runs of one trend have in common."""

AcceptedShifts = Callable[[Scenario, Mapping[str, str]], Iterable[Accepted]]
"""What people accepted for a scenario and a fingerprint, oldest first."""


@dataclass(frozen=True, slots=True)
class ScenarioHistory:
    """The newest series of runs of a scenario, oldest first; there is at least one.

    `asked` is what the newest of them was asked to do, None where this version cannot read that any more. `steps` are
    the labels of every step that any of them has, in the order of the newest run that has some.
    """

    scenario: str
    runs: tuple[TrendRun, ...]
    steps: tuple[str, ...]
    asked: Scenario | None
    others: tuple[LeftOut, ...]

    @property
    def gated(self) -> tuple[str, ...]:
        """The steps with a gate; without any gate the last one, which stands for the run in the history."""
        asked = self.asked
        labels = {step.label for step in steps_of(asked) if gates_at(asked.gates, step)} if asked else set()
        return tuple(label for label in self.steps if label in labels) or self.steps[-1:]

    def at(self, words: str) -> tuple[str, ...]:
        """The steps that somebody calls so: `concurrency 50`, `at rate 4`; none where there is no such step."""
        wanted = " ".join(words.split()).removeprefix("at ")
        return tuple(label for label in self.steps if wanted in (label, label.removesuffix("/s")))


def history_of(store: Store, scenario: str, figures: Collection[str], limit: int) -> ScenarioHistory | None:
    """Of the newest `limit` finished runs, with these figures; None where none of them measured anything."""
    finished = store.finished_runs(scenario, limit)
    measured = [run for run in finished if run.exit_code != UNMEASURED]
    series = series_of([TrendRun(run.past, run.fingerprint) for run in measured])
    if not series:
        return None
    newest = {run.past.run_id for run in series[0]}
    full = store.with_estimates([run for run in measured if run.run_id in newest], figures)
    runs = tuple(TrendRun(run.past, run.fingerprint) for run in full)
    return ScenarioHistory(
        scenario=scenario,
        runs=runs,
        steps=tuple(dict.fromkeys(label for run in reversed(runs) for label in run.past.steps)),
        asked=_asked(store, runs[-1].past.run_id),
        others=tuple(_others(len(finished) - len(measured), series)),
    )


def trends_at(
    history: ScenarioHistory, steps: Iterable[str], figures: Sequence[str], accepted: AcceptedShifts | None = None
) -> ScenarioTrends:
    """Each of the figures at each of the steps; without `accepted`, nothing is known to be."""
    known = () if accepted is None or history.asked is None else accepted(history.asked, history.runs[-1].fingerprint)
    shifts = tuple(known)
    return ScenarioTrends(
        scenario=history.scenario,
        runs=len(history.runs),
        trends=tuple(trend_of(history.runs, step, figure, shifts) for step in steps for figure in figures),
        others=history.others,
    )


def _asked(store: Store, run_id: str) -> Scenario | None:
    resolved = store.resolved(run_id)
    try:
        return load_resolved(resolved)
    except (ScenarioError, StoreError):
        return None


def _others(unmeasured: int, series: Sequence[Sequence[TrendRun]]) -> Iterator[LeftOut]:
    if unmeasured:
        yield LeftOut(unmeasured)
    for each in series[1:]:
        keys = (key for key in SERIES if each[-1].fingerprint.get(key) != series[0][-1].fingerprint.get(key))
        yield LeftOut(len(each), tuple(keys))


def has_runs(store: Store, scenario: str) -> bool:
    """Whether there is any run of the scenario, whatever became of it."""
    with store.reading() as connection:
        return connection.execute("SELECT 1 FROM runs WHERE scenario = ? LIMIT 1", (scenario,)).fetchone() is not None
