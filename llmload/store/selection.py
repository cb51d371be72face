"""Which runs of a store are told to others."""

from __future__ import annotations

from collections.abc import Sequence

from llmload.errors import UsageError
from llmload.plain_text import plain
from llmload.store.database import Store
from llmload.store.runs import RunSummary

_SHOWN = 10


def choose(store: Store, scenarios: Sequence[str] = (), newest: int | None = None) -> tuple[RunSummary, ...]:
    """Runs that have ended, newest first: of these scenarios where some are named, and no more than the newest.

    UsageError names the scenarios that there are.
    """
    runs = store.list_runs()
    known = {run.scenario for run in runs}
    for name in scenarios:
        if name not in known:
            some = ", ".join(plain(each, 100) for each in sorted(known)[:_SHOWN]) or "none"
            raise UsageError(f"--scenario {plain(name, 100)}", "the store has no run of it", f"Scenarios: {some}")
    ended = (run for run in runs if run.status != "running" and (not scenarios or run.scenario in scenarios))
    return tuple(ended)[:newest]


def still_running(store: Store, scenarios: Sequence[str] = ()) -> tuple[str, ...]:
    """Runs that `choose` leaves out because they have not ended, newest first."""
    runs = (run for run in store.list_runs() if not scenarios or run.scenario in scenarios)
    return tuple(run.run_id for run in runs if run.status == "running")
