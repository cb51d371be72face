"""Which runs can be held against each other: those that have ended, with figures."""

from __future__ import annotations

from collections.abc import Sequence

from llmload.store import runs
from llmload.store.database import Store
from llmload.store.runs import RunSummary

_HAS_FIGURES = "EXISTS (SELECT 1 FROM steps WHERE steps.run = runs.run AND attempts IS NOT NULL)"


def are_comparable(store: Store, run_ids: Sequence[str]) -> dict[str, bool]:
    """Whether each of the runs has ended with figures, by its id in full; those that are not in the store lack."""
    places = ", ".join("?" * len(run_ids))
    with store.reading() as connection:
        rows = connection.execute(
            f"SELECT run_id, status <> 'running' AND {_HAS_FIGURES} FROM runs"  # noqa: S608 - words of ours
            f" WHERE run_id IN ({places})",
            tuple(run_ids),
        )
        return {run_id: bool(is_comparable) for run_id, is_comparable in rows}


def comparable_runs(store: Store, scenario: str | None, limit: int) -> tuple[RunSummary, ...]:
    """The newest runs that can be compared, of one scenario or of all."""
    of_scenario = "" if scenario is None else " AND scenario = ?"
    with store.reading() as connection:
        rows = connection.execute(
            f"SELECT {runs.SUMMARY} FROM runs WHERE status <> 'running' AND {_HAS_FIGURES}{of_scenario}"  # noqa: S608
            " ORDER BY created DESC, run_id DESC LIMIT ?",
            (*(() if scenario is None else (scenario,)), limit),
        )
        return tuple(RunSummary(*row) for row in rows)
