"""The library of profiles: what each run of a store measured its installation to carry.

A document is foreign: a store may come from anyone. What cannot be read is as if it were not there.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from llmload.capacity import Profile
from llmload.store.typed_json import of_text, to_text

if TYPE_CHECKING:
    from llmload.store.database import Store

_LARGEST = 100_000
"""Characters of a document; ours have some two thousand."""

_LISTED = (
    f"SELECT CASE WHEN length(document) <= {_LARGEST} THEN document END FROM runs CROSS JOIN profiles USING (run)"  # noqa: S608 - a number of ours
    " WHERE created < ? ORDER BY created DESC, run_id DESC"
)
_END = "\U0010ffff"  # behind every instant


def put_profile(connection: sqlite3.Connection, run: int, profile: Profile | None) -> None:
    """Replace what a run measured."""
    connection.execute("DELETE FROM profiles WHERE run = ?", (run,))
    if profile is not None:
        connection.execute("INSERT INTO profiles (run, document) VALUES (?, ?)", (run, to_text(profile).decode()))


def measured_profiles(store: Store, before: str = _END) -> tuple[Profile, ...]:
    """Every profile of runs that began before that instant (ISO 8601), newest first."""
    with store.reading() as connection:
        rows = connection.execute(_LISTED, (before,)).fetchall()
    found = (_profile(row[0]) for row in rows)
    return tuple(profile for profile in found if profile is not None)


def _profile(document: str | None) -> Profile | None:
    try:
        return of_text((document or "").encode(), Profile)
    except Exception:  # whatever is wrong with it, nobody wrote it with llmload
        return None
