"""What the client saw over the time of a run: in flight, output and errors, with the steps shaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llmload.domain import RunResult
from llmload.reporters import palette
from llmload.reporters.chart import (
    DOT,
    NUMBER,
    TARGETS,
    WIDTH,
    Chart,
    Datum,
    Range,
    Spec,
    alone,
    document,
    field,
    from_zero,
    known,
    rows,
    zoom,
)
from llmload.reporters.figures import amount
from llmload.reporters.stages import Stage, names, shades, stages_of
from llmload.reporters.texts import Texts
from llmload.timeline import Timeline
from llmload.units import format_number


@dataclass(frozen=True, slots=True)
class _Track:
    """One panel over time: its key in the catalogue, its values, its colour and its height."""

    key: str
    values: Sequence[float | None]
    color: str
    height: int

    @property
    def most(self) -> float | None:
        """The largest value that there is."""
        return max((value for value in self.values if value is not None), default=None)


def timeline_chart(run: RunResult, texts: Texts) -> Chart | None:
    """A panel for each figure that there is, the steps shaded; None of a run without a timeline."""
    timeline = run.timeline
    if timeline is None or not timeline.at_s:
        return None
    tracks = [track for track in _tracks(timeline) if track.most is not None]
    if not tracks:
        return None
    title = texts["charts.timeline.title"]
    seconds = {"title": texts["charts.seconds"], "format": NUMBER, "grid": False}
    axes: list[Spec] = [*({**seconds, "title": None, "labels": False} for _ in tracks[1:]), seconds]
    stages = stages_of(timeline.spans)
    data = _rows(tracks, timeline)
    above: list[list[Spec]] = [[names(stages, _x_range(timeline), texts)], *([] for _ in tracks[1:])]
    views = [
        {
            "width": WIDTH,
            "height": track.height,
            "layer": [*_layers(track, timeline, data, stages, axis, texts), *words],
        }
        for track, axis, words in zip(tracks, axes, above, strict=True)
    ]
    body = {
        "data": rows(data),
        "vconcat": views,
        "spacing": 10,
        "params": [{**zoom(), "views": [f"over_time_{track.key}" for track in tracks]}],
    }
    return Chart("timeline", title, _summary(tracks, run, timeline, texts), document(title, "", body))


def _tracks(timeline: Timeline) -> tuple[_Track, ...]:
    return (
        _Track("in_flight", timeline.in_flight, palette.BLUE, 90),
        _Track("output_tps", timeline.output_tps, palette.TEAL, 80),
        _Track("errors_per_s", timeline.errors_per_s, palette.BRICK, 50),
    )


def _x_range(timeline: Timeline) -> Range:
    ends = [timeline.at_s[-1] + timeline.bin_s, *(span.end_s for span in timeline.spans)]
    return Range(min(0.0, timeline.at_s[0]), max(ends))


def _layers(
    track: _Track, timeline: Timeline, data: Sequence[Datum], stages: Sequence[Stage], axis: Spec, texts: Texts
) -> list[Spec]:
    x = {"type": "quantitative", "scale": _x_range(timeline).scale, "axis": axis}
    title = texts[f"charts.timeline.{track.key}"]
    headroom = 0.35 if track.key == "in_flight" else 0.1
    y_range = from_zero([track.most or 0.0], headroom)
    y = {"type": "quantitative", "scale": y_range.scale, "axis": {"title": title, "format": NUMBER, "tickCount": 3}}
    seconds = field("at", texts["charts.seconds"], form=NUMBER)
    shared = {"x": {**x, "field": "at"}, "y": {**y, "field": track.key}}
    line = {
        "name": f"over_time_{track.key}",
        "mark": {"type": "line", "color": track.color, "strokeWidth": 1.75, "clip": True},
        "encoding": shared,
    }
    tooltip = [seconds, field(track.key, title, form=",.4~r")]
    targets = {"mark": TARGETS, "encoding": {**shared, "tooltip": tooltip}}
    single = alone(data, track.key)
    dots = [{"data": rows(single), "mark": {**DOT, "color": track.color}, "encoding": shared}] if single else []
    return [shades(stages, x), line, *dots, targets]


def _rows(tracks: Sequence[_Track], timeline: Timeline) -> list[Datum]:
    """A bin in a row, at its middle."""
    return [
        {"at": known(at_s + timeline.bin_s / 2, 5), **{track.key: known(track.values[place], 4) for track in tracks}}
        for place, at_s in enumerate(timeline.at_s)
    ]


def _summary(tracks: Sequence[_Track], run: RunResult, timeline: Timeline, texts: Texts) -> str:
    """How long it took, and the peak of each figure."""
    span = _x_range(timeline)
    most = {track.key: track.most for track in tracks}
    key = "summary" if "output_tps" in most else "summary_no_output"
    return texts[f"charts.timeline.{key}"].format(
        duration=f"{format_number(round(span.high - span.low))} s",
        in_flight=amount(most.get("in_flight")),
        tps=amount(most.get("output_tps")),
        errors=_errors(most.get("errors_per_s"), run, texts),
    )


def _errors(most: float | None, run: RunResult, texts: Texts) -> str:
    """Nothing failed where no step says so; what failed outside every bin has no rate, but is told."""
    if most:
        return texts["charts.timeline.errors"].format(rate=amount(most))
    failed = sum(step.metrics.attempts - step.metrics.ok for step in run.steps)
    key = "charts.timeline.failed" if failed else "charts.timeline.no_errors"
    return texts[key].format(count=f"{failed:,}")
