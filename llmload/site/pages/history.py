"""The history: runs of the store, newest first, by what the reader wants to see of them.

Its twin `history.json` has the same figures: shares 0..1, latencies in ms, throughput in tokens per second, all of the
headline step of each run; null where a figure is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from urllib.parse import urlencode

from llmload.site import rendering
from llmload.site.asking import Answer, Asked
from llmload.site.filters import (
    MOST_LABELS,
    STATUSES,
    Query,
    chips,
    cursor_of,
    cursor_query,
    fields,
    filter_of,
    query_of,
)
from llmload.site.pages import comparison
from llmload.site.trend_line import trend_line
from llmload.store.database import Store
from llmload.store.history import PAGE, Choice, Cursor, Filter, HistoryRow, history

Json = None | float | int | str | list["Json"] | dict[str, "Json"]


def page(asked: Asked, store: Store) -> Answer:
    """For people."""
    wanted, cursor, texts = filter_of(asked), cursor_of(asked), asked.texts
    found = history(store, wanted, cursor)
    lines = [trend_line(scenario, points, texts) for scenario, points in found.trends.items()]
    told = {
        "history": found,
        "running": found.running if cursor is None else (),
        "lines": [line for line in lines if line is not None],
        "fields": fields(wanted, found.choices, texts),
        "labels": [f"{name}={value}" for name, value in wanted.labels],
        "most_labels": MOST_LABELS,
        "chips": [(chip, _address(asked, chip.without)) for chip in chips(wanted, texts)],
        "newest": None if cursor is None else _address(asked, query_of(wanted)),
        "newer": _turn(asked, wanted, found.newer),
        "older": _turn(asked, wanted, found.older),
        "statuses": {status: texts[key] for status, key in STATUSES.items()},
        "least_compared": comparison.LEAST,
        "most_compared": comparison.MOST,
        "language": asked.value("lang"),
    }
    return rendering.render("history.html.j2", told, asked)


def _turn(asked: Asked, wanted: Filter, cursor: Cursor | None) -> str | None:
    return None if cursor is None else _address(asked, (*query_of(wanted), *cursor_query(cursor)))


def _address(asked: Asked, query: Query) -> str:
    """That of the history with a query, in which a name may come several times."""
    once = dict(query)
    if len(once) == len(query):
        return asked.links.history(once)
    language = [("lang", told)] if (told := asked.value("lang")) else []
    return f"{asked.links.history().partition('?')[0]}?{urlencode([*query, *language])}"


# ---------------------------------------------------------------- for programs


def document(asked: Asked, store: Store) -> Answer:
    """For programs: a page of runs, and where the next one is, as a reference relative to this document."""
    wanted, cursor = filter_of(asked), cursor_of(asked)
    found = history(store, wanted, cursor)
    choices = found.choices
    told: dict[str, Json] = {
        "run_count": found.count,
        "runs_in_store": found.total,
        "page_size": PAGE,
        "filter": _echo(wanted),
        "filters": {
            "scenario": _choices(choices.scenario),
            "model": _choices(choices.model),
            "framework": _choices(choices.framework),
            "verdict": _choices(choices.verdict),
            "status": _choices(choices.status),
            "label": _choices(choices.label),
        },
        "next": _reference(wanted, found.older),
        "previous": _reference(wanted, found.newer),
        "runs": [{**_run(row), "document": asked.links.run_json(row.run_id)} for row in found.runs],
    }
    return rendering.document(told)


def _echo(wanted: Filter) -> dict[str, Json]:
    return {
        "scenario": wanted.scenario,
        "model": wanted.model,
        "framework": wanted.framework,
        "verdict": None if wanted.verdict is None else wanted.verdict.value,
        "status": wanted.status,
        "label": [f"{name}={value}" for name, value in wanted.labels],
    }


def _choices(choices: tuple[Choice, ...]) -> list[Json]:
    return [{"value": choice.value, "runs": choice.runs} for choice in choices]


def _reference(wanted: Filter, cursor: Cursor | None) -> str | None:
    return None if cursor is None else f"?{urlencode([*query_of(wanted), *cursor_query(cursor)])}"


def _run(row: HistoryRow) -> dict[str, Json]:
    figures: Mapping[str, float | None] = {
        "goodput": row.goodput,
        "goodput_low": row.goodput_low,
        "goodput_high": row.goodput_high,
        "error_rate": row.error_rate,
        "ttft_p50_ms": row.ttft_p50_ms,
        "ttft_p99_ms": row.ttft_p99_ms,
        "tpot_p99_ms": row.tpot_p99_ms,
        "output_tps": row.output_tps,
    }
    return {
        "run_id": row.run_id,
        "scenario": row.scenario,
        "created": row.created,
        "finished": row.finished,
        "status": row.status,
        "verdict": None if row.verdict is None else row.verdict.value,
        "because": row.because or None,
        "framework": row.framework,
        "framework_version": row.framework_version,
        "model": row.model,
        "gpu": row.gpu,
        "headline_step": row.step,
        "labels": dict(row.labels),
        **{name: value if value is not None and isfinite(value) else None for name, value in figures.items()},
    }
