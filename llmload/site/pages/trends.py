"""How the figures of one scenario went over its newest runs, and where they shifted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llmload.analysis.trend import FIGURES, KNOWN, LeftOut, ScenarioTrends, Shift, Trend
from llmload.baseline import PastRun
from llmload.plain_text import plain
from llmload.reporters import trends as documents
from llmload.reporters.comparison_wording import value_in
from llmload.reporters.embedding import live_figures
from llmload.reporters.figures import MISSING
from llmload.reporters.texts import Texts
from llmload.reporters.trend_chart import OverRuns, change, trend_chart
from llmload.reporters.wording import label_in
from llmload.scenario.gates import falls_when_worse
from llmload.site import rendering
from llmload.site.asking import Answer, Asked, Refused
from llmload.store.database import Store
from llmload.store.trends import ScenarioHistory, has_runs, history_of, trends_at

NEWEST = 200
"""Runs that a page looks at: what is older is told by `llmload runs --trend`."""

_ROOM = {"lines": 20}
"""Rows below each chart: the table of the page has all of them."""

_SHOWN = 80  # characters of a foreign name in a refusal


def page(asked: Asked, store: Store) -> Answer:
    """For people: a chart of each figure, its shifts, and every run; or that no run has figures yet."""
    try:
        found = _found(asked, store)
    except _NoFigures as none:
        return rendering.render("trends_empty.html.j2", {"scenario": none.scenario, "because": none.because}, asked)
    texts, links = asked.texts, asked.links
    runs = [run.past for run in found.history.runs]
    over = (OverRuns(f"trend-{place}", each, runs, links.run) for place, each in enumerate(found.told.trends))
    charts = live_figures([chart for each in over if (chart := trend_chart(each, texts)) is not None])
    shifts = [_told_shift(each, shift, texts) for each in found.told.trends for shift in each.shifts]
    told = {
        "scenario": found.told.scenario,
        "newest": NEWEST,
        "count": found.told.runs,
        "left_out": [_left_out(each, texts) for each in found.told.others],
        "step": label_in(found.step, texts),
        "shifts": shifts,
        "figures": [each.figure for each in found.told.trends],
        "rows": _rows(found.told.trends, runs, texts),
        "form": _form(asked, store, found),
        "room": _ROOM,
    }
    sections = [("shifts", "site.trends.shifts"), ("charts", "heading.charts"), ("runs", "site.trends.runs")]
    named = [(name, texts[key]) for name, key in sections if name != "charts" or charts]
    return rendering.render("trends.html.j2", {**told, "sections": named}, asked, charts)


def document(asked: Asked, store: Store) -> Answer:
    """For programs: the same figures at the same step, as `llmload runs --trend --json` tells them."""
    return rendering.document(documents.document(_found(asked, store).told))


# ---------------------------------------------------------------- what is asked for


class _NoFigures(Refused):
    """There are runs of the scenario, but none with figures: for people no fault of theirs."""

    def __init__(self, scenario: str, texts: Texts) -> None:
        because = texts["site.trends.empty"].format(scenario=plain(scenario, _SHOWN))
        super().__init__(404, because, texts["site.trends.see_history"])
        self.scenario = scenario


@dataclass(frozen=True, slots=True)
class _Found:
    history: ScenarioHistory
    step: str
    metric: str | None  # None = those that tell most
    told: ScenarioTrends


def _found(asked: Asked, store: Store) -> _Found:
    """The trends that are asked for; Refused for a scenario, figure or step that there is not."""
    texts, scenario, metric, at = asked.texts, asked.parts["scenario"], asked.value("metric"), asked.value("at")
    if metric is not None and metric not in KNOWN:
        because = texts["site.trends.no_metric"].format(metric=plain(metric, _SHOWN))
        raise Refused(400, because, texts["site.trends.use_metric"].format(known=", ".join(KNOWN)))
    figures = FIGURES if metric is None else (metric,)
    history = history_of(store, scenario, figures, NEWEST)
    if history is None or not history.steps:
        if has_runs(store, scenario):
            raise _NoFigures(scenario, texts)
        because = texts["site.trends.unknown"].format(scenario=plain(scenario, _SHOWN))
        raise Refused(404, because, texts["site.trends.see_history"])
    steps = history.gated[-1:] if at is None else history.at(at)[:1]
    if not steps:
        because = texts["site.trends.no_step"].format(step=plain(at or "", _SHOWN))
        raise Refused(400, because, texts["site.trends.use_step"].format(known=plain(", ".join(history.steps))))
    return _Found(history, steps[0], metric, trends_at(store, history, steps, figures))


def _form(asked: Asked, store: Store, found: _Found) -> dict[str, object] | None:
    """What can be chosen; None where no server answers."""
    if not asked.links.is_live:
        return None
    estimates = store.estimates(found.history.runs[-1].past.run_id)
    there = {figure for each in estimates.values() for figure in each}
    return {
        "action": asked.links.trends(found.told.scenario).partition("?")[0],
        "language": asked.texts.language.value if "lang" in asked.query else None,
        "metrics": [figure for figure in KNOWN if figure in there or figure == found.metric],
        "metric": found.metric,
        "steps": [(each, label_in(each, asked.texts)) for each in found.history.steps],
        "at": found.step,
    }


# ---------------------------------------------------------------- in words


@dataclass(frozen=True, slots=True)
class _ToldShift:
    """One shift, with the run before it to be compared with. `slug` is its kind of hue."""

    figure: str
    run: PastRun
    before_it: str
    change: str
    levels: str
    p: str
    slug: str
    mark: str
    differing: tuple[str, ...]


def _told_shift(trend: Trend, shift: Shift, texts: Texts) -> _ToldShift:
    place = [run.run_id for run in trend.runs].index(shift.run.run_id)
    is_worse = (shift.after < shift.before) == falls_when_worse(trend.figure)
    before, after = (value_in(trend.figure, each, texts) for each in (shift.before, shift.after))
    unknown = texts["comparison.not_told"]
    return _ToldShift(
        figure=trend.figure,
        run=shift.run,
        before_it=trend.runs[place - 1].run_id,
        change=change(trend, shift, texts),
        levels=texts["site.trends.levels"].format(before=before, after=after),
        p=f"{shift.p:.1e}" if shift.p >= 1e-99 else "< 1e-99",
        slug="fail" if is_worse else "pass",
        mark="✕" if is_worse else "✓",
        differing=tuple(
            f"{each.key[:_SHOWN]}: {each.theirs[:_SHOWN] or unknown} → {each.ours[:_SHOWN] or unknown}"
            for each in shift.differing
        ),
    )


def _left_out(left: LeftOut, texts: Texts) -> str:
    count = f"{left.runs:,}"
    if not left.differing:
        return texts["site.trends.unmeasured"].format(count=count)
    keys = ", ".join(texts[f"site.trends.key.{key}"] for key in left.differing)
    return texts["site.trends.other_series"].format(count=count, keys=keys)


@dataclass(frozen=True, slots=True)
class _Row:
    """One run: the value of each figure, and how it shifted there ("" where it did not)."""

    run: PastRun
    values: tuple[tuple[str, str], ...]


def _rows(trends: Sequence[Trend], runs: Sequence[PastRun], texts: Texts) -> list[_Row]:
    """Newest first."""
    values = [dict(zip((run.run_id for run in each.runs), each.values, strict=True)) for each in trends]
    shifts = [{shift.run.run_id: change(each, shift, texts) for shift in each.shifts} for each in trends]
    told = []
    for run in reversed(runs):
        cells = (
            (_value(each.figure, of.get(run.run_id), texts), shifted.get(run.run_id, ""))
            for each, of, shifted in zip(trends, values, shifts, strict=True)
        )
        told.append(_Row(run, tuple(cells)))
    return told


def _value(figure: str, value: float | None, texts: Texts) -> str:
    return MISSING if value is None else value_in(figure, value, texts)
