"""The history of a scenario as trends are made of it: its newest runs of one workload and load, with their figures.

No file is read but the store: whatever a store names may be named by a stranger.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from llmload.analysis.judgement import UNMEASURED
from llmload.analysis.looks import gates_at, steps_of
from llmload.analysis.trend import Accepted, LeftOut, ScenarioTrends, TrendRun, series_of, trend_of
from llmload.errors import ScenarioError, StoreError
from llmload.scenario.asked import Scenario
from llmload.scenario.loader import load_resolved
from llmload.store.comparison import labels_of_runs, steps_of_runs
from llmload.store.database import Store

SERIES = ("workload", "load")
"""Keys of the fingerprint that runs of one trend have in common."""

AcceptedShifts = Callable[[Scenario, Mapping[str, str]], Iterable[Accepted]]
"""What people accepted for a scenario and a fingerprint, oldest first."""


@dataclass(frozen=True, slots=True)
class ScenarioHistory:
    """The newest series of runs of a scenario, oldest first and without their estimates; there is at least one.

    `asked` is what the newest of them was asked to do, None where this version cannot read that any more. `steps` are
    the labels of every step that has any of the figures in any of them, in the order of the newest run that has some.
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
    """Of the newest `limit` finished runs, with the steps that have the figures; None where none measured anything."""
    finished = store.finished_runs(scenario, limit)
    measured = [run for run in finished if run.exit_code != UNMEASURED]
    series = series_of([TrendRun(run.past, run.fingerprint) for run in measured])
    if not series:
        return None
    runs = tuple(series[0])
    with store.reading() as connection:
        labels = labels_of_runs(connection, [run.past.run_id for run in runs], tuple(figures))
    return ScenarioHistory(
        scenario=scenario,
        runs=runs,
        steps=tuple(dict.fromkeys(label for run in reversed(runs) for label in labels.get(run.past.run_id, ()))),
        asked=_asked(store, runs[-1].past.run_id),
        others=tuple(_others(len(finished) - len(measured), series)),
    )


def trends_at(
    store: Store,
    history: ScenarioHistory,
    steps: Sequence[str],
    figures: Sequence[str],
    accepted: AcceptedShifts | None = None,
) -> ScenarioTrends:
    """Each of the figures at each of the steps; without `accepted`, nothing is known to be."""
    known = () if accepted is None or history.asked is None else accepted(history.asked, history.runs[-1].fingerprint)
    shifts = tuple(known)
    runs = _with_estimates(store, history.runs, steps, figures)
    return ScenarioTrends(
        scenario=history.scenario,
        runs=len(history.runs),
        trends=tuple(trend_of(runs, step, figure, shifts) for step in steps for figure in figures),
        others=history.others,
    )


def _with_estimates(
    store: Store, runs: Sequence[TrendRun], steps: Sequence[str], figures: Sequence[str]
) -> tuple[TrendRun, ...]:
    with store.reading() as connection:
        found = steps_of_runs(connection, [run.past.run_id for run in runs], figures, steps)
    return tuple(replace(run, past=replace(run.past, steps=found.get(run.past.run_id, {}))) for run in runs)


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
