"""Which baseline a run is held against: what `--baseline` names, or what `auto` finds.

Everything is read and checked before any load is sent, but for the figures of the runs that are chosen in the store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from llmload import git
from llmload.analysis.baselines import Refer, choose, fingerprint_id, no_baseline, rounded
from llmload.analysis.judgement import UNMEASURED
from llmload.baseline import Baseline, Estimate, NoBaseline, PastRun, Reference
from llmload.errors import DataFileError, UsageError
from llmload.promises import Change
from llmload.scenario.asked import Scenario
from llmload.store.baseline_file import FOLDER, LARGEST, BaselineFile, files_in, is_own_name, read, read_file
from llmload.store.database import HistoryRun, Store, open_store

AUTO = "auto"

MOST_RUNS = 20
"""Runs of the store that make a baseline: the newest ones."""

_NOWHERE = Path(":memory:")  # SQLite's name of a store that is never written

_SHORT = 12  # characters of a commit


def refer_for(scenario: Scenario, wanted: str | None, store: Store, run_id: str = "") -> Refer:
    """What `--baseline` asks for: a path, a git ref, a stored run, or `auto` (also where it was not written).

    `run_id` is the run that is judged, which is never its own baseline. UsageError for what the user named and is not
    there, DataFileError for a file that cannot be trusted.
    """
    if wanted is not None and wanted != AUTO:
        found = _settled(run_id, _named(scenario, wanted, store, run_id))
        return _among(found, scenario, f"--baseline {wanted} holds no other runs")
    if not any(isinstance(gate.promise, Change) for gate in scenario.gates):
        return no_baseline
    return _auto(scenario, store, run_id)


def check_reference(scenario: Scenario, wanted: str | None, store: Path) -> None:
    """What `refer_for` refuses, before there is a run; a store that is not there is empty, and is not made."""
    with open_store(store if store.exists() else _NOWHERE) as opened:
        refer_for(scenario, wanted, opened)


def _among(candidates: Sequence[Baseline], scenario: Scenario, because: str) -> Refer:
    absent = NoBaseline(because, _remedy(scenario))
    return lambda fingerprint: choose(candidates, fingerprint, absent)


def _settled(run_id: str, candidates: Sequence[Baseline]) -> tuple[Baseline, ...]:
    """The candidates as they are judged by and kept. A run that became part of one is not compared with itself.

    How sure a figure is within its run says nothing where several runs have it: how runs differ is seen then.
    """
    return tuple(replace(each, runs=_plain([r for r in each.runs if r.run_id != run_id])) for each in candidates)


def _plain(runs: Sequence[PastRun]) -> tuple[PastRun, ...]:
    told = Counter((label, name) for run in runs for label, estimates in run.steps.items() for name in estimates)

    def estimate(label: str, name: str, each: Estimate) -> Estimate:
        return each if told[label, name] == 1 else Estimate(each.value)

    return tuple(
        replace(
            run,
            steps={
                label: {name: estimate(label, name, each) for name, each in estimates.items()}
                for label, estimates in run.steps.items()
            },
        )
        for run in map(rounded, runs)
    )


def _remedy(scenario: Scenario) -> str:
    return f"Record one with `llmload baseline update {scenario.name} --reason TEXT`, and commit it"


# ---------------------------------------------------------------- what the user named


def _named(scenario: Scenario, wanted: str, store: Store, run_id: str) -> tuple[Baseline, ...]:
    """A path goes before a git ref, and that before a run of the store."""
    if not wanted.strip():
        raise UsageError("--baseline", "is empty", "Name a file, a git ref or a stored run, or leave it out")
    if wanted.startswith("-"):
        raise UsageError(f"--baseline {wanted}", "begins like an option", "Name a file, a git ref or a stored run")
    if Path(wanted).exists():
        return _at_path(scenario, Path(wanted))
    commit = git.commit_of(wanted)
    if commit is None:
        return (_stored_run(wanted, store, run_id),)
    files = _committed(_folder(scenario), commit)
    if not files:
        problem = f"there is no baseline of {scenario.name} in {_folder(scenario)} at {commit[:_SHORT]}"
        raise UsageError(f"--baseline {wanted}", problem, "Name a commit that has one, or a file")
    return _of_scenario(scenario, files)


def _at_path(scenario: Scenario, path: Path) -> tuple[Baseline, ...]:
    """A file, the folder in which baselines of the scenario lie, or one above it."""
    if not path.is_dir():
        return _of_scenario(scenario, {f"the baseline {path}": read_file(path)})
    for folder in (path, path / scenario.name, path / FOLDER / scenario.name):
        if found := files_in(folder):
            return _of_scenario(scenario, {f"the baseline {each}": read_file(each) for each in found})
    raise UsageError(f"--baseline {path}", f"there is no baseline of {scenario.name} in it", _remedy(scenario))


def _of_scenario(scenario: Scenario, files: Mapping[str, BaselineFile]) -> tuple[Baseline, ...]:
    for source, file in files.items():
        if file.scenario != scenario.name:
            problem = f"belongs to the scenario {file.scenario}, and not to {scenario.name}"
            raise UsageError(source, problem, "Name a baseline of this scenario")
    return tuple(file.baseline(source) for source, file in files.items())


def _stored_run(wanted: str, store: Store, run_id: str) -> Baseline:
    """One run of the store, which is advisory."""
    try:
        found = store.past(store.find(wanted))
    except UsageError as error:
        problem = f"is no file, no git ref, and no stored run: {error.problem}"
        raise UsageError(f"--baseline {wanted}", problem, error.remedy) from None
    if found.run_id == run_id:
        raise UsageError(f"--baseline {wanted}", "is the run that is judged", "Name another run")
    if found.status != "finished" or found.exit_code == UNMEASURED:
        problem = f"was {found.status}" if found.status != "finished" else "could not be measured"
        raise UsageError(f"--baseline {wanted}", f"run {found.run_id} {problem}", "Name a run that was measured")
    return _baseline(f"the stored run {found.run_id}", with_steps(store, [found]))


# ---------------------------------------------------------------- auto


def _auto(scenario: Scenario, store: Store, run_id: str) -> Refer:
    """Committed baselines at the merge base; without git, those of the working tree; else runs of the store."""
    folder, default, base = _folder(scenario), git.default_branch(), git.merge_base()
    if base is not None:
        searched = f"{folder} at {base[:_SHORT]}, where HEAD left {default[0] if default else 'the default branch'}"
        files = _committed(folder, base)
    else:
        searched = f"{folder} of the working tree"
        files = {f"the baseline {path} of the working tree": read_file(path) for path in files_in(folder)}
    if git.is_shallow():
        files = {f"{source}, in a shallow clone, which may not know the merge base": files[source] for source in files}
    candidates = _settled(run_id, _of_scenario(scenario, files))
    branch = default[0] if default else ""
    runs = _on_branch(scenario, store, run_id, branch, tuple(files.values()))
    where = f"finished runs{f' on {branch}' if branch else ''} in {store.path}"
    unmerged = f"; {folder} of the working tree counts once it is merged" if base and files_in(folder) else ""
    absent = NoBaseline(
        f"there is no baseline of {scenario.name}: neither in {searched}, nor {where}{unmerged}", _remedy(scenario)
    )
    of_store = _from_store(scenario, store, runs, f"the newest {where}")

    def refer(fingerprint: Mapping[str, str]) -> Reference:
        committed = choose(candidates, fingerprint, absent)
        if isinstance(committed, Baseline):
            return committed
        stored = of_store(fingerprint, absent)
        return stored if isinstance(stored, Baseline) or isinstance(committed, NoBaseline) else committed

    return refer


def _committed(folder: Path, commit: str) -> dict[str, BaselineFile]:
    """The baselines that lay in a folder at a commit."""
    found: dict[str, BaselineFile] = {}
    for name in git.names_in(commit, folder):
        if not is_own_name(name):
            continue
        source = f"{folder / name} at {commit[:_SHORT]}"
        content = git.content_of(commit, folder / name, LARGEST)
        if content is None:
            raise DataFileError(source, f"cannot be had from git, or is larger than {LARGEST:,} bytes", "Mend it there")
        found[f"the baseline {source}"] = read(content, f"{commit[:_SHORT]}:{folder / name}")
    return found


def _folder(scenario: Scenario) -> Path:
    return Path(scenario.reports.directory) / FOLDER / scenario.name


def _on_branch(
    scenario: Scenario, store: Store, run_id: str, branch: str, files: Sequence[BaselineFile]
) -> tuple[HistoryRun, ...]:
    """Runs that may be a baseline, oldest first: measured on the branch, since the last shift that was accepted.

    A run that failed its build as a regression is none, or the runs after it would pass for being as slow. Without a
    repository no branch is known of any run.
    """
    since = {fingerprint_id(file.fingerprint): file.since for file in files}
    return tuple(
        run
        for run in store.finished_runs(scenario.name)
        if run.branch == branch
        and run.run_id != run_id
        and run.exit_code != UNMEASURED
        and not run.has_regressed
        and run.created >= since.get(fingerprint_id(run.fingerprint), "")
    )


def _from_store(
    scenario: Scenario, store: Store, runs: Sequence[HistoryRun], source: str
) -> Callable[[Mapping[str, str], NoBaseline], Reference]:
    """Chooses among runs of the store; figures are read of the chosen ones only, as there may be thousands."""
    groups: dict[str, list[HistoryRun]] = {}
    for run in runs:
        groups.setdefault(fingerprint_id(run.fingerprint), []).append(run)
    candidates = [_baseline(source, group[-1:]) for group in groups.values()]

    def refer(fingerprint: Mapping[str, str], absent: NoBaseline) -> Reference:
        chosen = choose(candidates, fingerprint, absent)
        if not isinstance(chosen, Baseline):
            return chosen
        newest = groups[fingerprint_id(fingerprint)][-MOST_RUNS:]
        told = [run for run in store.with_estimates(newest) if run.steps]  # older stores kept none
        return choose(_settled("", [_baseline(source, told)]) if told else [], fingerprint, absent)

    return refer


def _baseline(source: str, runs: Sequence[HistoryRun]) -> Baseline:
    newest = runs[-1]
    return Baseline(source, newest.scenario, newest.fingerprint, tuple(run.past for run in runs))


def with_steps(store: Store, runs: Sequence[HistoryRun]) -> tuple[HistoryRun, ...]:
    """The runs with their estimates; one that was stored before those were kept is judged again for them."""
    from llmload.store.judgement import judged

    return tuple(
        run
        if run.steps
        else replace(run, steps={s.step.label: s.estimates for s in judged(store, run.run_id).steps if s.estimates})
        for run in store.with_estimates(runs)
    )
