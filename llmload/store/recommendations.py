"""What runs recommend, beside them in the store, so that all of it is listed without opening a single result.

A document is foreign: a store may come from anyone. What cannot be read is as if it were not there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmload.capacity import Recommendation
from llmload.store.plausibility import is_plausible_recommendation
from llmload.store.typed_json import of_text, to_text

if TYPE_CHECKING:
    from llmload.store.database import Store

_LARGEST = 1_000_000
"""Characters of a document; ours have some two thousand, and a thousand more for each alternative."""


@dataclass(frozen=True, slots=True)
class RecommendedRun:
    """A run with what it recommends. `model` and `framework` are None where the server never told."""

    run_id: str
    scenario: str
    created: str  # UTC, ISO 8601
    model: str | None
    framework: str | None
    recommendation: Recommendation


def put_recommendation(connection: sqlite3.Connection, run: int, recommendation: Recommendation | None) -> None:
    """Replace what a run recommends."""
    if recommendation is None:
        connection.execute("DELETE FROM recommendations WHERE run = ?", (run,))
        return
    document = to_text(recommendation).decode()
    connection.execute("INSERT OR REPLACE INTO recommendations (run, document) VALUES (?, ?)", (run, document))


_SELECTED = (
    "SELECT run_id, scenario, created, model, framework,"  # noqa: S608 - a number of ours
    f" CASE WHEN length(document) <= {_LARGEST} THEN document END AS document FROM "
)
_LISTED = (  # runs first, by their index: nothing is sorted
    f"{_SELECTED} runs CROSS JOIN recommendations USING (run)"
    " WHERE (created, run_id) < (?, ?) ORDER BY created DESC, run_id DESC LIMIT ?"
)
_END = ("\U0010ffff", "")  # behind every instant


@dataclass(frozen=True, slots=True)
class RecommendedPage:
    """A part of the list. `following` is the last run of this page where others are behind it, else None."""

    runs: tuple[RecommendedRun, ...]
    following: str | None


def recommended_runs(store: Store, limit: int, before: str | None = None) -> RecommendedPage:
    """Up to `limit` runs with a recommendation, newest first; only those behind the run `before` in this order."""
    with store.reading() as connection:
        row = None
        if before is not None:
            row = connection.execute("SELECT created, run_id FROM runs WHERE run_id = ?", (before,)).fetchone()
        begin = _END if row is None else tuple(row)
        found = connection.execute(_LISTED, (*begin, limit + 1)).fetchall()
    following = found[limit - 1]["run_id"] if len(found) > limit else None
    return RecommendedPage(tuple(_readable(found[:limit])), following)


def recommended_run(store: Store, run_id: str) -> RecommendedRun | None:
    """One run, by its id in full; None where it recommends nothing that can be read."""
    with store.reading() as connection:
        query = f"{_SELECTED} runs JOIN recommendations USING (run) WHERE run_id = ?"
        found = connection.execute(query, (run_id,)).fetchall()
    return next(_readable(found), None)


def _readable(rows: list[sqlite3.Row]) -> Iterator[RecommendedRun]:
    for run_id, scenario, created, model, framework, document in rows:
        if (recommendation := _recommendation(document)) is not None:
            yield RecommendedRun(run_id, scenario, created, model, framework, recommendation)


def _recommendation(document: str | None) -> Recommendation | None:
    try:
        found = of_text((document or "").encode(), Recommendation)
    except Exception:  # whatever is wrong with it, nobody wrote it with llmload
        return None
    return found if is_plausible_recommendation(found) else None
