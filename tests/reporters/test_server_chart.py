"""The server's queue and cache over time, beside the client's requests in flight: no peak and no gap gets lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmload.domain import RunResult
from llmload.reporters.chart import Chart
from llmload.reporters.server_chart import server_chart
from llmload.reporters.texts import Language, texts_in
from llmload.samples import Source
from llmload.timeline import ServerSeries
from tests.recorded_runs import CLEAN, TROUBLE

ENGLISH, KOREAN = texts_in(Language.EN), texts_in(Language.KO)
Told = list[float | None]


def told(
    running: Told, waiting: Told | None = None, cache: Told | None = None, speed: Told | None = None
) -> ServerSeries:
    """A sample each second."""
    nothing = (None,) * len(running)
    columns = [nothing if each is None else tuple(each) for each in (running, waiting, cache, speed)]
    return ServerSeries(Source.METRICS, tuple(float(second) for second in range(len(running))), *columns)


def drawn(server: ServerSeries, run: RunResult = CLEAN) -> Chart:
    chart = server_chart(replace(run, server=server), ENGLISH)
    assert chart is not None
    return chart


def rows_of(chart: Chart) -> list[Mapping[str, float | None]]:
    data = chart.spec["data"]
    assert isinstance(data, Mapping)
    return list(data["values"])


def panels_of(chart: Chart) -> list[str]:
    views = chart.spec["vconcat"]
    assert isinstance(views, list)
    return [layer["name"] for view in views for layer in view["layer"] if "name" in layer]


gauges = st.one_of(st.none(), st.floats(0, 1e6))


@settings(max_examples=60)
@given(st.lists(st.tuples(gauges, gauges, st.one_of(st.none(), st.floats(0, 1))), min_size=1, max_size=700))
def test_the_most_that_waited_and_the_most_of_the_cache_are_always_drawn(
    samples: list[tuple[float | None, float | None, float | None]],
) -> None:
    running, waiting, cache = (list(column) for column in zip(*samples, strict=True))
    chart = server_chart(replace(CLEAN, server=told(running, waiting, cache)), ENGLISH)
    if chart is None:
        assert all(value is None for sample in samples for value in sample)
        return
    rows = rows_of(chart)
    for name, values, scale in (("waiting", waiting, 1), ("kv_cache", cache, 100)):
        known = [value * scale for value in values if value is not None]
        found = [row[name] for row in rows if row[name] is not None]
        assert bool(found) == bool(known)
        assert max(found, default=0.0) == pytest.approx(max(known, default=0.0), rel=1e-3)


def test_an_hour_of_samples_becomes_few_points() -> None:
    hour = drawn(told([20.0] * 3600, [0.0] * 3599 + [77.0], [0.4] * 3600))
    assert len(rows_of(hour)) <= 120
    assert rows_of(hour)[-1]["waiting"] == 77


def test_what_was_not_told_is_null_and_leaves_a_gap() -> None:
    chart = drawn(told([1.0, 1.0, None, None, 2.0, 2.0], [0.0, 0.0, None, None, None, 1.0]))
    assert [row["running"] for row in rows_of(chart)] == [1, 1, None, None, 2, 2]
    assert [row["inside"] for row in rows_of(chart)] == [1, 1, None, None, None, 3], "no stack of half of it"


def test_a_silence_stays_however_many_samples_are_taken_together() -> None:
    chart = drawn(told([5.0] * 1000 + [None] + [5.0] * 1000))
    values = [row["running"] for row in rows_of(chart)]
    assert values.count(None) == 1
    assert values[0] == values[-1] == 5


@pytest.mark.parametrize(
    ("server", "panels"),
    [
        pytest.param(
            told([1.0] * 3, [0.0] * 3, [0.5] * 3, [9.0] * 3), ["requests", "kv_cache", "output_tps"], id="all"
        ),
        pytest.param(told([1.0] * 3), ["requests"], id="only what runs"),
        pytest.param(told([None] * 3, [1.0] * 3), ["requests"], id="only what waits"),
        pytest.param(told([None] * 3, None, [0.5] * 3), ["kv_cache"], id="only the cache"),
    ],
)
def test_there_is_a_panel_for_each_figure_that_is_told(server: ServerSeries, panels: list[str]) -> None:
    assert panels_of(drawn(server)) == [f"server_{name}" for name in panels]


def test_a_server_that_told_nothing_has_no_chart() -> None:
    assert server_chart(replace(CLEAN, server=None), ENGLISH) is None
    assert server_chart(replace(CLEAN, server=told([None, None])), ENGLISH) is None
    assert server_chart(replace(CLEAN, server=told([])), ENGLISH) is None


def test_the_client_stands_beside_the_server_at_the_same_instants() -> None:
    assert CLEAN.timeline is not None
    chart = drawn(told([3.0] * 10))
    found = [row["in_flight"] for row in rows_of(chart)]
    assert found == [pytest.approx(value, rel=1e-3) for value in CLEAN.timeline.in_flight[:10]]


def test_without_a_timeline_the_server_stands_alone() -> None:
    chart = drawn(told([3.0] * 10), replace(CLEAN, timeline=None))
    assert {row["in_flight"] for row in rows_of(chart)} == {None}
    assert "in flight" not in chart.summary


def test_the_summary_tells_the_source_the_peaks_and_both_sides() -> None:
    chart = server_chart(CLEAN, ENGLISH)
    assert chart is not None
    assert chart.summary == (
        "From the server's metrics page: running peaked at 128 requests, waiting at 31, output at 4,303 tok/s, "
        "KV cache use at 95.53%. Within the windows it had 38.0 requests on average, running or waiting, "
        "and the client 37.8 in flight."
    )
    log = server_chart(TROUBLE, KOREAN)
    assert log is not None
    assert log.summary.startswith("서버 로그 기준: 실행 중 요청 최대 32건")
