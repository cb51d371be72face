"""The timeline keeps what was measured: nothing invented between windows, nothing lost inside them."""

from __future__ import annotations

from array import array
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.analysis.timeline import MOST_BINS, timeline_of
from llmload.analysis.traffic import traffic_of
from llmload.domain import Observation, Outcome, Phase, RequestRecord
from llmload.planned import Step
from llmload.timeline import Timeline
from tests.analysis.builders import dropped, paced, request, window

SECOND = 1_000_000_000
OUTCOMES = (Outcome.OK, Outcome.OK, Outcome.CANCELLED, Outcome.TIMEOUT)


def lasting(seconds: int, records: list[RequestRecord], *, number: int = 0, start_s: int = 0) -> Observation:
    """A window of so many seconds around these requests."""
    start_ns = start_s * SECOND
    return replace(window(records, number=number), start_ns=start_ns, end_ns=start_ns + seconds * SECOND)


def told(timeline: Timeline | None) -> Timeline:
    assert timeline is not None
    return timeline


def total(timeline: Timeline, values: tuple[float | None, ...]) -> float:
    return sum(value or 0.0 for value in values) * timeline.bin_s


def moved(observation: Observation, by_ns: int) -> Observation:
    records = tuple(
        replace(
            record,
            due_ns=record.due_ns + by_ns,
            sent_ns=None if record.sent_ns is None else record.sent_ns + by_ns,
            done_ns=record.done_ns + by_ns,
            event_ns=array("q", [at + by_ns for at in record.event_ns]),
        )
        for record in observation.records
    )
    start_ns, end_ns = observation.start_ns + by_ns, observation.end_ns + by_ns
    return replace(observation, records=records, start_ns=start_ns, end_ns=end_ns)


@st.composite
def windows(draw: st.DrawFn) -> Observation:
    """A window of 121 to 240 s, in bins of one second, whose requests may reach out of it on both sides."""
    records = [
        replace(
            request(seq, at_ms=draw(st.integers(-5_000, 240_000)), tokens=draw(st.integers(1, 9)), tpot_ms=700.0),
            outcome=draw(st.sampled_from(OUTCOMES)),
            phase=draw(st.sampled_from(Phase)),
        )
        for seq in range(draw(st.integers(0, 12)))
    ]
    return lasting(draw(st.integers(121, 240)), records)


@given(windows())
def test_in_flight_adds_up_to_the_time_that_requests_took_inside_the_window(observation: Observation) -> None:
    timeline = told(timeline_of([observation]))
    start, end = observation.start_ns, observation.end_ns
    took = sum(
        max(0, min(r.done_ns, end) - max(r.sent_ns, start)) for r in observation.records if r.sent_ns is not None
    )
    assert total(timeline, timeline.in_flight) == pytest.approx(took / SECOND, abs=1e-6)


@given(windows())
def test_tokens_and_errors_add_up_to_those_of_the_window(observation: Observation) -> None:
    timeline = told(timeline_of([observation]))
    assert total(timeline, timeline.output_tps) == pytest.approx(traffic_of([observation]).output.amount.sum())
    failed = [r for r in observation.records if r.phase is Phase.MEASURED and r.outcome is Outcome.TIMEOUT]
    inside = [r for r in failed if observation.start_ns <= r.done_ns <= observation.end_ns]
    assert total(timeline, timeline.errors_per_s) == pytest.approx(len(inside))


@given(windows(), st.integers(-(10**15), 10**15), st.randoms(use_true_random=False))
def test_neither_the_clock_nor_the_order_of_records_matters(
    observation: Observation, by_ns: int, chance: object
) -> None:
    records = list(observation.records)
    chance.shuffle(records)  # type: ignore[attr-defined]  # a random.Random of hypothesis
    assert timeline_of([moved(replace(observation, records=tuple(records)), by_ns)]) == timeline_of([observation])


