"""A run without a result: one that goes on, one that broke off, one whose requests are too many to be judged here."""

from __future__ import annotations

from collections.abc import Mapping

from llmload.site import rendering
from llmload.site.asking import Answer, Asked, Freshness
from llmload.site.outcome import Unjudged, why_unjudged
from llmload.site.standing import gpu_table, instant, ladder_of, spoken, state_document, step_table, told_of
from llmload.store.database import Store
from llmload.store.judgement import cut_short
from llmload.store.states import RunState, caveats_by_place, gate_words
from llmload.verdict import Status

_MOST_LINES = 60


def page(asked: Asked, store: Store, state: RunState, why: Unjudged, around: Mapping[str, object]) -> Answer:
    """What happened, since when, what to do, and all that was measured so far."""
    texts, ladder = asked.texts, ladder_of(state)
    reason = cut_short(state.header, state.status)
    live = told_of(state, ladder, texts) if state.is_running and asked.links.is_live else {}
    told = {
        **around,
        "state": state,
        "decided": _status(state.verdict) if state.has_result and state.verdict else None,
        "explained": why_unjudged(why, state, texts) if state.has_result else "",
        "reason": reason,
        "facts": _facts(asked, state),
        "live": live,
        "gpus": gpu_table(state, texts),
        "spoken": spoken(live, texts) if live else "",
        "gates": [(_status(gate.status), gate) for gate in gate_words(store, state.run_id)][:_MOST_LINES],
        "caveats": caveats_by_place(store, state.run_id)[:_MOST_LINES],
        "table": step_table(store.steps(state.run_id), ladder, texts),
    }
    return rendering.render("standing_run.html.j2", told, asked)


def document(store: Store, state: RunState) -> Answer:
    """The same for programs."""
    gates, caveats = gate_words(store, state.run_id), caveats_by_place(store, state.run_id)
    return rendering.document(state_document(state, store.steps(state.run_id), gates, caveats), Freshness.CHANGING)


def _status(stored: str) -> Status:
    """A status that no llmload writes could mean anything."""
    return Status(stored) if stored in list(Status) else Status.ERROR


def _facts(asked: Asked, state: RunState) -> list[tuple[str, str]]:
    texts, facts = asked.texts, state.facts
    told = [] if facts is None else [("model", facts.model), ("framework", facts.framework), ("url", facts.url)]
    told += [("run", state.run_id), ("created", _moment(state.header.created))]
    pairs = [(texts[f"html.fact.{name}"], value) for name, value in told]
    if state.finished is not None:
        pairs.append((texts["site.run.fact.ended"], _moment(state.finished)))
    if state.seen_s is not None and not state.is_running:
        pairs.append((texts["site.run.fact.seen"], _moment(instant(state.seen_s))))
    return pairs


def _moment(stored: str) -> str:
    return stored[:19].replace("T", " ")
