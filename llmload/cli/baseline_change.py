"""How a baseline is changed: which stored runs it takes in, and what a shift that was intended leaves of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from llmload.analysis.baselines import differences, fingerprint_id, outliers, shift_of
from llmload.analysis.histogram import merge_histograms
from llmload.analysis.judgement import UNMEASURED
from llmload.analysis.power import LEAST_GATING
from llmload.baseline import PastRun
from llmload.cli.references import MOST_RUNS, with_steps
from llmload.errors import UsageError
from llmload.latency import Histogram
from llmload.plain_text import plain
from llmload.store.baseline_file import Action, BaselineFile, BaselineRun, Entry, Histograms, path_of
from llmload.store.baseline_schema import LONGEST_TEXT
from llmload.store.baseline_schema import MOST_RUNS as MOST_IN_FILE
from llmload.store.baseline_writing import rewrite
from llmload.store.database import HistoryRun, Store

_LAG = "lag"  # our own lateness, which is no figure of the server


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of a file, and what whoever changed it should know."""

    path: Path
    file: BaselineFile
    entry: Entry | None  # None where nothing was changed
    notices: tuple[str, ...]


def update(store: Store, scenario: str, chosen: Sequence[HistoryRun], reason: str, reports: Path) -> Changed:
    """Make these runs (oldest first, one fingerprint) the baseline of the scenario."""
    why = _reason(reason)
    runs = with_steps(store, chosen)
    if empty := next((run for run in runs if not run.steps), None):
        problem = "has no figures that another run could be compared with"
        raise UsageError(f"run {empty.run_id}", problem, "Choose other runs with --runs")
    fingerprint, path = runs[0].fingerprint, path_of(reports, scenario, runs[0].fingerprint)
    histograms = _histograms(store, [run.run_id for run in runs])
    told = tuple(BaselineRun(run.past, run.version) for run in runs)
    entries: list[Entry] = []

    def change(old: BaselineFile | None) -> BaselineFile:
        before = [] if old is None else [run.past.run_id for run in old.runs]
        now = [run.run_id for run in runs]
        if old is not None and before == now:
            return old
        added, removed = _without(now, before), _without(before, now)
        entries.append(Entry(_now(), Action.UPDATE, why, added, removed))
        history = () if old is None else old.history
        return BaselineFile(scenario, fingerprint, told, histograms, (*history, *entries))

    file = rewrite(path, change)
    return Changed(path, file, entries[0] if entries else None, _notices(file, runs))


def accept(store: Store, run: HistoryRun, reason: str, reports: Path) -> Changed:
    """Mark that the level changed on purpose with this run: it and those since are the baseline, not those before."""
    why = _reason(reason)
    path = path_of(reports, run.scenario, run.fingerprint)
    measured = _since_then(store, run)
    entries: list[Entry] = []

    def change(old: BaselineFile | None) -> BaselineFile:
        was = old or BaselineFile(run.scenario, run.fingerprint, (), {}, ())
        if was.since >= run.created:
            problem = f"a shift was accepted already, from {was.since} on"
            remedy = "Name a later run, the first of the new level, or restore the file from version control"
            raise UsageError(f"run {run.run_id}", problem, remedy)
        runs = _of_the_new_level(was.runs, measured, run.created)
        before, now = [each.past.run_id for each in was.runs], [each.past.run_id for each in runs]
        entries.append(Entry(_now(), Action.ACCEPT, why, _without(now, before), _without(before, now), run.created))
        histograms = was.histograms if before == now else _histograms(store, now)
        return replace(was, runs=runs, histograms=histograms, history=(*was.history, *entries))

    file = rewrite(path, change)
    return Changed(path, file, entries[0], _notices(file, measured))


def _since_then(store: Store, first: HistoryRun) -> tuple[HistoryRun, ...]:
    """The run and the stored ones since it that may stand in its baseline, with figures; oldest first."""
    like = fingerprint_id(first.fingerprint)
    later = [
        run
        for run in store.finished_runs(first.scenario)
        if run.exit_code != UNMEASURED and run.created >= first.created and fingerprint_id(run.fingerprint) == like
    ]
    return tuple(run for run in with_steps(store, later[-MOST_RUNS:]) if run.steps)


def _of_the_new_level(
    old: Sequence[BaselineRun], measured: Sequence[HistoryRun], since: str
) -> tuple[BaselineRun, ...]:
    """Runs of the file that stay and those measured since, oldest first: the newest ones, no fewer than stay."""
    stay = {each.past.run_id: each for each in old if each.past.created >= since}
    added = {run.run_id: BaselineRun(run.past, run.version) for run in measured}
    runs = sorted((added | stay).values(), key=lambda each: (each.past.created, each.past.run_id))
    return tuple(runs[-max(MOST_RUNS, len(stay)) :])


# ---------------------------------------------------------------- which runs


