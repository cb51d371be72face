"""One run: its verdict, gates, charts and steps, as its report has them."""

from __future__ import annotations

from llmload.domain import RunResult
from llmload.reporters import html, result_json
from llmload.reporters.charts import run_charts
from llmload.reporters.embedding import live_figures
from llmload.site import rendering
from llmload.site.asking import JSON, Answer, Asked, Freshness, Refused
from llmload.store.database import Store
from llmload.store.judgement import decided


def page(asked: Asked, store: Store) -> Answer:
    """For people."""
    result = _result(asked, store)
    charts = live_figures(run_charts(result, asked.texts))
    told = html.told(result, asked.texts, charts)
    return rendering.render("run.html.j2", told, asked, charts, Freshness.SETTLED)


def document(asked: Asked, store: Store) -> Answer:
    """For programs: what result.json has."""
    return Answer(result_json.render(_result(asked, store)), JSON, freshness=Freshness.SETTLED)


def _result(asked: Asked, store: Store) -> RunResult:
    run_id = asked.parts["run"]
    if not store.steps(run_id):
        raise Refused(404, asked.texts["site.unknown_run"])
    return decided(store, run_id)
