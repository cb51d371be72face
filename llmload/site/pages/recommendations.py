"""What runs recommend: side by side, and one in full."""

from __future__ import annotations

from dataclasses import dataclass

from llmload.capacity import Advice, Recommendation
from llmload.plain_text import plain
from llmload.reporters import capacity_sections
from llmload.reporters.capacity_chart import capacity_curve
from llmload.reporters.capacity_document import recommendation_document
from llmload.reporters.changes import between
from llmload.reporters.embedding import live_figures
from llmload.reporters.figures import amount, percent
from llmload.reporters.reasons import in_language
from llmload.reporters.step_document import Json
from llmload.reporters.texts import Texts
from llmload.site import rendering
from llmload.site.asking import Answer, Asked, Freshness, Refused
from llmload.store.database import Store
from llmload.store.recommendations import RecommendedPage, RecommendedRun, recommended_run, recommended_runs
from llmload.store.states import known_of

OF_A_PAGE = 50
_OF_A_FILE = 1_000
"""Where no server answers there is one page."""

_ROOM = {"lines": 60}


def listing(asked: Asked, store: Store) -> Answer:
    """For people: what runs recommend, newest first."""
    found = _found(asked, store)
    told = {
        "rows": [_row(each, asked.texts) for each in found.runs],
        "older": _older(asked, found),
        "is_first": asked.value("before") is None,
    }
    return rendering.render("recommendations.html.j2", told, asked)


def listing_document(asked: Asked, store: Store) -> Answer:
    """For programs: the same; `older` is what to ask `before=` for the next ones, null at the end."""
    found = _found(asked, store)
    return rendering.document(
        {"recommendations": [_document(each) for each in found.runs], "older": _plain(found.following)}
    )


def page(asked: Asked, store: Store) -> Answer:
    """For people: one recommendation in full."""
    found = _one(asked, store)
    chart = capacity_curve(found.recommendation, asked.texts)
    charts = live_figures([] if chart is None else [chart])
    told = {
        "run": found,
        "advised": capacity_sections.advised(found.recommendation, asked.texts),
        "room": _ROOM,
        "linked": linked(found.recommendation, asked, store),
    }
    return rendering.render("recommendation.html.j2", told, asked, charts, Freshness.SETTLED)


def linked(found: Recommendation | None, asked: Asked, store: Store) -> dict[str, str]:
    """Addresses of the runs by which alternatives were measured; those that are in another store have none."""
    others = () if found is None else found.alternatives
    return {run: asked.links.run(run) for run in sorted(known_of(store, {each.run_id for each in others}))}


def document(asked: Asked, store: Store) -> Answer:
    """For programs: the same."""
    return rendering.document(_document(_one(asked, store)), Freshness.SETTLED)


def _found(asked: Asked, store: Store) -> RecommendedPage:
    return recommended_runs(store, OF_A_PAGE if asked.links.is_live else _OF_A_FILE, asked.value("before"))


def _one(asked: Asked, store: Store) -> RecommendedRun:
    found = recommended_run(store, asked.parts["run"])
    if found is None:
        run = plain(asked.parts["run"], 60)
        raise Refused(404, asked.texts["site.recommend.unknown"].format(run=run), asked.texts["site.recommend.see_all"])
    return found


def _older(asked: Asked, found: RecommendedPage) -> str | None:
    if found.following is None or not asked.links.is_live:
        return None
    return asked.links.recommendations({"before": found.following})


# ---------------------------------------------------------------- in words


@dataclass(frozen=True, slots=True)
class _Row:
    """One recommendation as a line of the table. `advice` has its figures, in the order of its columns, and is empty
    where there can be no advice: then `headline` says why.
    """

    run: RecommendedRun
    headline: str
    peak: str
    advice: tuple[tuple[str, str], ...]  # figure and its interval, "" where there is none


def _row(run: RecommendedRun, texts: Texts) -> _Row:
    found = run.recommendation
    cells = () if found.advice is None else _cells(found.advice, texts)
    return _Row(run, in_language(found.headline, texts), amount(found.workload.peak_concurrency), cells)


def _cells(advice: Advice, texts: Texts) -> tuple[tuple[str, str], ...]:
    cost = advice.estimated_monthly_cost_usd
    told = (
        ("recommended_count", f"{advice.recommended_count:,} × {advice.recommended_gpu}"),
        ("estimated_max_concurrency", amount(advice.estimated_max_concurrency)),
        ("headroom_percent", percent(advice.headroom_percent / 100)),
        ("estimated_monthly_cost_usd", texts["advice.unknown"] if cost is None else amount(cost)),
    )
    return tuple((shown, _interval(advice, name, texts)) for name, shown in told)


def _interval(advice: Advice, name: str, texts: Texts) -> str:
    found = advice.intervals.get(name)
    if found is None:
        return ""
    low = amount(found.low)
    if found.high is None:
        return texts["advice.at_least"].format(low=low)
    high = amount(found.high)
    return "" if low == high else between(low, high, texts)


# ---------------------------------------------------------------- for programs


def _document(found: RecommendedRun) -> dict[str, Json]:
    return {
        "run_id": plain(found.run_id),
        "scenario": plain(found.scenario),
        "created": plain(found.created),
        "model": _plain(found.model),
        "framework": _plain(found.framework),
        "recommendation": recommendation_document(found.recommendation),
    }


def _plain(text: str | None) -> str | None:
    return None if text is None else plain(text)
