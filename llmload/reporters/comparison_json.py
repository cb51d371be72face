"""A comparison for machines: `llmload/comparison/v1`, described by schemas/comparison-v1.schema.json."""

from __future__ import annotations

import math

import orjson

from llmload.analysis.comparison import FLOOR_MS, MARGIN, Cell, ComparedRun, Comparison, Row
from llmload.plain_text import plain
from llmload.promises import SHARES
from llmload.reporters.comparison_wording import tally
from llmload.reporters.step_document import Json, foreign, number
from llmload.reporters.texts import Language, texts_in

API_VERSION = "llmload/comparison/v1"


def render(comparison: Comparison) -> bytes:
    """The comparison as JSON with sorted keys; shares 0..1, latencies ms, rates per second."""
    option = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(document(comparison), option=option)


def document(comparison: Comparison) -> dict[str, Json]:
    """The same before it is written."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Comparison",
        "is_different": comparison.is_different,
        "because": plain(tally(comparison, texts_in(Language.EN))),
        "runs": [_run(run) for run in comparison.runs],
        "differing": [
            {"run": place, "key": plain(each.key), "theirs": plain(each.theirs), "ours": plain(each.ours)}
            for place, keys in enumerate(comparison.differing, start=1)
            for each in keys
        ],
        "not_compared": [
            {"run": each.run, "step": plain(each.step), "because": plain(each.because)} for each in comparison.absences
        ],
        "rows": [_row(row) for row in comparison.rows],
        "intervals": comparison.intervals,
        "confidence": number(comparison.confidence),
        "margin": number(MARGIN),
        "floor_ms": number(FLOOR_MS),
    }


def _run(run: ComparedRun) -> Json:
    return {
        "name": plain(run.name),
        "run_id": plain(run.run_id),
        "scenario": plain(run.scenario),
        "created": plain(run.created),
        "verdict": run.status.value,
        "fingerprint": foreign(run.fingerprint),
    }


def _row(row: Row) -> Json:
    return {
        "step": {"label": row.step.label, "axis": row.step.axis, "value": number(row.step.value)},
        "figure": row.figure,
        "unit": "share" if row.figure in SHARES else "ms" if row.figure.endswith(")") else "per_s",
        "value": _value(row.value),
        "is_infinite": _is_infinite(row.value),
        "others": [_cell(place, cell) for place, cell in enumerate(row.cells, start=1)],
    }


def _cell(place: int, cell: Cell) -> Json:
    return {
        "run": place,
        "value": _value(cell.value),
        "is_infinite": _is_infinite(cell.value),
        "difference": number(cell.difference),
        "low": number(cell.low),
        "high": number(cell.high),
        "verdict": cell.contrast.value,
        "basis": cell.basis.value,
    }


def _value(value: float | None) -> float | None:
    return None if _is_infinite(value) else number(value)


def _is_infinite(value: float | None) -> bool:
    return value is not None and math.isinf(value)
