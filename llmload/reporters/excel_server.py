"""What the server told of itself: at each step, held against the client, and over time with charts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import copysign

from openpyxl.worksheet.worksheet import Worksheet

from llmload.domain import RunResult, StepResult
from llmload.reporters.excel_cells import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    Column,
    Figure,
    Value,
    alike,
    colour_words,
    count,
    head,
    milliseconds,
    share,
    subhead,
    table,
)
from llmload.reporters.excel_charts import Axis, Cells, Frame, Stroke, Trace, place, scatter
from llmload.reporters.excel_timeline import step_at
from llmload.reporters.server_samples import Sample, samples_of, thinned
from llmload.reporters.texts import Texts
from llmload.reporters.wording import step_label
from llmload.serving import Check, ServerFigures
from llmload.verdict import Status

MOST_SAMPLES = 1_000
_ROWS = 16
_AGREES, _DISAGREES = "✔", "✖"

_FIGURES: Mapping[str, Callable[[ServerFigures], Figure | None]] = {
    "running": lambda server: count(server.running),
    "waiting": lambda server: count(server.waiting),
    "waiting_max": lambda server: count(server.waiting_max),
    "kv_cache": lambda server: share(server.kv_cache_share),
    "prefix_hits": lambda server: share(server.prefix_cache_hit_share),
    "preemptions": lambda server: count(server.preemptions),
    "queue": lambda server: milliseconds(server.queue_ms),
    "ttft": lambda server: milliseconds(server.ttft_ms),
    "tpot": lambda server: milliseconds(server.tpot_ms),
    "e2e": lambda server: milliseconds(server.e2e_ms),
}


def has_server(run: RunResult) -> bool:
    """Whether the server told anything of itself, at any step or over time."""
    return run.server is not None or any(step.server is not None or step.checks for step in run.steps)


def add_server(sheet: Worksheet, samples: Worksheet | None, run: RunResult, texts: Texts) -> None:
    """Its figures at each step, charts over time (their cells are the other sheet's), and both sides of every check."""
    row = head(sheet, texts["excel.sheet.server"], texts["excel.note.server"])
    widest = _CHECKED
    if told := [(step, step.server) for step in run.steps if step.server is not None]:
        area = table(sheet, row, *_of_steps(told, texts), "ServerSteps")
        row, widest = area.last + 2, max(widest, area.columns)
    charts = row
    if samples is not None and run.server is not None:
        row += _ROWS + 1
    if checked := [(step, check) for step in run.steps for check in step.checks]:
        _add_checks(sheet, row, checked, texts)
    if samples is not None and run.server is not None:  # now that the columns below them are as wide as they will be
        shown = list(thinned(samples_of(run.server, run.timeline), MOST_SAMPLES))
        _draw(sheet, widest, charts, _add_samples(samples, shown, run, texts), texts)


def _of_steps(told: Sequence[tuple[StepResult, ServerFigures]], texts: Texts) -> tuple[list[Column], list[list[Value]]]:
    """A column for each figure that any step has."""
    kept = [key for key, tell in _FIGURES.items() if any(tell(server) is not None for _, server in told)]
    columns = [Column(texts["column.step"], 24), Column(texts["excel.server.source"], 24)]
    columns += [Column(texts[f"excel.server.{key}"], 20) for key in kept]
    rows = [
        [
            step_label(step.step, texts),
            texts[f"excel.server.by_{server.source.value}"],
            *(_FIGURES[key](server) for key in kept),
        ]
        for step, server in told
    ]
    return columns, rows


# ---------------------------------------------------------------- both sides

_CHECKED = 8


def _add_checks(sheet: Worksheet, row: int, checked: Sequence[tuple[StepResult, Check]], texts: Texts) -> None:
    """The verdict of a check is a mark and a word, coloured by that word."""
    top = subhead(sheet, row, texts["excel.heading.checks"], texts["excel.note.checks"])
    keys = ("agrees", "figure", "client", "server", "difference", "tolerance", "floor")
    columns = [Column(texts["column.step"], 24), *(Column(texts[f"excel.check.{key}"], 24) for key in keys)]
    area = table(sheet, top, columns, [_check(*each, texts) for each in checked], "Checks")
    words = {_agreement(True, texts): Status.PASS, _agreement(False, texts): Status.FAIL}
    colour_words(sheet, f"B{area.first}:B{area.last}", words)


def _agreement(agrees: object, texts: Texts) -> str:
    return f"{_AGREES} {texts['excel.check.yes']}" if agrees else f"{_DISAGREES} {texts['excel.check.no']}"


def _check(step: StepResult, check: Check, texts: Texts) -> list[Value]:
    in_unit = milliseconds if check.unit == "ms" else count
    return [
        step_label(step.step, texts),
        _agreement(check.agrees, texts),
        texts.entries.get(f"excel.check.{check.figure}", check.figure),
        in_unit(check.client),
        in_unit(check.server),
        share(check.difference, copysign(check.tolerance, check.difference)),
        share(check.tolerance),
        in_unit(check.floor) if check.floor else None,
    ]


# ---------------------------------------------------------------- over time

_SAMPLED: Mapping[str, tuple[Callable[[Sample], float | None], str]] = {
    "running": (lambda sample: sample.running, "#,##0.0"),
    "waiting": (lambda sample: sample.waiting, "#,##0.0"),
    "inside": (lambda sample: sample.inside, "#,##0.0"),
    "in_flight": (lambda sample: sample.in_flight, "#,##0.0"),
    "kv_cache": (lambda sample: sample.kv_cache_share, "0.0%"),
    "output_tps": (lambda sample: sample.output_tps, "#,##0"),
    "client_tps": (lambda sample: sample.client_tps, "#,##0"),
}


@dataclass(frozen=True, slots=True)
class _Plot:
    """One chart: its name in the catalogue, its series as server and client have them, and its axis."""

    name: str
    servers: tuple[str, ...]
    clients: tuple[str, ...] = ()
    number_format: str = "#,##0"
    most: float | None = None


_PLOTS = (
    _Plot("requests", ("waiting", "running", "inside"), ("in_flight",)),
    _Plot("kv_cache", ("kv_cache",), (), "0%", 1.0),
    _Plot("output_tps", ("output_tps",), ("client_tps",)),
)
_LOOKS = {
    key: (colour, Stroke.MEASURED)
    for key, colour in (
        ("inside", SKY),
        ("running", BLUE),
        ("waiting", ORANGE),
        ("kv_cache", GREEN),
        ("output_tps", PURPLE),
    )
}


def _add_samples(sheet: Worksheet, told: Sequence[Sample], run: RunResult, texts: Texts) -> Mapping[str, Cells]:
    """One row for each instant; gives the cells of the seconds ("at") and of every figure that there is."""
    top = head(sheet, texts["excel.sheet.server_samples"], texts["excel.note.server_samples"])
    kept = [key for key, (tell, _) in _SAMPLED.items() if any(tell(sample) is not None for sample in told)]
    columns = [Column(texts["excel.axis.time"], 14), Column(texts["column.step"], 24)]
    columns += [Column(texts[f"excel.server.sample_{key}"], 20) for key in kept]
    spans = run.timeline.spans if run.timeline is not None else ()
    rows: list[list[Value]] = [
        [
            Figure(sample.at_s, "#,##0.0"),
            step_at(spans, sample.at_s, texts),
            *(alike(_SAMPLED[key][0](sample), _SAMPLED[key][1]) for key in kept),
        ]
        for sample in told
    ]
    area = table(sheet, top, columns, rows, "ServerSamples")
    sheet.freeze_panes = f"A{area.first}"
    return {
        key: Cells(sheet, column, area.heading, area.first, area.last)
        for key, column in [("at", 1), *zip(kept, range(3, area.columns + 1), strict=True)]
    }


def _draw(sheet: Worksheet, columns: int, top: int, cells: Mapping[str, Cells], texts: Texts) -> None:
    """One beside the other."""
    drawn = [plot for plot in _PLOTS if any(key in cells for key in plot.servers)]
    for number, plot in enumerate(drawn):
        keys = [key for key in (*plot.servers, *plot.clients) if key in cells]
        pairs = [(cells["at"], Trace(cells[key], *_LOOKS.get(key, (INK, Stroke.LIMIT)))) for key in keys]
        y = Axis(texts[f"excel.server.axis_{plot.name}"], plot.number_format, 0, plot.most)
        title = texts["excel.chart.over_time"].format(figure=y.title)
        left = number / len(drawn)
        frame = Frame(columns, top, _ROWS, left + (0.005 if number else 0), left + 1 / len(drawn))
        place(scatter(title, pairs, Axis(texts["excel.axis.time"], least=0), y), sheet, frame)
