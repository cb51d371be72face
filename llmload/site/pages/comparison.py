"""Runs held against the first of them: which differences are more than noise, and every figure at the same load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llmload.analysis.comparison import Comparison, Row, best_of, compare, of_result
from llmload.domain import RunResult
from llmload.plain_text import plain
from llmload.planned import Step
from llmload.reporters import comparison_html, comparison_json
from llmload.reporters import comparison_wording as words
from llmload.reporters.charts import comparison_charts
from llmload.reporters.comparison_bars import FIGURES, loads
from llmload.reporters.embedding import live_figures
from llmload.reporters.figures import MISSING
from llmload.reporters.step_document import Json, number
from llmload.reporters.texts import Texts
from llmload.site import rendering
from llmload.site.asking import Answer, Asked, Freshness, Refused
from llmload.site.outcome import Unjudged, measured, why_unjudged
from llmload.store.comparable_runs import are_comparable, comparable_runs
from llmload.store.database import Store
from llmload.store.states import state_of

LEAST, MOST = 2, 6
"""Runs that one page compares: more of them nobody tells apart."""

_OFFERED = 12
_LONGEST_ID = 200
_SHOWN = 60  # characters of an id in a refusal, or of a scenario in a title
_NAMED = 3  # scenarios in a title


def page(asked: Asked, store: Store) -> Answer:
    """For people: the comparison, or a choice of runs where there is none to be made."""
    if not _named(asked):
        return _choice(asked, store, None)
    try:
        ids = _chosen(asked, store)
        compared = _compared(asked, store, ids)
    except Refused as refusal:
        return _choice(asked, store, refusal)
    comparison = compared.comparison
    charts = live_figures(comparison_charts(comparison, asked.texts))
    told = comparison_html.told(comparison, asked.texts, charts)
    shared = loads(comparison, asked.texts)
    told["sections"] = _with_loads(told["sections"], asked) if shared else told["sections"]
    here = {
        **told,
        "titled": _title(compared.results, asked.texts),
        "models": [_model(result) for result in compared.results],
        "loads": shared,
        "runs_of": [(words.letter(place), run) for place, run in enumerate(comparison.runs)],
        **_offers(asked, store, [run.run_id for run in comparison.runs], comparison.runs[0].scenario),
    }
    return rendering.render("compare.html.j2", here, asked, charts, Freshness.SETTLED)


def document(asked: Asked, store: Store) -> Answer:
    """For programs: the best of each, every shared load, and the whole comparison as `llmload compare` tells it."""
    compared = _compared(asked, store, _chosen(asked, store))
    comparison = compared.comparison
    told = {
        "run_count": len(comparison.runs),
        "runs": [_run(result) for result in compared.results],
        "best_throughput": _best(comparison, "output_tps"),
        "best_ttft": _best(comparison, "p50(ttft)"),
        "by_concurrency": _by_load(compared),
        "comparison": comparison_json.document(comparison),
    }
    return rendering.document(told, Freshness.SETTLED)


# ---------------------------------------------------------------- which runs


def _named(asked: Asked) -> list[str]:
    """The ids in the query: by commas, by several values or both; `first` is put before the others."""
    values = asked.query.get("runs", ())[: MOST + 1]
    named = [each.strip()[:_LONGEST_ID] for value in values for each in value.split(",", MOST + 1)]
    ids = [each for each in named if each]
    first = asked.value("first")
    return sorted(ids, key=lambda each: each != first) if first in ids else ids


def _chosen(asked: Asked, store: Store) -> list[str]:
    """Ids of two to six runs that can be compared; Refused says what is wrong with others."""
    ids, texts = _named(asked), asked.texts
    if len(ids) < LEAST:
        raise Refused(400, texts["site.comparison.too_few"], texts["site.comparison.choose"].format(most=MOST))
    if len(ids) > MOST:
        raise Refused(400, texts["site.comparison.too_many"].format(most=MOST), texts["site.comparison.fewer"])
    twice = [each for place, each in enumerate(ids) if each in ids[:place]]
    if twice:
        because = texts["site.comparison.twice"].format(run=plain(twice[0], _SHOWN))
        raise Refused(400, because, texts["site.comparison.choose"].format(most=MOST))
    comparable = are_comparable(store, ids)
    unknown = [each for each in ids if each not in comparable]
    if unknown:
        because = texts["site.comparison.unknown"].format(runs=_shown(unknown))
        raise Refused(404, because, texts["site.comparison.choose"].format(most=MOST))
    empty = [each for each in ids if not comparable[each]]
    if empty:
        because = texts["site.comparison.empty"].format(runs=_shown(empty))
        raise Refused(400, because, texts["site.comparison.choose_ended"])
    return ids


def _shown(ids: Sequence[str]) -> str:
    return ", ".join(plain(each, _SHOWN) for each in ids)


@dataclass(frozen=True, slots=True)
class _Compared:
    comparison: Comparison
    results: tuple[RunResult, ...]


def _compared(asked: Asked, store: Store, ids: Sequence[str]) -> _Compared:
    results = tuple(_result(asked, store, each) for each in ids)
    comparison = compare([of_result(each, result) for each, result in zip(ids, results, strict=True)])
    if not comparison.rows and not comparison.is_spoilt:
        raise Refused(400, asked.texts["site.comparison.apart"], asked.texts["site.comparison.choose_alike"])
    return _Compared(comparison, results)


def _result(asked: Asked, store: Store, run_id: str) -> RunResult:
    state = state_of(store, run_id)
    if state is None:  # deleted since it was looked up
        raise Refused(404, asked.texts["site.comparison.unknown"].format(runs=plain(run_id, _SHOWN)))
    result = measured(store, state)
    if isinstance(result, Unjudged):
        raise Refused(409, f"{plain(run_id, _SHOWN)}: {why_unjudged(result, state, asked.texts)}")
    return result


def _choice(asked: Asked, store: Store, refusal: Refused | None) -> Answer:
    """Runs to choose from, those that were named first; and why these were not compared, where any were named."""
    named = _named(asked)[:MOST]
    known = [each for each, is_comparable in are_comparable(store, named).items() if is_comparable]
    told = {
        "refusal": refusal,
        **_offers(asked, store, [each for each in dict.fromkeys(named) if each in known], None),
    }
    answer = rendering.render("compare_choice.html.j2", told, asked)
    return answer if refusal is None else Answer(answer.body, answer.content_type, refusal.status)


def _offers(asked: Asked, store: Store, chosen: Sequence[str], scenario: str | None) -> dict[str, object]:
    """What the form of runs shows: those of now, and the newest others."""
    offered = comparable_runs(store, scenario, _OFFERED + MOST) if asked.links.is_live else ()
    others = [run for run in offered if run.run_id not in chosen]
    language = None if "lang" not in asked.query else asked.texts.language.value
    return {"chosen": chosen, "offered": others[:_OFFERED], "language": language, "most": MOST}


def _title(results: Sequence[RunResult], texts: Texts) -> str:
    """What a person calls the comparison: the scenarios, and the days of the runs."""
    scenarios = list(dict.fromkeys(plain(each.header.scenario, _SHOWN) for each in results))
    days = sorted({each.header.created[:10] for each in results})
    when = days[0] if len(days) == 1 else texts["site.comparison.days"].format(first=days[0], last=days[-1])
    named = ", ".join(scenarios[:_NAMED]) + ("…" if len(scenarios) > _NAMED else "")
    return texts["site.comparison.titled"].format(scenarios=named, count=len(results), when=when)


def _with_loads(sections: object, asked: Asked) -> list[tuple[str, str]]:
    """The parts of the page, with that of the loads before what differs."""
    assert isinstance(sections, list)  # noqa: S101 - as comparison_html makes them
    place = next(place for place, (name, _) in enumerate(sections) if name in ("different", "charts", "steps"))
    return [*sections[:place], ("loads", asked.texts["site.comparison.loads"]), *sections[place:]]


def _model(result: RunResult) -> str:
    return MISSING if result.target is None else result.target.model or MISSING


# ---------------------------------------------------------------- for programs


def _run(result: RunResult) -> Json:
    target, header = result.target, result.header
    return {
        "run_id": plain(header.run_id),
        "scenario": plain(header.scenario),
        "created": plain(header.created),
        "verdict": result.status.value,
        "model": None if target is None else plain(target.model or ""),
        "framework": None if target is None else plain(target.framework),
    }


_KEYS = {figure: figure for figure in ("output_tps", "goodput", "error_rate")} | {
    f"{stat}({latency})": f"{latency}_{stat}_ms" for latency in ("ttft", "tpot", "e2e") for stat in ("p50", "p99")
}
"""Figure of a comparison -> its key in the document, which names the unit."""


def _best(comparison: Comparison, figure: str) -> Json:
    found = best_of(comparison, figure)
    if found is None:
        return None
    run = plain(comparison.runs[found.run].run_id)
    return {"run_id": run, _KEYS[figure]: number(found.value), "at": _at(found.step)}


def _at(step: Step) -> Json:
    return {"label": step.label, "axis": step.axis, "value": number(step.value)}


def _by_load(compared: _Compared) -> list[Json]:
    comparison = compared.comparison
    found: list[Json] = []
    for _, rows in words.steps(comparison):
        told = [row for row in rows if row.figure in FIGURES]
        runs: list[Json] = [_at_load(compared, place, told) for place in range(len(comparison.runs))]
        found.append({"at": _at(rows[0].step), "runs": runs})
    return found


def _at_load(compared: _Compared, place: int, rows: Sequence[Row]) -> Json:
    """The figures of one run at one load; those of the others with what they are against the first run's."""
    result = compared.results[place]
    figures = dict.fromkeys(_KEYS.values()) | {_KEYS[row.figure]: _value(row, place) for row in rows}
    metrics = next((each.metrics for each in result.steps if rows and each.step.label == rows[0].step.label), None)
    return {
        "run_id": plain(result.header.run_id),
        "model": None if result.target is None else plain(result.target.model or ""),
        **figures,
        "goodput_low": None if metrics is None else number(metrics.goodput_low),
        "goodput_high": None if metrics is None else number(metrics.goodput_high),
        "against_first": None if place == 0 else {_KEYS[row.figure]: _against(row, place) for row in rows},
    }


def _value(row: Row, place: int) -> float | None:
    return number(row.value if place == 0 else row.cells[place - 1].value)


def _against(row: Row, place: int) -> Json:
    cell = row.cells[place - 1]
    return {
        "difference": number(cell.difference),
        "low": number(cell.low),
        "high": number(cell.high),
        "verdict": cell.contrast.value,
    }
