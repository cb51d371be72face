"""What a recommendation rests on and what stands beside it, as tables: loads, other servers, hints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from openpyxl.styles import Alignment
from openpyxl.worksheet.worksheet import Worksheet

from llmload.capacity import Alternative, MeasuredLoad, Recommendation
from llmload.reporters.capacity_sections import hints_by_kind, load_verdict, other_settings
from llmload.reporters.excel_cells import (
    HEADING,
    STRONG,
    Column,
    Value,
    alike,
    colour_words,
    count,
    lines_of,
    milliseconds,
    put,
    share,
    table,
)
from llmload.reporters.texts import Texts
from llmload.reporters.wording import sentence
from llmload.verdict import Status

_NAME = 40  # characters of the first column, which other tables of the sheet have too
_FIGURE = 16
_USD = "#,##0.000"


def add_hints(sheet: Worksheet, row: int, found: Recommendation, columns: int, texts: Texts) -> int:
    """What is worth knowing, by what it is of; gives the next free row."""
    for kind, hints in hints_by_kind(found.hints, texts):
        for place, hint in enumerate(hints):
            name = put(sheet, row, 1, "" if place else kind)
            name.font, name.alignment = STRONG, Alignment(vertical="top")
            text = sentence(hint)
            put(sheet, row, 2, text).alignment = Alignment(wrap_text=True, vertical="top")
            sheet.merge_cells(start_row=row, end_row=row, start_column=2, end_column=columns)
            sheet.row_dimensions[row].height = 15.5 * lines_of(text, 60) + 2
            row += 1
    return row + 1 if found.hints else row


def add_loads(sheet: Worksheet, row: int, loads: Sequence[MeasuredLoad], texts: Texts) -> int:
    """Every load that was measured, the lightest first; gives the next free row."""
    if not loads:
        return row
    put(sheet, row, 1, texts["label.loads"]).font = HEADING
    headings = [texts[f"measured_load.{name}"] for name in ("concurrency", "verdict")]
    headings += [texts["column.requests"], texts["column.goodput"]]
    headings += [texts[f"excel.column.{name}"] for name in ("low", "high")]
    headings.append(texts["column.output_tps"])
    headings += [texts["measured_load.p95"].format(metric=texts[f"metric.{name}"]) for name in ("ttft", "tpot")]
    headings.append(texts["measured_load.mean"].format(metric=texts["metric.e2e"]))
    columns = [Column(heading, _FIGURE if place else _NAME) for place, heading in enumerate(headings)]
    area = table(sheet, row + 1, columns, [_load(each, texts) for each in loads], "Loads")
    looks = {load_verdict(status, texts): status for status in Status}
    colour_words(sheet, f"B{area.first}:B{area.last}", looks)
    return area.last + 2


def _load(load: MeasuredLoad, texts: Texts) -> list[Value]:
    shares = (load.goodput_percent, load.goodput_low_percent, load.goodput_high_percent)
    return [
        count(load.concurrency),
        load_verdict(load.status, texts),
        count(load.requests),
        *(share(None if each is None else each / 100) for each in shares),
        count(load.throughput_tokens_per_sec),
        *(milliseconds(each) for each in (load.ttft_p95_ms, load.tpot_p95_ms, load.e2e_mean_ms)),
    ]


_ALTERNATIVE = (
    *("gpu", "gpus", "replicas", "gpus_each", "max_concurrency_at_slo", "estimated_throughput", "usd_per_gpu_hour"),
    *("estimated_monthly_cost_usd", "cost_per_million_tokens_usd", "settings", "measured", "run"),
)


def add_alternatives(
    sheet: Worksheet, row: int, others: Sequence[Alternative], own: Mapping[str, str], texts: Texts
) -> int:
    """The same demand on other measured servers, in their order; `own` are the settings of the measured one."""
    if not others:
        return row
    put(sheet, row, 1, texts["label.alternatives"]).font = HEADING
    names = {"replicas": "advice.replicas", "gpus_each": "advice.gpus_per_replica"}
    names["usd_per_gpu_hour"] = "advice.usd_per_gpu_hour"
    columns = [
        Column(texts[names.get(name, f"alternative.{name}")], _FIGURE if place else _NAME)
        for place, name in enumerate(_ALTERNATIVE)
    ]
    rows = [_alternative(each, own, texts) for each in others]
    return table(sheet, row + 1, columns, rows, "Alternatives").last + 2


def _alternative(other: Alternative, own: Mapping[str, str], texts: Texts) -> list[Value]:
    return [
        other.gpu_model,
        *(count(each) for each in (other.count, other.replicas, other.gpus_per_replica)),
        *(count(each) for each in (other.max_concurrency_at_slo, other.estimated_throughput)),
        alike(other.usd_per_gpu_hour, _USD),
        count(other.estimated_monthly_cost_usd),
        alike(other.cost_per_million_tokens_usd, _USD),
        other_settings(other.settings, own, texts),
        other.measured[:10],
        other.run_id,
    ]
