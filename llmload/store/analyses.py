"""What language models wrote about runs, kept beside them. The text is foreign, and shown escaped."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from llmload.store.typed_json import of_text, to_text
from llmload.written_analysis import WrittenAnalysis

if TYPE_CHECKING:
    from llmload.store.database import Store

_LARGEST = 1_000_000
"""Characters of a document."""


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
        " WHERE run_id = ? ORDER BY analyses.created DESC",
        (run_id,),
    ).fetchall()
    found = (_analysis(row[0]) for row in rows)
    return tuple(each for each in found if each is not None)


def _analysis(document: str | None) -> WrittenAnalysis | None:
    try:
        return of_text((document or "").encode(), WrittenAnalysis)
    except Exception:  # whatever is wrong with it, nobody wrote it with llmload
        return None
