"""Charts say what a run has, with units, in every language, and never draw what was not measured."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from math import cbrt, inf

import pytest
import vl_convert
from hypothesis import given, settings
from hypothesis import strategies as st

from llmload.analysis.comparison import ComparedRun, compare
from llmload.baseline import Estimate
from llmload.capacity import Knee
from llmload.domain import RunResult, StepResult
from llmload.latency import Histogram
from llmload.planned import Step
from llmload.promises import Slo
from llmload.reporters import drawing, palette
from llmload.reporters.chart import NAME_LIMIT, Chart, foreign
from llmload.reporters.charts import comparison_charts, run_charts
from llmload.reporters.texts import Language, texts_in
from tests.recorded_runs import CLEAN, FROM_LOADTEST, HOSTILE, TROUBLE

ENGLISH, KOREAN = texts_in(Language.EN), texts_in(Language.KO)
every_language = pytest.mark.parametrize("texts", [texts_in(each) for each in Language], ids=list(Language))


def with_loads(loads: list[float]) -> tuple[StepResult, ...]:
    first = CLEAN.steps[0]
    return tuple(replace(first, step=Step(place, "concurrency", load)) for place, load in enumerate(loads))


RUNS = {
    "clean": CLEAN,
    "full of trouble": TROUBLE,
    "imported": FROM_LOADTEST,
    "one step": replace(CLEAN, steps=CLEAN.steps[:1], knee=None),
    "twelve steps": replace(
        CLEAN, steps=with_loads([2.0**place for place in range(12)]), knee=Knee("concurrency", 32, 64, 0.95)
    ),
    "nothing measured": replace(CLEAN, steps=(), timeline=None, gpus=(), server=None, recommendation=None),
    "a load of 0": replace(CLEAN, steps=with_loads([0.0, 0.5, 3.0])),
}


def charts_of(run: RunResult) -> dict[str, Chart]:
    return {chart.name: chart for chart in run_charts(run, ENGLISH)}


def parts(value: object) -> Iterator[Mapping[str, object]]:
    """Every object of a specification."""
    if isinstance(value, Mapping):
        yield value
        for each in value.values():
            yield from parts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from parts(each)


def data_of(chart: Chart, name: str) -> list[Mapping[str, object]]:
    """The rows that have the field, of all views."""
    return [row for part in parts(chart.spec) if "values" in part for row in parts(part["values"]) if name in row]


# ---------------------------------------------------------------- which, and in what form


def test_a_run_with_everything_has_every_chart_the_most_important_one_first() -> None:
    assert list(charts_of(CLEAN)) == ["throughput", "goodput", "latency", "timeline", "server", "gpu", "capacity"]


def test_what_a_run_does_not_know_has_no_chart() -> None:
    assert list(charts_of(RUNS["nothing measured"])) == []
    assert list(charts_of(FROM_LOADTEST)) == ["throughput", "goodput"]


@pytest.mark.parametrize("name", RUNS)
def test_every_chart_compiles_without_a_warning(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    for chart in charts_of(RUNS[name]).values():
        vl_convert.vegalite_to_vega(dict(chart.spec), vl_version="6.4", show_warnings=True)
        assert "".join(capfd.readouterr()) == "", chart.name


def test_a_specification_that_is_wrong_would_have_warned(capfd: pytest.CaptureFixture[str]) -> None:
    x = {"field": "a", "type": "quantitative", "scale": {"type": "log", "zero": False}}
    wrong = {"data": {"values": [{"a": 1}]}, "mark": "point", "encoding": {"x": x}}
    vl_convert.vegalite_to_vega(wrong, vl_version="6.4", show_warnings=True)
    assert "zero" in "".join(capfd.readouterr())


@every_language
@pytest.mark.parametrize("run", [CLEAN, TROUBLE, FROM_LOADTEST], ids=["clean", "full of trouble", "imported"])
def test_every_axis_that_has_labels_has_a_title_with_its_unit(run: RunResult, texts) -> None:
    axes = [
        part["axis"]
        for chart in run_charts(run, texts)
        for part in parts(chart.spec)
        if "field" in part and "axis" in part
    ]
    assert axes
    for axis in axes:
        assert isinstance(axis, Mapping)
        assert axis.get("labels") is False or str(axis["title"]).endswith(")"), axis


@every_language
def test_a_chart_says_what_it_shows_in_whole_sentences(texts) -> None:
    for run in RUNS.values():
        for chart in run_charts(run, texts):
            assert chart.title
            assert chart.summary.endswith((".", "다."))
            assert not set("{}") & set(chart.summary)


def test_throughput_is_summed_up_with_its_ends_and_its_limits() -> None:
    run = replace(CLEAN, slo=Slo(ttft_ms=30.0), knee=None)
    summary = charts_of(run)["throughput"].summary
    assert summary.startswith("Output throughput goes from 118 tok/s at concurrency 1 to ")
    assert "TTFT p95 first exceeds its SLO of 30ms at concurrency " in summary


def test_in_open_loop_the_slo_is_held_against_ttft_since_due() -> None:
    step = TROUBLE.steps[-1]
    latency = {**step.metrics.latency, "ttft_due": replace(step.metrics.latency["ttft"], p95_ms=850.0)}
    histograms = {**step.metrics.histograms, "ttft_due": step.metrics.histograms["ttft"]}
    late = replace(step, metrics=replace(step.metrics, latency=latency, histograms=histograms))
    charts = charts_of(replace(TROUBLE, steps=(late,)))
    summary = "TTFT since due p95 first exceeds its SLO of 800ms at rate 40/s."
    assert summary in charts["throughput"].summary
    series = [row for row in data_of(charts["throughput"], "value") if "TTFT" in str(row["series"])]
    assert {(row["series"], row["value"]) for row in series} >= {("TTFT since due p95 (ms)", 850.0)}
    assert "In open loop TTFT counts from when a request was due." in json.dumps(charts["latency"].spec)


def test_e2e_is_drawn_where_the_slo_limits_it() -> None:
    drawn = charts_of(replace(CLEAN, slo=Slo(e2e_ms=5000.0)))["throughput"]
    assert "E2E p95 first exceeds its SLO of 5s at concurrency " in drawn.summary
    assert "E2E p95 (ms)" not in json.dumps(charts_of(CLEAN)["throughput"].spec)


def test_a_run_in_which_something_failed_never_says_that_nothing_did() -> None:
    assert CLEAN.timeline is not None
    quiet = replace(CLEAN.timeline, errors_per_s=(None,) * len(CLEAN.timeline.at_s))
    step = CLEAN.steps[0]
    failed = replace(step, metrics=replace(step.metrics, ok=step.metrics.attempts - 3))
    run = replace(CLEAN, timeline=quiet, steps=(failed,))
    assert charts_of(run)["timeline"].summary.endswith("requests that failed: 3.")


def test_no_specification_has_an_expression_or_asks_for_anything() -> None:
    for run in RUNS.values():
        for chart in run_charts(run, ENGLISH):
            keys = {key for part in parts(chart.spec) for key in part}
            assert not keys & {"expr", "signal", "calculate", "transform", "url", "href", "filter", "test"}
            json.dumps(dict(chart.spec), allow_nan=False)


# ---------------------------------------------------------------- loads


def test_loads_of_two_kinds_never_share_an_axis() -> None:
    chart = charts_of(TROUBLE)["throughput"]
    loads = {row["load"] for row in data_of(chart, "load")}
    assert loads <= {each.step.value for each in TROUBLE.steps if each.step.axis == "concurrency"}
    assert "rate 40/s" in json.dumps(chart.spec["title"])


def test_the_knee_and_saturation_are_marked_where_they_are() -> None:
    run = replace(CLEAN, knee=Knee("concurrency", 8, 32, 0.95))
    told = json.dumps(charts_of(run)["throughput"].spec)
    assert '"SLO holds up to 8"' in told
    assert '"saturated from 32"' in told
    other = replace(CLEAN, knee=Knee("rate", 8, 32, 0.95))
    assert "SLO holds" not in json.dumps(charts_of(other)["throughput"].spec)


# ---------------------------------------------------------------- what is missing

figures = st.one_of(st.none(), st.floats(0.001, 1e6))
shares = st.one_of(st.none(), st.floats(0, 1))


@settings(max_examples=40)
@given(st.lists(st.tuples(figures, shares, figures), min_size=1, max_size=6))
def test_a_missing_value_is_null_and_never_0(told: list[tuple[float | None, float | None, float | None]]) -> None:
    steps = []
    for place, (speed, share, latency) in enumerate(told):
        first = CLEAN.steps[0]
        summary = first.metrics.latency["ttft"]
        latencies = {} if latency is None else {"ttft": replace(summary, p95_ms=latency)}
        metrics = replace(first.metrics, output_tps=speed, goodput=share, goodput_low=None, latency=latencies)
        steps.append(replace(first, step=Step(place, "concurrency", place + 1.0), metrics=metrics))
    charts = charts_of(replace(CLEAN, steps=tuple(steps)))
    drawn = {}
    for row in data_of(charts["throughput"], "series") if "throughput" in charts else ():
        drawn[row["series"], row.get("load")] = row["value"]
    for place, (speed, _, latency) in enumerate(told):
        assert (drawn.get(("Output throughput (tok/s)", place + 1.0)) is None) == (speed is None)
        assert (drawn.get(("TTFT p95 (ms)", place + 1.0)) is None) == (latency is None)
    goodput = (
        [row["goodput"] for row in data_of(charts["goodput"], "load") if "goodput" in row]
        if "goodput" in charts
        else []
    )
    assert not goodput or [value is None for value in goodput] == [share is None for _, share, _ in told]


def test_instants_without_a_sample_leave_a_gap() -> None:
    assert CLEAN.timeline is not None
    gap = tuple(None if 3 <= place < 6 else 1.0 for place in range(len(CLEAN.timeline.at_s)))
    run = replace(CLEAN, timeline=replace(CLEAN.timeline, in_flight=gap))
    values = [row["in_flight"] for row in data_of(charts_of(run)["timeline"], "in_flight") if "at" in row]
    assert values[2:7] == [1.0, None, None, None, 1.0]


@pytest.mark.parametrize("name", ["timeline", "gpu"])
def test_a_value_between_two_gaps_is_a_dot(name: str) -> None:
    gpu, timeline = CLEAN.gpus[0], CLEAN.timeline
    assert timeline is not None
    in_flight = tuple(5.0 if place in {0, 7, 8} else None for place in range(len(timeline.at_s)))
    power = tuple(250.0 if place in {0, 7, 8} else None for place in range(len(gpu.at_s)))
    lonely = replace(
        CLEAN, timeline=replace(timeline, in_flight=in_flight), gpus=(CLEAN.gpus[1], replace(gpu, power_w=power))
    )
    gaps, without = (drawing.svg(charts_of(run)[name]) for run in (lonely, CLEAN))
    assert gaps.count(b"A2.3") - without.count(b"A2.3") == 2, "half of a circle twice"


def test_the_line_of_a_distribution_ends_where_attempts_failed() -> None:
    step = CLEAN.steps[0]
    histogram = Histogram((10.0, 20.0, 40.0), (50, 25, 5))
    metrics = replace(step.metrics, attempts=100, ok=80, histograms={"ttft": histogram})
    chart = charts_of(replace(CLEAN, steps=(replace(step, metrics=metrics),)))["latency"]
    points = [(row["ms"], row["share"]) for row in data_of(chart, "share")]
    assert points[1:] == [(10.0, 50.0), (20.0, 75.0), (40.0, 80.0)]
    assert points[0][1] == 0
    assert "50% within 10.0 ms, fewer than 95% finished" in chart.summary


def test_a_distribution_is_summed_up_by_the_percentiles_that_gates_take() -> None:
    step = CLEAN.steps[0]
    metrics = replace(step.metrics, attempts=100, histograms={"ttft": Histogram((10.0, 20.0), (50, 50))})
    estimates = {"p50(ttft)": Estimate(9.71), "p95(ttft)": Estimate(math.inf)}
    chart = charts_of(replace(CLEAN, steps=(replace(step, metrics=metrics, estimates=estimates),)))["latency"]
    assert "50% within 9.71 ms, fewer than 95% finished" in chart.summary


def test_many_samples_of_many_gpus_become_few_points() -> None:
    gpu = next(iter(CLEAN.gpus))
    count = 3600
    long = replace(
        gpu,
        at_s=tuple(float(second) for second in range(count)),
        utilisation=(0.5,) * count,
        memory_bytes=(1 << 30,) * count,
        temperature_c=(None,) * count,
        power_w=(300.0,) * count,
    )
    chart = charts_of(replace(CLEAN, gpus=tuple(replace(long, index=index) for index in range(8))))["gpu"]
    rows = data_of(chart, "gpu")
    assert len(rows) < 8 * 30
    assert {row["utilisation"] for row in rows} == {50.0}
    assert "temperature" not in rows[0]


# ---------------------------------------------------------------- runs side by side


def compared(name: str, factor: float) -> ComparedRun:
    steps = tuple(
        replace(
            each,
            estimates={
                "output_tps": Estimate((each.metrics.output_tps or 1) / factor, 0.02),
                "p95(ttft)": Estimate(inf if factor > 2 else 30.0 * factor, None if factor > 2 else 0.05),
                "goodput": Estimate(0.9),
            },
        )
        for each in CLEAN.steps
    )
    return ComparedRun(name, name, "s", "2026-01-01", CLEAN.status, {}, steps)


@every_language
def test_runs_are_compared_at_the_same_load(texts, capfd: pytest.CaptureFixture[str]) -> None:
    runs = [compared("main", 1), compared(HOSTILE, 1.2), compared("broken", 3)]
    (chart,) = comparison_charts(compare(runs), texts)
    vl_convert.vegalite_to_vega(dict(chart.spec), vl_version="6.4", show_warnings=True)
    assert "".join(capfd.readouterr()) == ""
    rows = data_of(chart, "run")
    assert {row["run"] for row in rows} == {"A", "B", "C"}
    never = [row for row in rows if row["run"] == "C" and row["value"] is None]
    assert len(never) == len(CLEAN.steps)  # failed attempts are beyond every limit
    assert any(isinstance(row["low"], float) and isinstance(row["high"], float) for row in rows if row["run"] == "B")


def test_runs_without_a_load_in_common_have_no_chart() -> None:
    alone = replace(compared("other", 1), steps=())
    assert comparison_charts(compare([compared("main", 1), alone]), ENGLISH) == ()


# ---------------------------------------------------------------- names of others


def test_a_foreign_name_is_one_short_harmless_line() -> None:
    name = foreign(HOSTILE * 3)
    assert len(name) <= NAME_LIMIT
    assert "\n" not in name
    assert "\x1b" not in name


# ---------------------------------------------------------------- colours

Rgb = tuple[float, float, float]

# Machado, Oliveira, Fernandes: A Physiologically-based Model for Simulation of Color Vision Deficiency (2009), table 1,
# severity 1.0, on linear RGB.
SIGHTS: Mapping[str, tuple[Rgb, Rgb, Rgb]] = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def linear(color: str) -> Rgb:
    """sRGB to linear light (IEC 61966-2-1)."""
    red, green, blue = (int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))
    bent = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (red, green, blue)]
    return bent[0], bent[1], bent[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, "contrast ratio"."""
    light, dark = sorted(
        (0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (linear(one), linear(other))), reverse=True
    )
    return (light + 0.05) / (dark + 0.05)


