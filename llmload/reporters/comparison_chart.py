"""Runs side by side at the loads that they have in common: a panel for each figure that people ask for first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmload.analysis.comparison import Comparison
from llmload.planned import Step
from llmload.promises import SHARES
from llmload.reporters.chart import (
    NUMBER,
    Chart,
    Datum,
    Range,
    Spec,
    document,
    field,
    foreign,
    from_zero,
    known,
    named,
    rows,
)
from llmload.reporters.comparison_wording import letter, value_in
from llmload.reporters.texts import Texts
from llmload.reporters.wording import step_label
from llmload.units import format_number

_FIGURES = {"output_tps": "output_tps", "p95(ttft)": "p95_ttft", "p95(tpot)": "p95_tpot", "goodput": "goodput"}
"""Figure of a comparison -> its key in the catalogue."""

_LONGEST = 88
"""Letters of the line that names the runs."""

_WIDE, _NARROW, _HEIGHT = 600, 268, 150
_MOST_BARS = 24
"""In a narrow panel; where there are more, each panel has the whole width."""
_LEAST_LETTER = 9
"""Pixels of a bar that its letter needs."""

MOST_RUNS = 8
"""More bars at a load nobody tells apart; tables have all of them."""


@dataclass(frozen=True, slots=True)
class _Loads:
    """The loads that the runs have in common, in order; their names are numbers where all are of one kind."""

    steps: tuple[Step, ...]
    texts: Texts

    @property
    def names(self) -> list[str]:
        """As the axis names them."""
        return [self.name(step) for step in self.steps]

    @property
    def title(self) -> str:
        """Of the axis: with the unit where the names are numbers, since other names carry their own."""
        return self.texts[f"charts.axis.{self.steps[0].axis}" if self._is_of_one_kind else "charts.comparison.step"]

    def name(self, step: Step) -> str:
        """One load."""
        return format_number(step.value) if self._is_of_one_kind else step_label(step, self.texts)

    @property
    def _is_of_one_kind(self) -> bool:
        return len({step.axis for step in self.steps}) == 1


def comparison_chart(comparison: Comparison, texts: Texts) -> Chart | None:
    """Grouped by load, a bar for each run; None where the runs have no load in common."""
    loads = _Loads(tuple({row.step.label: row.step for row in comparison.rows}.values()), texts)
    panels = {key: list(_rows(comparison, figure, loads)) for figure, key in _FIGURES.items()}
    panels = {key: data for key, data in panels.items() if any(row["value"] is not None for row in data)}
    if not panels:
        return None
    names = [letter(place) for place in range(min(len(comparison.runs), MOST_RUNS))]
    bars = len(names) * len(loads.steps)
    width = _WIDE if bars > _MOST_BARS else _NARROW
    views = [_panel(_Panel(key, tuple(data), names, loads, width)) for key, data in panels.items()]
    title = texts["charts.comparison.title"]
    named_runs = ", ".join(f"{name} = {foreign(run.name)}" for name, run in zip(names, comparison.runs, strict=False))
    subtitle = [_cut(named_runs), texts["charts.comparison.subtitle"]]
    body = {
        "concat": views,
        "columns": 1 if width == _WIDE else 2,
        "spacing": 22,
        "resolve": {"scale": {"color": "shared"}},
    }
    return Chart("comparison", title, _summary(comparison, loads), document(title, subtitle, body))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


# ---------------------------------------------------------------- data


def _rows(comparison: Comparison, figure: str, loads: _Loads) -> Iterator[Datum]:
    """One for each run at each load. The interval of a run's difference is drawn about the first run's value."""
    for row in comparison.rows:
        if row.figure != figure:
            continue
        load = loads.name(row.step)
        yield {"load": load, "run": letter(0), "value": _shown(figure, row.value), "low": None, "high": None}
        for place, cell in enumerate(row.cells[: MOST_RUNS - 1], start=1):
            low, high = (_moved(figure, row.value, end) for end in (cell.low, cell.high))
            yield {"load": load, "run": letter(place), "value": _shown(figure, cell.value), "low": low, "high": high}


def _moved(figure: str, base: float | None, difference: float | None) -> float | None:
    """The first run's value changed by a difference: by points of a share, by a ratio of anything else."""
    if base is None or difference is None:
        return None
    moved = min(max(base + difference, 0.0), 1.0) if figure in SHARES else base * (1 + difference)
    return _shown(figure, moved)


