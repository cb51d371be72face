"""By what the stored requests of a run can be told apart, besides what became of them."""

from __future__ import annotations

from typing import Literal

from llmload.store.database import Store

_OF_RUN = "FROM runs JOIN windows USING (run) JOIN {table} USING (window) WHERE run_id = ?1"
_TOLD = f"""
SELECT max(traffic_class IS NOT NULL), max(turn IS NOT NULL), max(prefix_group IS NOT NULL),
       EXISTS (SELECT 1 {_OF_RUN.format(table="request_sessions")})
{_OF_RUN.format(table="request_kinds")}
"""


def parts_of_requests(store: Store, run_id: str) -> frozenset[Literal["class", "session", "turn", "group"]]:
    """Which of these any request of the run has."""
    with store.reading() as connection:
        has_class, has_turn, has_group, has_session = connection.execute(_TOLD, (run_id,)).fetchone()
    told: dict[Literal["class", "session", "turn", "group"], object] = {
        "class": has_class,
        "session": has_session,
        "turn": has_turn,
        "group": has_group,
    }
    return frozenset(name for name, is_told in told.items() if is_told)
