"""Charts for a page: a picture that is there at once and on paper, and what a script needs to bring it to life."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from markupsafe import Markup

from llmload.reporters import drawing
from llmload.reporters.chart import Chart, Spec
from llmload.reporters.figures import MISSING
from llmload.reporters.sections import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart as a page shows it. `spec` is None where its picture is all that there is room for."""

    name: str
    title: str
    summary: str
    note: str  # what is not drawn, and why; "" for nothing
    picture: Markup
    spec: Spec | None
    tables: tuple[Table, ...]

    @property
    def is_zoomable(self) -> bool:
        """Whether its axes move; others tell their figures only."""
        return self.spec is not None and _moves(self.spec)


def _moves(value: object) -> bool:
    if isinstance(value, Mapping):
        return value.get("bind") == "scales" or any(_moves(each) for name, each in value.items() if name != "data")
    return isinstance(value, list | tuple) and any(map(_moves, value))


def figures_of(charts: Sequence[Chart]) -> tuple[Figure, ...]:
    """Charts that can be zoomed, with their pictures."""
    return tuple(_figure(chart, _operable(chart.spec), _picture(chart)) for chart in charts)


def live_figures(charts: Sequence[Chart]) -> tuple[Figure, ...]:
    """The same without pictures, whose drawing takes a tenth of a second each: a script draws them all."""
    return tuple(_figure(chart, _operable(chart.spec), Markup()) for chart in charts)


def pictures_of(figures: Sequence[Figure]) -> tuple[Figure, ...]:
    """The same as pictures only."""
    return tuple(replace(figure, spec=None) for figure in figures)


@cache
def library() -> str:
    """The script that draws live charts."""
    return drawing.page_bundle()


def specifications(figures: Sequence[Figure]) -> str:
    """Those of the charts that can be zoomed, by their names, as JSON; "" for none."""
    live = {figure.name: figure.spec for figure in figures if figure.spec is not None}
    return json.dumps(live, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False) if live else ""


def _figure(chart: Chart, spec: Spec | None, picture: Markup) -> Figure:
    return Figure(
        name=chart.name,
        title=chart.title,
        summary=chart.summary,
        note=_note(chart.spec),
        picture=picture,
        spec=spec,
        tables=_tables(chart.spec),
    )


def _picture(chart: Chart) -> Markup:
    """In the colours of the page's theme."""
    drawn = drawing.inline(replace(chart, spec=_untitled(chart.spec)))
    return Markup(drawn)  # noqa: S704 - drawn here from data; the drawing escapes every text


# ---------------------------------------------------------------- specifications


def _untitled(spec: Spec) -> Spec:
    """Without its title, which the page has as a heading of its own."""
    return {key: value for key, value in spec.items() if key != "title"}


def _note(spec: Spec) -> str:
    """What stands below the title in a picture; "" where there is nothing."""
    title = spec.get("title")
    subtitle = title.get("subtitle") if isinstance(title, Mapping) else None
    match subtitle:
        case None:
            return ""
        case list():
            return " · ".join(map(str, subtitle))
    return str(subtitle)


def _operable(spec: Spec) -> Spec:
    """As wide as the page lets it be, and zoomed by the wheel alone: the page lets those pass who scroll by."""
    untitled = _untitled(spec)
    config = untitled.get("config")
    told = {**untitled, "config": {**(config if isinstance(config, Mapping) else {}), "aria": False}}
    if "layer" in told or "mark" in told:
        told |= {"width": "container", "autosize": {"type": "fit-x", "contains": "padding"}}
    return {key: _with_wheel(value) for key, value in told.items()}


def _with_wheel(value: object) -> object:
    if isinstance(value, list | tuple):
        return [_with_wheel(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    if value.get("bind") == "scales" and isinstance(value.get("select"), Mapping):
        return {**value, "select": {**value["select"], "zoom": "wheel!"}}
    return {key: _with_wheel(each) if key != "values" else each for key, each in value.items()}


# ---------------------------------------------------------------- data as tables


_WHOLE_FROM = 1_000
_Rows = Sequence[Mapping[str, object]]
_Fields = Sequence[Mapping[str, object]]


def _tables(spec: Spec) -> tuple[Table, ...]:
    """What the tooltips of a chart tell, as rows.

    Views of the same data are one table, and so are those of the same columns.
    """
    seen: dict[int, tuple[_Rows, list[Mapping[str, object]]]] = {}
    for fields, values in _told(spec, ()):
        _, columns = seen.setdefault(id(values), (values, []))
        columns += (field for field in fields if field not in columns)
    found: dict[tuple[str, ...], dict[tuple[str, ...], None]] = {}
    for values, columns in seen.values():
        names = tuple(str(field.get("title") or field.get("field")) for field in columns)
        rows = (tuple(_cell(row.get(str(field.get("field")))) for field in columns) for row in values)
        found.setdefault(names, {}).update(dict.fromkeys(rows))
    return tuple(Table(names, tuple(rows)) for names, rows in found.items() if rows)


def _told(view: Mapping[str, object], inherited: _Rows) -> Iterator[tuple[_Fields, _Rows]]:
    """The fields of each view's tooltip, with its data."""
    data = view.get("data")
    values = data.get("values") if isinstance(data, Mapping) else None
    mine: _Rows = values if isinstance(values, list) else inherited
    encoding = view.get("encoding")
    fields = encoding.get("tooltip") if isinstance(encoding, Mapping) else None
    if isinstance(fields, list):
        yield fields, mine
    for key in ("layer", "hconcat", "vconcat", "concat"):
        views = view.get(key)
        for each in views if isinstance(views, list | tuple) else ():
            yield from _told(each, mine)


def _cell(value: object) -> str:
    """The digits that the chart's data have, since another rounding would tell another figure; from 1,000 on whole."""
    match value:
        case None:
            return MISSING
        case float():
            return f"{value if abs(value) < _WHOLE_FROM else round(value):,}".removesuffix(".0")
        case int():
            return f"{value:,}"
        case _:
            return str(value)
