"""`llmload runs --trend`: how the figures of each scenario went over its stored runs. It never fails a build."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmload.analysis.judgement import UNMEASURED
from llmload.analysis.looks import gates_at, steps_of
from llmload.analysis.trend import FIGURES, KNOWN, Accepted, TrendRun, series_of, trend_of
from llmload.errors import DataFileError, ScenarioError, UsageError
from llmload.plain_text import plain
from llmload.reporters.trends import ScenarioTrends
from llmload.scenario.asked import Scenario
from llmload.scenario.loader import load_resolved
from llmload.store.baseline_file import FOLDER, Action, BaselineFile, files_in, read_file
from llmload.store.database import Store

_SERIES = ("workload", "load")


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
    finished = store.finished_runs(name)[-wanted.limit :]
    measured = [run for run in finished if run.exit_code != UNMEASURED]
    series = series_of([TrendRun(run.past, run.fingerprint) for run in measured])
    if not series:
        return None
    newest = {run.past.run_id for run in series[0]}
    figures = FIGURES if wanted.metric is None else (wanted.metric,)
    full = store.with_estimates([run for run in measured if run.run_id in newest], figures)
    runs = [TrendRun(run.past, run.fingerprint) for run in full]
    scenario = _asked(store, runs[-1].past.run_id)
    steps = _steps(runs, scenario) if wanted.at is None else _asked_for(runs, wanted.at)
    accepted = () if scenario is None else tuple(_accepted(scenario, runs[-1].fingerprint))
    return ScenarioTrends(
        scenario=name,
        runs=len(runs),
        trends=tuple(trend_of(runs, step, figure, accepted) for step in steps for figure in figures),
        others=tuple(_others(len(finished) - len(measured), series)),
    )


def _others(unmeasured: int, series: Sequence[Sequence[TrendRun]]) -> Iterator[str]:
    if unmeasured:
        yield f"{unmeasured:,} runs that could not measure" if unmeasured > 1 else "1 run that could not measure"
    for each in series[1:]:
        keys = [key for key in _SERIES if each[-1].fingerprint.get(key) != series[0][-1].fingerprint.get(key)]
        yield f"{len(each):,} {'run' if len(each) == 1 else 'runs'} with another {' and '.join(keys)}"


# ---------------------------------------------------------------- which steps


def _asked(store: Store, run_id: str) -> Scenario | None:
    """What the newest run was asked to do; None where this version cannot read that any more."""
    try:
        return load_resolved(store.load(run_id).header.resolved)
    except ScenarioError:
        return None


def _steps(runs: Sequence[TrendRun], scenario: Scenario | None) -> list[str]:
    """Those with a gate; without any gate the last one, which stands for the run in the history."""
    labels = _labels(runs)
    gated = {step.label for step in steps_of(scenario) if gates_at(scenario.gates, step)} if scenario else set()
    return [label for label in labels if label in gated] or labels[-1:]


def _asked_for(runs: Sequence[TrendRun], at: str) -> list[str]:
    words = " ".join(at.split()).removeprefix("at ")
    return [label for label in _labels(runs) if words in (label, label.removesuffix("/s"))]


def _labels(runs: Sequence[TrendRun]) -> list[str]:
    """Every step that any of the runs has, in the order of the newest run that has some."""
    return list(dict.fromkeys(label for run in reversed(runs) for label in run.past.steps))


# ---------------------------------------------------------------- what was accepted


def _accepted(scenario: Scenario, fingerprint: Mapping[str, str]) -> Iterator[Accepted]:
    """Shifts that `llmload baseline accept` recorded for this workload and load, oldest first."""
    folder = Path(scenario.reports.directory) / FOLDER / scenario.name
    for file in _readable(files_in(folder)):
        if all(file.fingerprint.get(key) == fingerprint.get(key) for key in _SERIES):
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
