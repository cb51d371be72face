"""A recommendation alone, for the terminal and Markdown: its parts in the order of reading, not yet escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmload.capacity import Alternative, MeasuredLoad, Recommendation
from llmload.domain import RunResult
from llmload.reporters.capacity_sections import advised, load_verdict
from llmload.reporters.changes import between
from llmload.reporters.figures import MISSING, amount, bare_milliseconds, percent
from llmload.reporters.reasons import in_language
from llmload.reporters.sections import Pairs, Table
from llmload.reporters.texts import Texts
from llmload.reporters.wording import sentence

_DAY = len("2026-11-22")


@dataclass(frozen=True, slots=True)
class Part:
    """A heading, and below it names with values, a table, or lines of text, each by itself."""

    heading: str
    body: Pairs | Table | tuple[str, ...]


def parts_of(found: Recommendation, texts: Texts) -> Iterator[Part]:
    """Requirements, what was measured, advice, formula, reasons, then what else may help; nothing that is empty."""
    told = advised(found, texts)
    loads = () if found.test_results is None else found.test_results.concurrency_results
    parts: tuple[tuple[str, Pairs | Table | tuple[str, ...]], ...] = (
        ("requirements", _known(told.demand)),
        ("infrastructure", _known(told.measured)),
        ("loads", _loads(loads, texts)),
        ("recommendation", told.estimates),
        ("calculation", tuple(filter(None, (told.formula,)))),
        ("reasoning", tuple(sentence(each) for each in (told.reasoning,) if each)),
        ("alternatives", _alternatives(found.alternatives, texts)),
        ("hints", tuple(sentence(in_language(hint.text, texts)) for hint in found.hints)),
    )
    for name, body in parts:
        if body.rows if isinstance(body, Table) else body:
            yield Part(texts[f"recommended.{name}"], body)


def origin(run: RunResult, texts: Texts) -> str:
    """Which run all of it comes from."""
    model = run.profile.model if run.profile is not None else "" if run.target is None else run.target.model
    words = (model, run.header.scenario, texts["recommended.run"].format(run=run.header.run_id), run.header.created)
    return " · ".join(filter(None, words))


def _known(pairs: Pairs) -> Pairs:
    """What was not asked, or not measured, has no line."""
    return [(name, value) for name, value in pairs if value != MISSING]


def _columns(names: Sequence[str], texts: Texts) -> tuple[str, ...]:
    return tuple(texts[f"recommended.column.{name}"] for name in names)


def _loads(loads: Sequence[MeasuredLoad], texts: Texts) -> Table:
    columns = _columns(("load", "holds", "requests", "goodput", "interval", "output_tps", "ttft", "tpot"), texts)
    return Table(columns, tuple(_load(each, texts) for each in loads), frozenset({1}))


def _load(load: MeasuredLoad, texts: Texts) -> tuple[str, ...]:
    low, high = (_of_hundred(each) for each in (load.goodput_low_percent, load.goodput_high_percent))
    return (
        amount(load.concurrency),
        load_verdict(load.status, texts),
        amount(load.requests),
        _of_hundred(load.goodput_percent),
        MISSING if MISSING in (low, high) else between(low, high, texts),
        amount(load.throughput_tokens_per_sec),
        bare_milliseconds(load.ttft_p95_ms),
        bare_milliseconds(load.tpot_p95_ms),
    )


def _of_hundred(value: float | None) -> str:
    return percent(None if value is None else value / 100)


def _alternatives(others: Sequence[Alternative], texts: Texts) -> Table:
    columns = _columns(("gpus", "monthly", "per_million", "carried", "measured", "of_run"), texts)
    rows = tuple(_alternative(each) for each in others)
    known = [place for place in range(len(columns)) if any(row[place] != MISSING for row in rows)]  # costs may be
    return Table(
        tuple(columns[place] for place in known),
        tuple(tuple(row[place] for place in known) for row in rows),
        frozenset({len(known) - 2, len(known) - 1}),
    )


def _alternative(other: Alternative) -> tuple[str, ...]:
    return (
        f"{other.count:,} × {other.gpu_model}",
        amount(other.estimated_monthly_cost_usd),
        amount(other.cost_per_million_tokens_usd),
        amount(other.max_concurrency_at_slo),
        other.measured[:_DAY],
        other.run_id,
    )
