"""What language models wrote about runs, kept beside them. The text is foreign, and shown escaped."""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING

from llmload.store.plausibility import is_plausible_analysis
from llmload.store.typed_json import of_text, to_text
from llmload.written_analysis import WrittenAnalysis

if TYPE_CHECKING:
    from llmload.store.database import Store

_LARGEST = 1_000_000
"""Characters of a document."""

_SHOWN = 20
"""The newest analyses of a run, which a page can bear; older ones stay in the store."""

_MOST = 1_000
"""Analyses of one run that are taken from a foreign store."""

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)")


def keep_analysis(store: Store, run_id: str, analysis: WrittenAnalysis) -> None:
    """Remember an analysis of a run, by its id in full."""
    store.keep_analysis(run_id, analysis.created, to_text(analysis).decode())


def analyses_of(store: Store, run_id: str) -> tuple[WrittenAnalysis, ...]:
    """What was written of a run, newest first; what cannot be read is left out."""
    with store.reading() as connection:
        return read_analyses(connection, run_id)


def read_analyses(connection: sqlite3.Connection, run_id: str) -> tuple[WrittenAnalysis, ...]:
    """As `analyses_of`, on a connection that is open."""
    rows = connection.execute(
        f"SELECT CASE WHEN length(document) <= {_LARGEST} THEN document END FROM analyses JOIN runs USING (run)"  # noqa: S608
        f" WHERE run_id = ? ORDER BY analyses.created DESC LIMIT {_SHOWN}",
        (run_id,),
    ).fetchall()
    found = (_analysis(row[0]) for row in rows)
    return tuple(each for each in found if each is not None)


def fault_of_analyses(connection: sqlite3.Connection, run: int) -> str:
    """What is wrong with the analyses of a run of a foreign store; "" where all of them can be read."""
    rows = connection.execute(
        f"SELECT created, CASE WHEN length(document) <= {_LARGEST} THEN document END FROM main.analyses WHERE run = ?"  # noqa: S608
        f" LIMIT {_MOST + 1}",
        (run,),
    )
    for count, (created, document) in enumerate(rows, start=1):
        if count > _MOST:
            return f"it has more than {_MOST:,} analyses"
        analysis = _analysis(document)
        if analysis is None or analysis.created != created or not _INSTANT.fullmatch(created):
            return "it has an analysis that no llmload writes"
    return ""


def analyses_differ(connection: sqlite3.Connection, theirs: int, mine: int) -> bool:
    """Whether two runs, of the schemas `main` and `ours`, have other words of one instant.

    That one of them has more analyses is no difference: they are written later, by whoever has the run.
    """
    query = (
        "SELECT EXISTS (SELECT 1 FROM main.analyses AS theirs JOIN ours.analyses AS mine USING (created)"
        " WHERE theirs.run = ? AND mine.run = ? AND theirs.document <> mine.document)"
    )
    return bool(connection.execute(query, (theirs, mine)).fetchone()[0])


def take_analyses(connection: sqlite3.Connection) -> None:
    """Copy those of `main` that `ours` does not have, to the runs of the same ids that have ended."""
    connection.execute(f"INSERT INTO ours.analyses {_NEW}")


def count_new_analyses(connection: sqlite3.Connection) -> int:
    """How many `take_analyses` would copy."""
    (count,) = connection.execute(f"SELECT count(*) FROM ({_NEW})").fetchone()  # noqa: S608 - a query of ours
    return int(count)


_NEW = """
SELECT mine.run, written.created, written.document
FROM main.analyses AS written JOIN main.runs AS theirs USING (run) JOIN ours.runs AS mine USING (run_id)
WHERE theirs.status <> 'running'
      AND NOT EXISTS (
          SELECT 1 FROM ours.analyses AS known WHERE known.run = mine.run AND known.created = written.created
      )
"""


def _analysis(document: str | None) -> WrittenAnalysis | None:
    try:
        analysis = of_text((document or "").encode(), WrittenAnalysis)
    except Exception:  # whatever is wrong with it, nobody wrote it with llmload
        return None
    return analysis if is_plausible_analysis(analysis) else None