def test_every_bin_has_the_rate_of_its_part_inside_the_window() -> None:
    records = [request(at_ms=at, ttft_ms=0.0, tpot_ms=100.0, tokens=10) for at in range(0, 150_500, 1000)]
    timeline = told(timeline_of([replace(lasting(150, records), end_ns=150 * SECOND + SECOND // 2)]))
    assert timeline.bin_s == 1.0
    assert timeline.output_tps[:150] == (10.0,) * 150
    assert timeline.output_tps[150] == pytest.approx(12.0)  # six tokens in the half second that is left
    assert timeline.in_flight == pytest.approx([0.901] * 150 + [1.0])


def test_between_windows_and_in_slivers_of_them_there_is_nothing_and_not_zero() -> None:
    first = lasting(100, paced([50.0] * 3))
    second = moved(lasting(20, paced([50.0] * 3), number=1), 180 * SECOND)
    sliver = replace(second, end_ns=second.end_ns + SECOND // 10)
    timeline = told(timeline_of([first, sliver]))
    assert timeline.bin_s == 1.0
    assert [span.start_s for span in timeline.spans] == [0.0, 180.0]
    for values in (timeline.in_flight, timeline.output_tps, timeline.errors_per_s):
        assert [at for at, value in enumerate(values) if value is None] == [*range(100, 180), 200]


def test_a_failed_request_counts_where_it_ended_and_one_that_we_cancelled_does_not() -> None:
    failed = request(0, at_ms=10_000, outcome=Outcome.TIMEOUT)
    records = [failed, dropped(request(1, at_ms=20_000)), replace(failed, seq=2, outcome=Outcome.CANCELLED)]
    records.append(replace(failed, seq=3, phase=Phase.WARMUP))
    timeline = told(timeline_of([lasting(200, records)]))
    assert [at for at, value in enumerate(timeline.errors_per_s) if value] == [10, 20]


@pytest.mark.parametrize(
    ("start_s", "placed_s"),
    [
        pytest.param(130, 130.0, id="after the usual pause"),
        pytest.param(100, 100.0, id="at once"),
        pytest.param(60, 104.0, id="on a clock that began anew"),
        pytest.param(86_400, 104.0, id="on the next day"),
    ],
)
def test_a_window_lies_where_it_was_measured_and_after_a_break_where_the_run_was_resumed(
    start_s: int, placed_s: float
) -> None:
    second = moved(lasting(100, paced([50.0]), number=1), start_s * SECOND)
    timeline = told(timeline_of([second, lasting(100, paced([50.0]))]))
    assert [(span.start_s, span.end_s) for span in timeline.spans] == [(0.0, 100.0), (placed_s, placed_s + 100)]


def test_windows_lie_in_the_order_of_climbs_and_steps() -> None:
    steps = [Step(index, "concurrency", value) for index, value in enumerate((1.0, 2.0))]
    climbs = [
        moved(replace(lasting(9, []), look=replace(window([]).look, step=step, repeat=repeat)), at * SECOND)
        for at, (repeat, step) in zip((0, 10, 20, 30), [(r, s) for r in range(2) for s in steps], strict=True)
    ]
    stored = [climbs[0], climbs[2], climbs[1], climbs[3]]
    assert timeline_of(stored) == timeline_of(climbs)
    assert [span.label[-1] for span in told(timeline_of(stored)).spans] == ["1", "2", "1", "2"]


@pytest.mark.parametrize(
    ("seconds", "bin_s"),
    [(1, 0.005), (120, 0.5), (121, 1.0), (240, 1.0), (241, 2.0), (3600, 20.0), (86_400, 500.0)],
)
def test_bins_are_round_and_never_too_many(seconds: int, bin_s: float) -> None:
    timeline = told(timeline_of([lasting(seconds, [])]))
    assert timeline.bin_s == bin_s
    assert len(timeline.at_s) <= MOST_BINS
    assert timeline.at_s[-1] < seconds <= timeline.at_s[-1] + bin_s


def test_where_nothing_lasted_there_is_no_timeline() -> None:
    assert timeline_of([]) is None
    assert timeline_of([window([])]) is None
