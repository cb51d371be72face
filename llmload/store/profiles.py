"""The library of profiles: what each run of a store measured its installation to carry.

A document is foreign: a store may come from anyone. What cannot be read, is of another run, or says what cannot be, is
as if it were not there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from llmload.analysis.alternatives import installation_of, question_of
from llmload.capacity import Profile
from llmload.store.plausibility import is_plausible_profile
from llmload.store.runs import plain_row
from llmload.store.typed_json import of_text, to_text

if TYPE_CHECKING:
    from llmload.store.database import Store

_LARGEST = 100_000
"""Characters of a document; ours have some two thousand."""

_MOST_OTHERS = 1_000
"""Installations that one demand is answered for."""

_SELECTED = f"SELECT run_id, CASE WHEN length(document) <= {_LARGEST} THEN document END AS document"

_LISTED = (  # by an index of profiles alone: nothing is sorted
    f"{_SELECTED} FROM profiles CROSS JOIN runs USING (run)"
    " WHERE (profiles.created, profiles.run) < (:created, :run)"
    " AND (:model IS NULL OR instr(lower(profiles.model), lower(:model)))"
    " AND (:gpu IS NULL OR instr(lower(profiles.gpu), lower(:gpu)))"
    " AND (:framework IS NULL OR lower(profiles.framework) = lower(:framework))"
    " ORDER BY profiles.created DESC, profiles.run DESC LIMIT :limit"
)

_OTHERS = (  # `max` makes the other columns those of the newest; within an index of profiles
    "WITH newest AS (SELECT run, max(created) FROM profiles WHERE question = ? AND created < ? AND installation <> ?"  # noqa: S608 - numbers of ours
    f" AND max_concurrency IS NOT NULL GROUP BY installation LIMIT {_MOST_OTHERS})"
    f" {_SELECTED} FROM newest CROSS JOIN profiles USING (run) CROSS JOIN runs USING (run)"
    " ORDER BY profiles.created DESC, run_id DESC"
)
_END = ("\U0010ffff", 0)  # behind every instant


@dataclass(frozen=True, slots=True)
class Sought:
    """Which profiles to list: model and GPU by a part of their names, the framework by its name, in any case."""

    model: str | None = None
    gpu: str | None = None
    framework: str | None = None


EVERYTHING = Sought()


@dataclass(frozen=True, slots=True)
class ProfilePage:
    """A part of the list. `following` is the last run of this page where others are behind it, else None."""

    profiles: tuple[Profile, ...]
    following: str | None


def put_profile(connection: sqlite3.Connection, run: int, profile: Profile | None) -> None:
    """Replace what a run measured."""
    connection.execute("DELETE FROM profiles WHERE run = ?", (run,))
    if profile is None:
        return
    carried = profile.at_slo
    row = (
        run,
        profile.created,
        _digest(question_of(profile)),
        _digest(installation_of(profile)),
        profile.model,
        profile.framework,
        profile.gpu_model,
        profile.gpu_count,
        None if carried is None else carried.concurrency,
        None if carried is None else carried.goodput,
        None if carried is None else carried.output_tps,
        profile.fails_at,
        to_text(profile).decode(),
    )
    connection.execute(f"INSERT INTO profiles VALUES ({', '.join('?' * len(row))})", plain_row(row))  # noqa: S608


def borrow_profiles(connection: sqlite3.Connection) -> None:
    """Let runs of `main` have the profiles of the runs of the same ids in `ours`, which were judged from requests."""
    columns = [row[1] for row in connection.execute("SELECT * FROM pragma_table_info('profiles', 'main')")]
    taken = ", ".join(f"mine.{name}" for name in columns if name != "run")
    connection.execute(
        f"INSERT OR REPLACE INTO main.profiles SELECT theirs.run, {taken} FROM ours.profiles AS mine"  # noqa: S608
        " JOIN ours.runs AS known USING (run) JOIN main.runs AS theirs USING (run_id)"
    )


def profiles_beside(store: Store, own: Profile) -> tuple[Profile, ...]:
    """Of each other installation the newest profile that answers the same question and is older than `own`.

    Only those that say which load surely holds the SLO; newest first.
    """
    with store.reading() as connection:
        row = (_digest(question_of(own)), own.created, _digest(installation_of(own)))
        return tuple(_readable(connection.execute(_OTHERS, row)))


def listed_profiles(
    store: Store, sought: Sought = EVERYTHING, limit: int = 50, before: str | None = None
) -> ProfilePage:
    """Up to `limit` profiles that are sought, newest first; only those behind the run `before` (its id in full)."""
    with store.reading() as connection:
        query = "SELECT profiles.created, run FROM profiles JOIN runs USING (run) WHERE run_id = ?"
        row = None if before is None else connection.execute(query, (before,)).fetchone()
        created, run = _END if row is None else row
        asked = {"model": sought.model, "gpu": sought.gpu, "framework": sought.framework}
        found = connection.execute(_LISTED, {**asked, "created": created, "run": run, "limit": limit + 1}).fetchall()
    following = found[limit - 1]["run_id"] if len(found) > limit else None
    return ProfilePage(tuple(_readable(found[:limit])), following)


def _readable(rows: Iterable[sqlite3.Row]) -> Iterator[Profile]:
    for run_id, document in rows:
        profile = _profile(document)
        if profile is not None and profile.run_id == run_id:
            yield profile


def _profile(document: str | None) -> Profile | None:
    try:
        profile = of_text((document or "").encode(), Profile)
    except Exception:  # whatever is wrong with it, nobody wrote it with llmload
        return None
    return profile if is_plausible_profile(profile) else None


def _digest(text: str) -> str:
    return sha256(text.encode(errors="replace")).hexdigest()[:32]