def _shown(figure: str, number: float | None) -> float | None:
    return known(None if number is None else number * (100 if figure in SHARES else 1))


# ---------------------------------------------------------------- views


@dataclass(frozen=True, slots=True)
class _Panel:
    """One figure: its bars, and the names of all runs."""

    key: str
    data: tuple[Datum, ...]
    names: Sequence[str]
    loads: _Loads
    width: int

    @property
    def bar(self) -> float:
        """Width of a bar in pixels, about."""
        return self.width * 0.7 / (len(self.names) * len(self.loads.steps))


def _panel(panel: _Panel) -> Spec:
    texts = panel.loads.texts
    title = texts[f"charts.comparison.{panel.key}"]
    tops = [value for row in panel.data for name in ("value", "high") if isinstance(value := row[name], float)]
    x_axis = {"title": panel.loads.title, "labelAngle": 0, "labelOverlap": "greedy", "ticks": False}
    y = {
        "type": "quantitative",
        "scale": (Range(0, 104) if panel.key == "goodput" else from_zero(tops, headroom=0.12)).scale,
        "axis": {"title": title, "format": NUMBER, "tickCount": 5},
    }
    shared = {
        "x": {"field": "load", "type": "nominal", "sort": panel.loads.names, "axis": x_axis},
        "xOffset": {"field": "run", "type": "nominal", "sort": list(panel.names)},
    }
    tooltip = [
        field("run", texts["charts.comparison.run"], "nominal"),
        field("load", panel.loads.title, "nominal"),
        field("value", title, form=",.4~r"),
        field("low", texts["charts.comparison.low"], form=",.4~r"),
        field("high", texts["charts.comparison.high"], form=",.4~r"),
    ]
    color = {
        "field": "run",
        "type": "nominal",
        "scale": named(panel.names, "color"),
        "legend": {"symbolType": "square"},
    }
    bars = {
        "mark": {"type": "bar", "invalid": "filter"},
        "encoding": {**shared, "y": {**y, "field": "value"}, "color": color, "tooltip": tooltip},
    }
    whiskers = {
        "mark": {"type": "rule", "size": 1.5, "invalid": "filter"},
        "encoding": {**shared, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
    }
    letters = {
        "mark": {"type": "text", "baseline": "bottom", "dy": -2, "fontSize": 9, "invalid": "filter"},
        "encoding": {**shared, "y": {**y, "field": "top"}, "text": {"field": "run", "type": "nominal"}},
    }
    layers = [bars, whiskers, *([letters] if panel.bar >= _LEAST_LETTER else [])]
    return {"width": panel.width, "height": _HEIGHT, "data": rows(_topped(panel.data)), "layer": layers}


def _topped(data: Sequence[Datum]) -> list[Datum]:
    """With where the letter of each bar stands: above the bar and its interval."""
    return [
        {**row, "top": max((end for name in ("value", "high") if isinstance(end := row[name], float)), default=None)}
        for row in data
    ]


def _summary(comparison: Comparison, loads: _Loads) -> str:
    """Each figure of each run at the highest common load."""
    last = loads.steps[-1].label
    figures = {row.figure: row for row in comparison.rows if row.step.label == last}
    said = []
    for figure in _FIGURES:
        if figure in figures:
            row = figures[figure]
            values = [row.value, *(cell.value for cell in row.cells)][:MOST_RUNS]
            told = (value_in(figure, each, loads.texts) for each in values)
            shown = ", ".join(f"{letter(place)} {each}" for place, each in enumerate(told))
            said.append(f"{figure}: {shown}")
    load = step_label(loads.steps[-1], loads.texts)
    return loads.texts["charts.comparison.summary"].format(load=load, figures="; ".join(said))