def newest(
    store: Store, scenario: str, count: int | None, reports: Path, cell: str | None = None
) -> tuple[HistoryRun, ...]:
    """The newest measured runs with the fingerprint of the newest one, since the last accepted shift; oldest first.

    `cell` is of its matrix ("" for a run of none); None takes whichever is the newest. A run that failed its build as a
    regression is taken only where it is named, or accepted.
    """
    measured = [run for run in store.finished_runs(scenario) if run.exit_code != UNMEASURED and not run.has_regressed]
    if cell is not None:
        measured = [run for run in measured if run.fingerprint.get("cell", "") == cell]
    if not measured:
        problem = f"has no run in {store.path} that ended and was measured"
        raise UsageError(
            f"scenario {scenario!r}", problem, "Run `llmload apply` first; `llmload runs` lists what is there"
        )
    like = fingerprint_id(measured[-1].fingerprint)
    since = _since(path_of(reports, scenario, measured[-1].fingerprint))
    same = [run for run in measured if fingerprint_id(run.fingerprint) == like and run.created >= since]
    if not same:
        problem = f"has no run since the shift that was accepted from {since} on"
        raise UsageError(f"scenario {scenario!r}", problem, "Measure again, or name runs with --runs")
    return tuple(same[-(MOST_RUNS if count is None else count) :])


def _since(path: Path) -> str:
    from llmload.store.baseline_file import read_file

    return read_file(path).since if path.exists() else ""


def named(store: Store, scenario: str, wanted: Sequence[str]) -> tuple[HistoryRun, ...]:
    """The runs that the user names, oldest first; UsageError for one that cannot be part of the baseline."""
    ids = dict.fromkeys(store.find(each) for each in wanted)
    runs = sorted((measured_run(store, run_id, scenario) for run_id in ids), key=lambda run: (run.created, run.run_id))
    if len(runs) > MOST_IN_FILE:
        raise UsageError("--runs", f"{len(runs)} runs are more than {MOST_IN_FILE}", "Name fewer")
    first = runs[0]
    for run in runs[1:]:
        if differing := differences(first.fingerprint, run.fingerprint):
            told = "; ".join(f"{d.key} {d.theirs or 'unknown'} and {d.ours or 'unknown'}" for d in differing)
            problem = f"runs {first.run_id} and {run.run_id} were measured under different conditions: {plain(told)}"
            raise UsageError("--runs", problem, "Name runs of one fingerprint; each fingerprint has its own baseline")
    return tuple(runs)


def measured_run(store: Store, run_id: str, scenario: str) -> HistoryRun:
    """A run that may be part of a baseline of the scenario; UsageError says why one may not."""
    run = store.past(run_id)
    problem = ""
    if run.scenario != scenario:
        problem = f"belongs to the scenario {run.scenario}, and not to {scenario}"
    elif run.status != "finished":
        problem = f"is {run.status}: only a run that ended by itself is part of a baseline"
    elif run.exit_code == UNMEASURED:
        problem = "could not be measured (exit code 5), so that its figures say nothing"
    elif run_id not in {each.run_id for each in store.finished_runs(scenario)}:
        problem = "was measured in turns with another run, and belongs to that one"
    if problem:
        raise UsageError(f"run {run_id}", plain(problem), "Leave it out; `llmload runs` lists what is there")
    return run


# ---------------------------------------------------------------- what goes with it


def _histograms(store: Store, run_ids: Sequence[str]) -> Histograms:
    """Those of all runs together; none where the store does not have all of them, as after a change of machines."""
    parts: dict[str, dict[str, list[Histogram]]] = {}
    for run_id in run_ids:
        steps = store.steps(run_id)
        if not steps:
            return {}
        for step in steps:
            for metric, histogram in step.metrics.histograms.items():
                if metric != _LAG:
                    parts.setdefault(step.step.label, {}).setdefault(metric, []).append(histogram)
    return {
        label: {metric: merge_histograms(each) for metric, each in metrics.items()} for label, metrics in parts.items()
    }


def _notices(file: BaselineFile, chosen: Sequence[HistoryRun]) -> tuple[str, ...]:
    found: list[str] = []
    if len(file.runs) < LEAST_GATING:
        found.append(
            f"{len(file.runs)} of {LEAST_GATING} runs: advisory, gates against it warn at most; record more with"
            f" `llmload baseline update {file.scenario}`"
        )
    found += _unlike([run.past for run in file.runs], file.scenario)
    branches = sorted({run.branch for run in chosen if run.branch})
    if len(branches) > 1:
        found.append(f"its runs are of several branches: {', '.join(branches)}")
    if file.runs and not file.histograms:
        found.append("it has no histograms: they would be too large, or not all of its runs are in this store")
    return tuple(plain(each) for each in found)


def _unlike(runs: Sequence[PastRun], scenario: str) -> list[str]:
    """What speaks against the runs belonging together: another level from one on, or single ones that lie far out."""
    if (shift := shift_of(runs)) is not None:
        return [
            f"the level changed at run {shift.run_id}: {shift.figure} at {shift.step} is {shift.ratio:.3g} times"
            f" what it was before; if that was meant, `llmload baseline accept {scenario} {shift.run_id}`, else name"
            " the runs of one level with --runs"
        ]
    return [
        f"run {each.run_id} lies far out: {each.figure} at {each.step} is {each.ratio:.3g} times the median;"
        " find out why, or leave it out with --runs"
        for each in outliers(runs)
    ]


def _without(these: Sequence[str], those: Sequence[str]) -> tuple[str, ...]:
    return tuple(each for each in these if each not in those)


def _reason(reason: str) -> str:
    told = plain(reason, LONGEST_TEXT)
    if not told:
        raise UsageError("--reason", "is empty", "Say in a sentence why the baseline changes")
    if len(told) > LONGEST_TEXT:
        raise UsageError("--reason", f"has more than {LONGEST_TEXT} characters", "Say it in a sentence or two")
    return told


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
