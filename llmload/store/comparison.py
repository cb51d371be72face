"""What other runs are compared by, in the store: the estimates of each run, and the baseline it was judged against."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from llmload.baseline import (
    SIDE_LABEL,
    Baseline,
    Design,
    Difference,
    Estimate,
    Estimates,
    Incomparable,
    NoBaseline,
    PastRun,
    Reference,
)
from llmload.domain import StepResult
from llmload.store.runs import plain_row, texts_of, to_json

WHOLE = -1
"""`estimates.repeat` of the estimates over all climbs of the ladder."""

_RUNS_AT_ONCE = 500  # of one query; SQLite allows 32,766 parameters


@dataclass(frozen=True, slots=True)
class HistoryRun:
    """A run as the history of its scenario tells it, by its stored figures alone.

    `commit` and `branch` are "" where nobody knew them. `steps` has nothing where the run was stored before
    estimates were kept, or where they were not asked for. A run that did not end has no exit code and no fingerprint.
    """

    run_id: str
    scenario: str
    status: str  # one of `database.STATUSES`
    created: str  # UTC, ISO 8601
    commit: str
    branch: str
    version: str  # of llmload
    exit_code: int | None
    fingerprint: Mapping[str, str]
    has_regressed: bool = False  # a relative gate failed its build
    steps: Mapping[str, Estimates] = field(default_factory=dict)

    @property
    def past(self) -> PastRun:
        """The same as a run of a baseline."""
        return PastRun(self.run_id, self.created, self.commit, self.steps)


# ---------------------------------------------------------------- estimates


def put_estimates(connection: sqlite3.Connection, run: int, steps: Sequence[StepResult]) -> None:
    """Replace the estimates of a run; its rows of `steps` are there already."""
    connection.execute("DELETE FROM estimates WHERE run = ?", (run,))
    connection.executemany(
        "INSERT INTO estimates VALUES (?, ?, ?, ?, ?, ?)",
        (
            (run, result.step.index, repeat, name, each.value, each.log_error)
            for result in steps
            for repeat, estimates in enumerate((result.estimates, *result.repeats), start=WHOLE)
            for name, each in estimates.items()
            if not math.isnan(each.value)  # SQLite would make it NULL
        ),
    )


def estimates_of_run(connection: sqlite3.Connection, run: int, repeat: int = WHOLE) -> Mapping[str, Estimates]:
    """By the label of the step; of one climb of the ladder, or over all of them."""
    rows = connection.execute(
        "SELECT label, name, estimates.value, log_error FROM estimates JOIN steps USING (run, step)"
        " WHERE run = ? AND repeat = ? ORDER BY step, name",
        (run, repeat),
    )
    found: dict[str, dict[str, Estimate]] = {}
    for label, name, value, log_error in rows:
        found.setdefault(label, {})[name] = Estimate(value, log_error)
    return found


_HEAD = (
    "SELECT run_id, scenario, status, created, coalesce(git_commit, ''),"
    " coalesce(json_extract(environment, '$.git_branch'), ''), llmload_version, exit_code,"
    " coalesce(fingerprint, '{}'),"
    " EXISTS (SELECT 1 FROM verdicts WHERE verdicts.run = runs.run AND kind = 'Regression' AND status = 'fail'"
    " AND level = 'fail') FROM runs "
)


def finished_runs(connection: sqlite3.Connection, scenario: str, limit: int | None = None) -> tuple[HistoryRun, ...]:
    """The finished runs of the scenario, the newest `limit` or all, oldest first, without estimates.

    Those of an A/B are left out: several climbs in one run vary less than a run that climbs once, and B is on trial.
    """
    rows = connection.execute(
        f"{_HEAD} WHERE scenario = ? AND status = 'finished'"  # noqa: S608 - words of ours
        " AND NOT EXISTS (SELECT 1 FROM run_labels WHERE run_labels.run = runs.run AND name = ?)"
        " ORDER BY created DESC, run_id DESC LIMIT ?",
        (scenario, SIDE_LABEL, -1 if limit is None else limit),
    )
    return _history_runs(rows)[::-1]


def past_run(connection: sqlite3.Connection, run: int) -> HistoryRun:
    """One run of any status, without estimates."""
    return _history_runs(connection.execute(f"{_HEAD} WHERE run = ?", (run,)))[0]


def _history_runs(rows: sqlite3.Cursor) -> tuple[HistoryRun, ...]:
    known: dict[str, Mapping[str, str]] = {}  # thousands of runs share a few fingerprints
    return tuple(
        HistoryRun(
            run_id,
            scenario,
            status,
            created,
            commit,
            branch,
            version,
            exit_code,
            _fingerprint(told, known),
            bool(failed),
        )
        for run_id, scenario, status, created, commit, branch, version, exit_code, told, failed in rows
    )


def _fingerprint(told: str, known: dict[str, Mapping[str, str]]) -> Mapping[str, str]:
    """Of a run without a readable one nothing is known, so that it is in no series with others."""
    if told not in known:
        try:
            known[told] = texts_of(told)
        except ValueError:
            known[told] = {}
    return known[told]


def steps_of_runs(
    connection: sqlite3.Connection,
    run_ids: Sequence[str],
    figures: Collection[str] = (),
    labels: Collection[str] = (),
) -> Mapping[str, Mapping[str, Estimates]]:
    """By run and the label of the step, over all climbs; only these figures, and these steps, where some are named."""
    found: dict[str, dict[str, dict[str, Estimate]]] = {}
    for begin in range(0, len(run_ids), _RUNS_AT_ONCE):
        some = run_ids[begin : begin + _RUNS_AT_ONCE]
        of_figures = f" AND name IN ({_places(figures)})" if figures else ""
        of_steps = f" AND label IN ({_places(labels)})" if labels else ""
        rows = connection.execute(
            "SELECT run_id, label, name, estimates.value, log_error"  # noqa: S608
            " FROM runs CROSS JOIN steps USING (run) CROSS JOIN estimates USING (run, step)"  # in this order: by keys
            f" WHERE run_id IN ({_places(some)}){of_steps} AND repeat = {WHOLE}{of_figures}"
            " ORDER BY run, step, name",
            (*some, *labels, *figures),
        )
        for run_id, label, name, value, log_error in rows:
            found.setdefault(run_id, {}).setdefault(label, {})[name] = Estimate(value, log_error)
    return found


def labels_of_runs(
    connection: sqlite3.Connection, run_ids: Sequence[str], figures: Sequence[str]
) -> Mapping[str, Sequence[str]]:
    """By run, the labels of its steps that have any of these figures, in the order of its ladder."""
    found: dict[str, list[str]] = {}
    for begin in range(0, len(run_ids), _RUNS_AT_ONCE):
        some = run_ids[begin : begin + _RUNS_AT_ONCE]
        rows = connection.execute(
            f"SELECT run_id, label FROM runs CROSS JOIN steps USING (run) WHERE run_id IN ({_places(some)})"  # noqa: S608
            " AND EXISTS (SELECT 1 FROM estimates WHERE (estimates.run, estimates.step) = (steps.run, steps.step)"
            f" AND repeat = {WHOLE} AND name IN ({_places(figures)})) ORDER BY run, step",
            (*some, *figures),
        )
        for run_id, label in rows:
            found.setdefault(run_id, []).append(label)
    return found


def _places(values: Collection[str]) -> str:
    return ", ".join("?" * len(values))


# ---------------------------------------------------------------- references


_DAMAGED = "what the run was compared with can no longer be read from the store"


def put_reference(connection: sqlite3.Connection, run: int, reference: Reference | None) -> None:
    """Replace what the run was judged against."""
    connection.execute("DELETE FROM baselines WHERE run = ?", (run,))
    if reference is not None:
        source = "" if isinstance(reference, NoBaseline) else reference.source
        row = plain_row((run, source, to_json(_document(reference))))
        connection.execute("INSERT INTO baselines VALUES (?, ?, ?)", row)


def reference_of_run(connection: sqlite3.Connection, run: int) -> Reference | None:
    """What the run was judged against; None where it had no relative gate. What cannot be read is no baseline."""
    row = connection.execute("SELECT source, document FROM baselines WHERE run = ?", (run,)).fetchone()
    if row is None:
        return None
    try:
        return _reference(row["source"], json.loads(row["document"]))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return NoBaseline(_DAMAGED, "Choose one again: `llmload gate RUN --baseline auto`")


def _document(reference: Reference) -> dict[str, object]:
    match reference:
        case NoBaseline(because, remedy):
            return {"kind": "NoBaseline", "because": because, "remedy": remedy}
        case Incomparable(_, differing):
            return {"kind": "Incomparable", "differing": [[each.key, each.theirs, each.ours] for each in differing]}
        case Baseline(_, scenario, fingerprint, runs, design):
            return {
                "kind": "Baseline",
                "scenario": scenario,
                "fingerprint": dict(fingerprint),
                "design": design.value,
                "runs": [[run.run_id, run.created, run.commit, list(run.steps)] for run in runs],
                "steps": _columns([steps_document(run.steps) for run in runs]),
            }
        case _:
            assert_never(reference)


def _reference(source: str, document: dict[str, object]) -> Reference:
    """As `_document` wrote it: the table is ours."""
    match document:
        case {"kind": "NoBaseline", "because": str(because), "remedy": str(remedy)}:
            return NoBaseline(because, remedy)
        case {"kind": "Incomparable", "differing": list(differing)}:
            return Incomparable(source, tuple(Difference(*each) for each in differing))
        case {"scenario": str(scenario), "fingerprint": dict(fingerprint), "design": str(design), "runs": list(runs)}:
            columns: _Columns = document["steps"]  # type: ignore[assignment]  # as `_columns` made it
            past = tuple(
                PastRun(run_id, created, commit, steps_of_document(_row(columns, place, labels)))
                for place, (run_id, created, commit, labels) in enumerate(runs)
            )
            return Baseline(source, scenario, fingerprint, past, Design(design))
        case _:
            raise ValueError(f"the table of baselines holds {sorted(document)}")


def _columns(runs: Sequence[Mapping[str, Mapping[str, Told]]]) -> _Columns:
    """By step and figure what each run tells, so that names are not repeated for each; null is for what one has not."""
    found: _Columns = {}
    for place, steps in enumerate(runs):
        for label, estimates in steps.items():
            for name, told in estimates.items():
                found.setdefault(label, {}).setdefault(name, [None] * len(runs))[place] = told
    return found


def _row(columns: _Columns, place: int, labels: Sequence[str]) -> dict[str, dict[str, Told]]:
    """One run's part of the columns, with the steps that it has, those without a figure too."""
    return {
        label: {name: told for name, each in columns.get(label, {}).items() if (told := each[place]) is not None}
        for label in labels
    }


Told = float | str | list[float | str]
"""An estimate in JSON: its value, "inf" where only failed attempts reach it, and its log error where it is known."""


_Columns = dict[str, dict[str, list[Told | None]]]


def steps_document(steps: Mapping[str, Estimates]) -> dict[str, dict[str, Told]]:
    """Estimates by step and figure, as JSON that any reader takes: JSON itself has no infinity."""
    return {
        label: {name: _told(each) for name, each in estimates.items() if not math.isnan(each.value)}
        for label, estimates in steps.items()
    }


def steps_of_document(document: Mapping[str, Mapping[str, Told]]) -> dict[str, Estimates]:
    """The same estimates again."""
    return {label: {name: _estimate(told) for name, told in estimates.items()} for label, estimates in document.items()}


def _told(each: Estimate) -> Told:
    value: float | str = each.value if math.isfinite(each.value) else "inf"
    return value if each.log_error is None else [value, each.log_error]


def _estimate(told: Told) -> Estimate:
    if isinstance(told, list):
        value, log_error = told
        return Estimate(float(value), float(log_error))
    return Estimate(float(told))
