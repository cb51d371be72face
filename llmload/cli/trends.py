"""`llmload runs --trend`: how the figures of each scenario went over its stored runs. It never fails a build."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmload.analysis.trend import FIGURES, KNOWN, Accepted, ScenarioTrends
from llmload.errors import DataFileError, UsageError
from llmload.plain_text import plain
from llmload.scenario.asked import Scenario
from llmload.store.baseline_file import FOLDER, Action, BaselineFile, files_in, read_file
from llmload.store.database import Store
from llmload.store.trends import SERIES, history_of, trends_at


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of the history is asked for; None = whatever tells most."""

    scenario: str | None
    metric: str | None
    at: str | None
    limit: int


def trends_of(store: Store, wanted: Wanted) -> tuple[ScenarioTrends, ...]:
    """The newest series of runs of each scenario; UsageError for a figure, step or scenario that there is not."""
    if wanted.metric is not None and wanted.metric not in KNOWN:
        problem = "no run is remembered by it"
        raise UsageError(f"--metric {plain(wanted.metric)}", problem, f"Use one of: {', '.join(KNOWN)}")
    told = tuple(each for name in _scenarios(store, wanted) if (each := _of_scenario(store, name, wanted)) is not None)
    if wanted.at is not None and not any(trend.values for each in told for trend in each.trends):
        remedy = "Write it as in a gate, like 'concurrency 50'"
        raise UsageError(f"--at {plain(wanted.at)}", "no run has such a figure at this step", remedy)
    return told


def _scenarios(store: Store, wanted: Wanted) -> list[str]:
    """Those that have runs, the one that ran last first."""
    names = dict.fromkeys(run.scenario for run in store.list_runs(scenario=wanted.scenario))
    if wanted.scenario is not None and not names:
        problem = f"no run of it in {store.path}"
        raise UsageError(f"--scenario {plain(wanted.scenario)}", problem, "`llmload runs` lists them")
    return list(names)


def _of_scenario(store: Store, name: str, wanted: Wanted) -> ScenarioTrends | None:
    figures = FIGURES if wanted.metric is None else (wanted.metric,)
    history = history_of(store, name, figures, wanted.limit)
    if history is None:
        return None
    steps = history.gated if wanted.at is None else history.at(wanted.at)
    return trends_at(store, history, steps, figures, _accepted)


# ---------------------------------------------------------------- what was accepted


def _accepted(scenario: Scenario, fingerprint: Mapping[str, str]) -> Iterator[Accepted]:
    """Shifts that `llmload baseline accept` recorded for this workload and load, oldest first."""
    folder = Path(scenario.reports.directory) / FOLDER / scenario.name
    for file in _readable(files_in(folder)):
        if all(file.fingerprint.get(key) == fingerprint.get(key) for key in SERIES):
            for entry in file.history:
                if entry.action is Action.ACCEPT and entry.since is not None:
                    yield Accepted(entry.since, entry.reason)


def _readable(paths: Sequence[Path]) -> Iterator[BaselineFile]:
    """A file that cannot be trusted hides what was accepted, and nothing else."""
    for path in paths:
        try:
            yield read_file(path)
        except DataFileError as error:
            print(f"llmload: {plain(str(error))}", file=sys.stderr)