def seen(color: str, sight: str) -> Rgb:
    """In OKLab (Ottosson 2020), where equal distances look about equal."""
    rgb = linear(color)
    r, g, b = (min(max(sum(map(float.__mul__, map(float, row), rgb)), 0), 1) for row in SIGHTS[sight])
    long = cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
    middle = cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
    short = cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )


@pytest.mark.parametrize("paper", [palette.LIGHT_PAPER, palette.DARK_PAPER], ids=["light", "dark"])
def test_every_series_stands_out_from_the_paper(paper: str) -> None:
    assert min(contrast(color, paper) for color in palette.SERIES) >= 3


@pytest.mark.parametrize(
    ("ink", "paper"), [(palette.LIGHT_INK, palette.LIGHT_PAPER), (palette.DARK_INK, palette.DARK_PAPER)]
)
def test_quiet_text_is_read_on_both_papers(ink: str, paper: str) -> None:
    over = [
        round(palette.QUIET * int(ink[place : place + 2], 16) + (1 - palette.QUIET) * int(paper[place : place + 2], 16))
        for place in (1, 3, 5)
    ]
    assert contrast("#" + "".join(f"{part:02x}" for part in over), paper) >= 4.5


@pytest.mark.parametrize("sight", SIGHTS)
def test_series_are_told_apart_whoever_looks(sight: str) -> None:
    colors = [seen(color, sight) for color in palette.SERIES]
    distances = [sum((a - b) ** 2 for a, b in zip(*pair, strict=True)) ** 0.5 for pair in combinations(colors, 2)]
    assert min(distances) > 0.1  # a just noticeable difference is about 0.02


def test_colour_is_never_all_that_tells_a_series() -> None:
    assert len(set(palette.SERIES)) == len(set(palette.DASHES)) == len(set(palette.SHAPES)) == len(palette.SERIES)
