"""A store of which only some runs are to be seen, whatever is asked of it; nothing can be written through it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from llmload.errors import UsageError
from llmload.plain_text import plain
from llmload.store.database import Store
from llmload.store.opening import connect, explained
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


@contextmanager
def open_selected(path: Path, run_ids: Sequence[str]) -> Iterator[Store]:
    """The store at `path` as if it had these runs only. Raises StoreError."""
    connection = connect(path)
    try:
        with explained(path):
            _hide(connection, run_ids)
        yield Store(path, connection)
    finally:
        connection.close()


def _hide(connection: sqlite3.Connection, run_ids: Sequence[str]) -> None:
    """Lay a view of the same name before each table that is about runs: SQLite finds those of `temp` first."""
    connection.execute("CREATE TEMP TABLE selected_runs (run INTEGER PRIMARY KEY)")
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO selected_runs SELECT run FROM main.runs WHERE run_id = ?", ((run_id,) for run_id in run_ids)
    )
    connection.execute("COMMIT")
    tables = connection.execute(
        "SELECT tables.name FROM main.sqlite_master AS tables, pragma_table_info(tables.name) AS columns"
        " WHERE tables.type = 'table' AND columns.name = 'run'"
    )
    for (table,) in tables.fetchall():
        name = '"' + table.replace('"', '""') + '"'
        connection.execute(
            f"CREATE TEMP VIEW {name} AS SELECT * FROM main.{name}"  # noqa: S608 - a table of this very file, quoted
            " WHERE run IN (SELECT run FROM temp.selected_runs)"
        )
    connection.execute("PRAGMA query_only = ON")
