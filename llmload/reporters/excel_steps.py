"""The sheet of steps: one row for each, every figure a number, and the charts that refer to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from llmload.domain import RunResult, StepResult
from llmload.latency import LatencySummary
from llmload.promises import Bound, Slo
from llmload.reporters.excel_cells import (
    Area,
    Column,
    Value,
    approve_where,
    colour_statuses,
    count,
    head,
    milliseconds,
    print_apart,
    share,
    status_words,
    table,
    warn_where,
)
from llmload.reporters.excel_charts import Cells
from llmload.reporters.step_columns import latencies_of, speed_of
from llmload.reporters.texts import Texts
from llmload.reporters.wording import step_label, worst

NAMES = {"ttft": "TTFT", "ttft_due": "TTFT", "tpot": "TPOT", "e2e": "E2E", "lag": "Lag"}
"""What latencies are called in every language."""

_STATS: Mapping[str, Callable[[LatencySummary], float | None]] = {
    "p50": lambda latency: latency.p50_ms,
    "p90": lambda latency: latency.p90_ms,
    "p95": lambda latency: latency.p95_ms,
    "p99": lambda latency: latency.p99_ms,
}
_LATENCIES = tuple((metric, stat) for metric in ("ttft", "tpot", "e2e") for stat in ("p50", "p95", "p99"))


@dataclass(frozen=True, slots=True)
class Steps:
    """The sheet of steps for those who refer to it: where its table lies, and in which column each figure.

    Only the first `printed` columns are on the pages with the charts.
    """

    sheet: Worksheet
    area: Area
    places: Mapping[str, int]
    printed: int

    def cells(self, key: str) -> Cells | None:
        """The cells of a figure over all steps; None where no step has it."""
        if key not in self.places:
            return None
        return Cells(self.sheet, self.places[key], self.area.heading, self.area.first, self.area.last)

    @property
    def load(self) -> Cells:
        """What steps are told apart by: numbers in a ladder of one axis, else their labels."""
        key = "load" if "load" in self.places else "step"
        return Cells(self.sheet, self.places[key], self.area.heading, self.area.first, self.area.last)


@dataclass(frozen=True, slots=True)
class _Figure:
    """One column: a heading, and what it says of a step. Those that are not `essential` go where no step has them."""

    key: str
    heading: str
    values: tuple[Value, ...]
    is_essential: bool = False


def goodput_target(run: RunResult) -> float | None:
    """The share of good requests that the run asks for: of its knee, else of its first gate on goodput."""
    if run.knee is not None:
        return run.knee.target
    promises = (verdict.gate.promise for verdict in run.verdicts if verdict.gate.is_on_goodput)
    return next((promise.value for promise in promises if isinstance(promise, Bound)), None)


def _asked_of(step: StepResult, run: RunResult) -> float | None:
    """The strictest gate on goodput at this step, else what the run asks for."""
    promises = (verdict.gate.promise for verdict in step.verdicts if verdict.gate.is_on_goodput)
    bounds = [promise.value for promise in promises if isinstance(promise, Bound)]
    return max(bounds, default=goodput_target(run))


def limits(slo: Slo | None) -> Mapping[str, float]:
    """The bounds of the SLO by metric, in ms."""
    told = {"ttft": slo.ttft_ms, "tpot": slo.tpot_ms, "e2e": slo.e2e_ms} if slo else {}
    return {metric: limit for metric, limit in told.items() if limit is not None}


def judged(metric: str, run: RunResult) -> str:
    """The latency that the SLO limits: TTFT since the due instant where every step is open loop, as in a gate."""
    is_open_loop = bool(run.steps) and all(step.step.axis != "concurrency" for step in run.steps)
    has_due = any("ttft_due" in step.metrics.latency for step in run.steps)
    return "ttft_due" if metric == "ttft" and is_open_loop and has_due else metric


def latency_title(metric: str, stat: str, texts: Texts) -> str:
    """A percentile with its unit: `TTFT p95 (ms)`, `TTFT since due p95 (ms)`."""
    key = "excel.column.since_due" if metric == "ttft_due" else "excel.column.latency"
    return texts[key].format(metric=NAMES[metric], stat=stat)


def axis_title(run: RunResult, texts: Texts) -> str:
    """What the load of every step is called, with its unit; "Load" where steps are of several axes."""
    axes = {step.step.axis for step in run.steps}
    (axis,) = axes if len(axes) == 1 else ("load",)
    return texts.entries.get(f"excel.axis.{axis}", texts["excel.axis.load"])


def add_steps(sheet: Worksheet, run: RunResult, texts: Texts) -> Steps:
    """Fill the sheet; charts come later, since they need its cells."""
    top = head(sheet, texts["heading.steps"], texts["excel.note.steps" if run.steps else "tally.nothing"])
    first = _printed(run, texts)
    figures = [each for each in (*first, *_beyond(run, texts)) if each.is_essential or any(each.values)]
    rows = list(zip(*(each.values for each in figures), strict=True))
    area = table(sheet, top, [Column(each.heading, 24) for each in figures], rows, "Steps")
    kept = sum(each in first for each in figures)
    steps = Steps(sheet, area, {each.key: place for place, each in enumerate(figures, start=1)}, kept)
    sheet.freeze_panes = f"C{area.first}"
    if run.steps:
        _colour(steps, texts)
    print_apart(sheet, area, kept, area.last + 22)
    return steps


# ---------------------------------------------------------------- columns


def _printed(run: RunResult, texts: Texts) -> list[_Figure]:
    """What a reader wants of every step."""
    steps, bounds = run.steps, limits(run.slo)

    def each(tell: Callable[[StepResult], Value]) -> tuple[Value, ...]:
        return tuple(tell(step) for step in steps)

    def held(tell: Callable[[StepResult], float | None]) -> tuple[Value, ...]:
        return tuple(share(tell(step), _asked_of(step, run)) for step in steps)

    in_text = speed_of(steps) == "output_tps"
    is_ladder = len({step.step.axis for step in steps}) == 1
    return [
        _Figure("step", texts["column.step"], each(lambda step: step_label(step.step, texts)), is_essential=True),
        _Figure("verdict", texts["column.verdict"], each(lambda step: status_words(worst(step), texts)), True),
        _Figure("load", axis_title(run, texts), each(lambda step: count(step.step.value) if is_ladder else None)),
        _Figure("requests", texts["column.requests"], each(lambda step: count(step.metrics.attempts)), True),
        _Figure("ok", texts["excel.column.ok"], each(lambda step: count(step.metrics.ok)), True),
        _Figure("error_rate", texts["column.errors"], each(lambda step: share(step.metrics.error_rate)), True),
        _Figure("goodput", texts["column.goodput"], held(lambda step: step.metrics.goodput), True),
        _Figure("low", texts["excel.column.low"], held(lambda step: step.metrics.goodput_low)),
        _Figure("high", texts["excel.column.high"], held(lambda step: step.metrics.goodput_high)),
        _Figure(
            "output_tps", texts["excel.column.output_tps"], each(lambda step: count(step.metrics.output_tps)), in_text
        ),
        _Figure("rps", texts["excel.column.rps"], each(lambda step: count(step.metrics.rps)), True),
        *(_latency(steps, metric, stat, bounds.get(metric), texts) for metric, stat in _LATENCIES),
    ]


def _beyond(run: RunResult, texts: Texts) -> list[_Figure]:
    """What some want to know, and what the charts need beside the figures."""
    steps, bounds = run.steps, limits(run.slo)

    def each(key: str, tell: Callable[[StepResult], Value]) -> _Figure:
        return _Figure(key, texts[f"excel.column.{key}"], tuple(tell(step) for step in steps))

    return [
        each("total_tps", lambda step: count(step.metrics.total_tps)),
        each("goodput_rps", lambda step: count(step.metrics.goodput_rps)),
        *(_latency(steps, metric, "p90", bounds.get(metric), texts) for metric in ("ttft", "tpot", "e2e")),
        *(_latency(steps, "ttft_due", stat, bounds.get("ttft"), texts) for stat in ("p50", "p95", "p99")),
        _latency(steps, "lag", "p99", None, texts),
        each("input_tokens", lambda step: count(step.metrics.input_tokens)),
        each("output_tokens", lambda step: count(step.metrics.output_tokens)),
        each("cancelled", lambda step: count(step.metrics.cancelled)),
        each("planned", lambda step: count(step.metrics.planned)),
        each("dropped", lambda step: count(step.metrics.dropped if step.metrics.planned is not None else None)),
        each("window_s", lambda step: count(step.metrics.window_s)),
        each("workers", lambda step: count(step.workers.count if step.workers else None)),
        each("busiest", lambda step: share(step.workers.cpu_share if step.workers else None)),
        *(_limit(steps, metric, bounds.get(metric), texts) for metric in ("ttft", "tpot", "e2e")),
        each("target", lambda step: share(_asked_of(step, run))),
        each("below", lambda step: _apart(step.metrics.goodput, step.metrics.goodput_low)),
        each("above", lambda step: _apart(step.metrics.goodput_high, step.metrics.goodput)),
    ]


def _latency(steps: Sequence[StepResult], metric: str, stat: str, limit: float | None, texts: Texts) -> _Figure:
    summaries = (step.metrics.latency.get(metric) for step in steps)
    values = tuple(None if each is None else milliseconds(_STATS[stat](each), limit) for each in summaries)
    told = latency_title(metric, stat, texts)
    return _Figure(
        f"{stat}({metric})", told, values, is_essential=(metric, stat) in _LATENCIES and metric in latencies_of(steps)
    )


def _limit(steps: Sequence[StepResult], metric: str, limit: float | None, texts: Texts) -> _Figure:
    told = texts["excel.column.slo"].format(metric=NAMES[metric])
    return _Figure(f"slo({metric})", told, tuple(milliseconds(limit) for _ in steps))


def _apart(more: float | None, less: float | None) -> Value:
    return None if more is None or less is None else share(max(0.0, more - less))


# ---------------------------------------------------------------- conditional colours


def _colour(steps: Steps, texts: Texts) -> None:
    """Verdicts by their word, goodput against its target, latencies against the SLO, all by the cells themselves."""
    sheet, first = steps.sheet, steps.area.first
    colour_statuses(sheet, _column(steps, "verdict"), texts)
    if "target" in steps.places:
        goodput, target = _letter(steps, "goodput"), _letter(steps, "target")
        met = f"${goodput}{first}>=${target}{first}"
        cells = _column(steps, "goodput")
        warn_where(sheet, cells, f"AND(ISNUMBER(${goodput}{first}),NOT({met}))")
        approve_where(sheet, cells, f"AND(ISNUMBER(${goodput}{first}),{met})")
    for key in steps.places:
        stat, _, metric = key.rstrip(")").partition("(")
        limit = f"slo({metric.removesuffix('_due')})"
        if stat in _STATS and limit in steps.places:
            cell, bound = f"{_letter(steps, key)}{first}", f"${_letter(steps, limit)}{first}"
            warn_where(sheet, _column(steps, key), f"AND(ISNUMBER({cell}),{cell}>{bound})")


def _letter(steps: Steps, key: str) -> str:
    return get_column_letter(steps.places[key])


def _column(steps: Steps, key: str) -> str:
    letter = _letter(steps, key)
    return f"{letter}{steps.area.first}:{letter}{steps.area.last}"
