"""What a run came to, as pages may have it: kept, or judged again where that takes no page's patience.

Results that were judged here stay in memory, a few of them: a run that has ended does not change.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from enum import Enum

from llmload.domain import RunResult
from llmload.errors import LlmloadError
from llmload.reporters.texts import Texts
from llmload.site.answering import tell_defect
from llmload.store.analyses import analyses_of
from llmload.store.database import Store
from llmload.store.judgement import judged
from llmload.store.states import RunState, state_of

MOST_REQUESTS = 100_000
"""Stored requests of a run that a page judges again; it takes about a second."""

_MOST_RESULTS = 8


class Unjudged(Enum):
    """Why a run has no result to show; the values are the ends of keys of the catalogues."""

    NOT_ENDED = "not_ended"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"


def why_unjudged(why: Unjudged, state: RunState, texts: Texts) -> str:
    """The same in words, without a full stop."""
    return texts[f"site.run.unjudged.{why.value}"].format(count=f"{state.requests:,}", most=f"{MOST_REQUESTS:,}")


_Key = tuple[str, str, str, str, str | None, str | None, int]
_judged: OrderedDict[_Key, RunResult] = OrderedDict()
_one_at_a_time = threading.Lock()


def outcome(store: Store, state: RunState) -> RunResult | Unjudged:
    """The result of a run that has come to its end."""
    return measured(store, state) if state.has_result else Unjudged.NOT_ENDED


def measured(store: Store, state: RunState) -> RunResult | Unjudged:
    """What a run came to that no process works on, however it ended."""
    if state.is_running:
        return Unjudged.NOT_ENDED
    kept = store.kept(state.run_id)
    if kept is not None:
        return kept
    if state.requests > MOST_REQUESTS:
        return Unjudged.TOO_LARGE
    found = _remembered(store, state)
    if isinstance(found, Unjudged):
        return found
    return replace(found, analyses=analyses_of(store, state.run_id))  # they come later, also to what is in memory


def outcome_of(store: Store, run_id: str) -> RunResult | None:
    """The result of a run by its id in full; None where its page has none to show either."""
    state = state_of(store, run_id)
    result = Unjudged.NOT_ENDED if state is None else outcome(store, state)
    return None if isinstance(result, Unjudged) else result


def _remembered(store: Store, state: RunState) -> RunResult | Unjudged:
    """The same id may have been deleted and stored again, or resumed: then it ended otherwise, at another instant, or
    after more requests.
    """
    header = state.header
    key = (str(store.path), state.run_id, header.created, state.status, state.finished, state.verdict, state.requests)
    with _one_at_a_time:
        known = _judged.get(key)
        if known is not None:
            _judged.move_to_end(key)
            return known
        try:
            result = judged(store, state.run_id)
        except LlmloadError:  # what was stored when it ended is still there
            return Unjudged.UNREADABLE
        except Exception as error:  # of requests that no llmload wrote, or of a defect of ours: its owner is told
            tell_defect(error)
            return Unjudged.UNREADABLE
        _judged[key] = result
        while len(_judged) > _MOST_RESULTS:
            _judged.popitem(last=False)
        return result
