"""Every metric against answers whose timeline is known, and the properties that hold for any."""

from __future__ import annotations

import random
from array import array
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmload.analysis.attempts import attempts_of
from llmload.analysis.histogram import histogram_of, merge_histograms
from llmload.analysis.metrics import measure
from llmload.domain import Observation, Outcome, Phase, RequestRecord, StepMetrics, TokenSource
from llmload.promises import Slo
from tests.analysis.builders import MS, SLO, paced, request, window


def at_ms(*events: float, **changes: object) -> RequestRecord:
    """A request sent at 100 ms whose text came at these instants."""
    events_ns = array("q", [round(event * MS) for event in events])
    record = request(at_ms=100, tokens=len(events))
    done = (events_ns[-1] if events else 100 * MS) + MS
    first = events_ns[0] if events else None
    return replace(record, event_ns=events_ns, answer_ns=first, done_ns=done, **changes)


def latency(record: RequestRecord, metric: str) -> float | None:
    """The one value of a metric for a single request; None where it does not apply."""
    summary = measure([window([record])], None).latency.get(metric)
    return None if summary is None else summary.p50_ms


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        pytest.param("ttft", 50.0, id="ttft is first minus sent"),
        pytest.param("ttfo", 50.0, id="ttfo is the first answer text"),
        pytest.param("tpot", 25.0, id="tpot spreads the time after the first token over the others"),
        pytest.param("itl", 25.0, id="itl is the gap between events"),
        pytest.param("itl_max", 40.0, id="itl_max is the largest gap"),
        pytest.param("e2e", 100.0, id="e2e ends with the last text, not with the stream"),
        pytest.param("lag", 0.0, id="lag is sent minus due"),
    ],
)
def test_a_latency_is_what_metrics_md_says(metric: str, expected: float) -> None:
    assert latency(at_ms(150, 160, 200), metric) == expected


def test_a_model_that_reasons_first_has_a_later_first_answer() -> None:
    thoughtful = at_ms(150, 160, 200)
    assert latency(replace(thoughtful, answer_ns=200 * MS), "ttfo") == 100.0


def test_the_output_of_an_answer_that_only_calls_a_tool_is_the_call() -> None:
    called = replace(at_ms(150, 160, 200), answer_ns=None, call_ns=160 * MS)
    assert latency(called, "ttfo") == 60.0
    assert latency(replace(called, answer_ns=200 * MS), "ttfo") == 100.0
    assert latency(replace(called, call_ns=None), "ttfo") is None


_PLAIN = replace(at_ms(150), reasoning_events=0, answer_events=1, call_events=0)
_CALLED = replace(at_ms(150), reasoning_events=3, answer_events=0, call_events=2, reasoning_tokens=7)


@pytest.mark.parametrize(
    ("records", "told"),
    [
        pytest.param([_PLAIN, _CALLED, _CALLED], (2, 2, None), id="a server that counts reasoning of some"),
        pytest.param([_CALLED, _CALLED], (2, 2, 14), id="a server that counts reasoning"),
        pytest.param([_PLAIN], (0, 0, None), id="answers alone"),
        pytest.param([_PLAIN, at_ms(150)], (None, None, None), id="one at which nobody looked"),
        pytest.param([replace(_CALLED, outcome=Outcome.TIMEOUT)], (None, None, None), id="none completed"),
    ],
)
def test_requests_that_reasoned_and_called_tools_are_counted_where_somebody_looked(
    records: list[RequestRecord], told: tuple[int | None, int | None, int | None]
) -> None:
    metrics = measure([window(records)], None)
    assert (metrics.reasoned, metrics.called_tools, metrics.reasoning_tokens) == told


def test_time_to_connect_is_its_own_figure_and_not_lag() -> None:
    record = replace(at_ms(150, 160), due_ns=80 * MS, connect_ns=18 * MS)
    assert (latency(record, "lag"), latency(record, "connect")) == (2.0, 18.0)


@pytest.mark.parametrize(
    ("record", "absent"),
    [
        pytest.param(replace(at_ms(150, 160), output_tokens=1), {"tpot"}, id="one token has no pace"),
        pytest.param(at_ms(150), {"tpot", "itl", "itl_max"}, id="one event has no gap"),
        pytest.param(replace(at_ms(150, 160), output_tokens=None), {"tpot"}, id="no token count"),
        pytest.param(
            replace(at_ms(150), is_streamed=False), {"ttft", "ttfo", "tpot", "itl", "itl_max"}, id="not streamed"
        ),
        pytest.param(at_ms(), {"ttft", "ttfo", "tpot", "itl", "itl_max", "e2e"}, id="an empty answer"),
    ],
)
def test_a_metric_that_does_not_apply_is_absent_and_never_zero(record: RequestRecord, absent: set[str]) -> None:
    everything = {"ttft", "ttfo", "tpot", "itl", "itl_max", "e2e", "lag"}
    assert set(measure([window([record])], None).latency) == everything - absent


def test_requests_that_a_metric_does_not_apply_to_are_counted_as_skipped() -> None:
    tpot = measure([window([at_ms(150, 160), at_ms(150), at_ms(155)])], None).latency["tpot"]
    assert (tpot.count, tpot.skipped) == (1, 2)


def test_only_measured_requests_count_and_those_we_cancelled_leave_the_denominator() -> None:
    kept = paced([50, 50, float("inf")])
    others = [
        replace(request(3), phase=Phase.WARMUP),
        replace(request(4), phase=Phase.FILLER, outcome=Outcome.CANCELLED),
        replace(request(5), outcome=Outcome.CANCELLED),
    ]
    metrics = measure([window([*kept, *others])], None)
    assert (metrics.attempts, metrics.ok, metrics.cancelled, metrics.error_rate) == (3, 2, 1, pytest.approx(1 / 3))


@pytest.mark.parametrize("outcome", [o for o in Outcome if o not in (Outcome.OK, Outcome.CANCELLED)])
def test_whatever_goes_wrong_is_not_good_and_stays_in_the_denominator(outcome: Outcome) -> None:
    failed = replace(request(1), outcome=outcome, error_type=None)
    metrics = measure([window([request(0), failed])], None)
    assert (metrics.goodput, metrics.errors) == (0.5, {outcome.value: 1})


@pytest.mark.parametrize(
    ("slo", "good"),
    [
        pytest.param(None, 1, id="without an SLO whatever completed is good"),
        pytest.param(Slo(ttft_ms=50), 1, id="touching the limit still keeps it"),
        pytest.param(Slo(ttft_ms=49.999), 0, id="one microsecond over breaks it"),
        pytest.param(Slo(ttft_ms=50, tpot_ms=24), 0, id="every term must hold"),
        pytest.param(Slo(e2e_ms=100), 1, id="e2e"),
    ],
)
def test_a_request_is_good_when_it_meets_every_term(slo: Slo | None, good: int) -> None:
    assert measure([window([at_ms(150, 160, 200)])], slo).good == good


def test_a_term_that_does_not_apply_to_a_request_cannot_break_it() -> None:
    assert measure([window([at_ms(150)])], Slo(tpot_ms=1)).good == 1


def test_tokens_are_spread_over_events_and_counted_where_they_fall_in_the_window() -> None:
    answer = replace(at_ms(200, 400, 600, 800), output_tokens=40)
    whole = window([answer])
    half = replace(whole, start_ns=100 * MS, end_ns=600 * MS)
    assert measure([replace(whole, start_ns=0, end_ns=1000 * MS)], None).output_tps == pytest.approx(40)
    assert measure([half], None).output_tps == pytest.approx(30 / 0.5)
    assert measure([half], None).total_tps == pytest.approx((30 + 100) / 0.5)


def test_tokens_of_failed_requests_are_counted_apart() -> None:
    broken = replace(request(1), outcome=Outcome.TRUNCATED, output_tokens=7)
    metrics = measure([window([request(0), broken])], None)
    assert (metrics.output_tokens, metrics.failed_output_tokens) == (11, 7)
    assert metrics.output_tps == pytest.approx(11 / metrics.window_s)


def test_a_rate_over_a_few_counted_answers_is_no_rate() -> None:
    uncounted = [replace(r, output_tokens=None, token_source=None) if r.seq > 5 else r for r in paced([50] * 50)]
    metrics = measure([window(uncounted)], None)
    assert (metrics.output_tps, metrics.total_tps, metrics.token_sources) == (None, None, {"usage": 6})


def test_events_that_came_in_one_read_are_a_share_of_all_events() -> None:
    merged = at_ms(150, 150, 150, 160, 170, 170)
    assert measure([window([at_ms(150, 160), merged])], None).shared_reads == pytest.approx(5 / 8)


def test_an_empty_answer_does_not_shift_whose_events_are_shared() -> None:
    assert measure([window([at_ms(), at_ms(150, 160), at_ms(170, 170)])], None).shared_reads == pytest.approx(2 / 4)


def test_an_event_is_not_shared_because_another_request_had_one_at_the_same_instant() -> None:
    assert measure([window([at_ms(150, 160), at_ms(160, 170)])], None).shared_reads == 0


def test_cached_tokens_are_unknown_unless_the_server_tells() -> None:
    assert measure([window([request()])], None).cached_tokens is None
    assert measure([window([replace(request(), cached_tokens=0)])], None).cached_tokens == 0


def test_nothing_measured_is_nothing_and_not_zero() -> None:
    for observations in ([], [window([])]):
        metrics = measure(observations, SLO)
        assert (metrics.attempts, metrics.goodput, metrics.error_rate, metrics.rps) == (0, None, None, None)
        assert (metrics.output_tps, metrics.latency, metrics.shared_reads) == (None, {}, None)


def test_goodput_has_bounds_only_where_there_are_blocks_to_know_them_from() -> None:
    few, many = measure([window(paced([50] * 20))], SLO), measure([window(paced([50] * 200))], SLO)
    assert (few.goodput_low, few.goodput_high) == (None, None)
    assert many.goodput_low is not None
    assert 0.98 < many.goodput_low < many.goodput_high == 1.0  # type: ignore[operator]  # None fails as well


# ---------------------------------------------------------------- properties


@st.composite
def windows(draw: st.DrawFn) -> Observation:
    """A window of a few requests, streamed anyhow, some failed."""
    records = []
    for seq in range(draw(st.integers(1, 12))):
        sent = draw(st.integers(0, 2000)) * 1000
        gaps = draw(st.lists(st.integers(0, 500), min_size=1, max_size=8))
        events = array("q", (sent + 1000 * np.cumsum(gaps)).tolist())
        ok = draw(st.booleans())
        records.append(
            replace(
                request(seq),
                due_ns=sent - draw(st.integers(0, 50)) * 1000,
                sent_ns=sent,
                event_ns=events,
                answer_ns=events[0],
                done_ns=events[-1],
                outcome=Outcome.OK if ok else Outcome.STREAM_ERROR,
                output_tokens=draw(st.integers(0, 20)),
            )
        )
    return window(records)


def shifted(observation: Observation, by_ns: int) -> Observation:
    """The same window on a machine that was started earlier."""
    return moved(observation, lambda at: at + by_ns)


def moved(observation: Observation, move: object) -> Observation:
    """Every instant of the window through `move`."""
    assert callable(move)
    records = tuple(
        replace(
            r,
            due_ns=move(r.due_ns),
            sent_ns=move(r.sent_ns),
            done_ns=move(r.done_ns),
            answer_ns=move(r.answer_ns),
            event_ns=array("q", [move(at) for at in r.event_ns]),
        )
        for r in observation.records
    )
    return replace(observation, records=records, start_ns=move(observation.start_ns), end_ns=move(observation.end_ns))


@given(windows(), st.integers(10**7, 10**15))
@settings(max_examples=50)
def test_shifting_every_clock_changes_no_metric(observation: Observation, by_ns: int) -> None:
    base = shifted(observation, 10**7)
    assert measure([shifted(base, by_ns)], SLO) == measure([base], SLO)


@given(windows())
@settings(max_examples=50)
def test_doubling_every_duration_doubles_every_latency_and_halves_every_rate(observation: Observation) -> None:
    base = shifted(observation, 10**7)
    once, twice = measure([base], None), measure([moved(base, lambda at: 2 * at)], None)
    for metric, summary in once.latency.items():
        for figure in ("mean_ms", "min_ms", "max_ms", "p50_ms", "p99_ms"):
            assert getattr(twice.latency[metric], figure) == pytest.approx(2 * getattr(summary, figure))
    if once.rps and twice.rps:
        assert twice.rps == pytest.approx(once.rps / 2)


@given(windows())
@settings(max_examples=50)
def test_ttft_is_never_longer_than_e2e_and_gaps_sum_to_what_lies_between_first_and_last(
    observation: Observation,
) -> None:
    attempts = attempts_of([shifted(observation, 10**7)])
    assert (attempts.latency_ms["ttft"] <= attempts.latency_ms["e2e"]).all()
    spans = attempts.events.last_ns() - attempts.events.first_ns()
    assert attempts.gaps_ns.sum() == spans.sum()


@given(windows(), st.floats(0, 600), st.floats(0, 600))
@settings(max_examples=50)
def test_goodput_is_at_most_throughput_and_never_rises_when_an_slo_tightens(
    observation: Observation, one_ms: float, other_ms: float
) -> None:
    tight, loose = sorted((one_ms, other_ms))
    strict = measure([observation], Slo(ttft_ms=tight))
    lenient = measure([observation], Slo(ttft_ms=loose))
    assert strict.good <= lenient.good <= lenient.ok
    if lenient.rps is not None and lenient.goodput_rps is not None:
        assert lenient.goodput_rps <= lenient.rps


@given(windows(), st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_the_order_in_which_workers_hand_over_their_records_does_not_matter(
    observation: Observation, chance: random.Random
) -> None:
    records = list(observation.records)
    chance.shuffle(records)
    assert measure([replace(observation, records=tuple(records))], SLO) == measure([observation], SLO)


@given(st.lists(st.lists(st.floats(0, 1e7), min_size=1, max_size=50), min_size=1, max_size=4))
def test_merged_histograms_are_the_histogram_of_everything_in_any_order(parts: list[list[float]]) -> None:
    whole = histogram_of(np.array([value for part in parts for value in part]))
    each = [histogram_of(np.array(part)) for part in parts]
    assert merge_histograms(each) == merge_histograms(reversed(each)) == whole


@given(st.floats(0.001, 1e7))
def test_a_bucket_tells_a_latency_to_within_three_percent(value_ms: float) -> None:
    bound = histogram_of(np.array([value_ms])).bounds_ms[0]
    assert value_ms <= bound <= value_ms * 1.0301


def test_a_step_is_measured_over_all_its_windows_together() -> None:
    first, second = window(paced([50] * 10)), window(paced([150] * 30, begin_ms=5000), number=1)
    metrics: StepMetrics = measure([first, second], SLO)
    assert (metrics.attempts, metrics.goodput) == (40, 0.25)
    assert metrics.window_s == pytest.approx(sum((w.end_ns - w.start_ns) / 1e9 for w in (first, second)))
    assert metrics.token_sources == {TokenSource.USAGE.value: 40}


def test_tokens_of_a_request_that_the_end_of_the_window_cut_off_are_throughput_as_well() -> None:
    whole = request(0)
    cut = replace(request(1), outcome=Outcome.CANCELLED, output_tokens=None, input_tokens=None)
    alone, both = measure([window([whole])], None), measure([window([whole, cut])], None)
    assert alone.output_tps
    assert alone.window_s == both.window_s
    assert both.output_tps == pytest.approx(2 * alone.output_tps)
    assert (both.rps, both.attempts) == (alone.rps, 1)


def test_throughput_counts_all_that_the_server_did_inside_the_window_and_nothing_outside() -> None:
    measured = [request(seq, at_ms=100 * seq) for seq in range(1, 5)]
    whole = window(measured)
    warmup = replace(request(0, at_ms=0), phase=Phase.WARMUP)
    filler = replace(
        request(5, at_ms=250), phase=Phase.FILLER, outcome=Outcome.CANCELLED, output_tokens=None, input_tokens=None
    )
    with_others = replace(whole, records=(warmup, *measured, filler), start_ns=warmup.event_ns[5])
    inside_of_warmup = sum(at >= with_others.start_ns for at in warmup.event_ns) / len(warmup.event_ns)
    inside_of_filler = sum(at <= with_others.end_ns for at in filler.event_ns) / len(filler.event_ns)
    tokens = measured[0].output_tokens
    assert tokens is not None
    metrics = measure([with_others], None)
    expected = tokens * (4 + inside_of_warmup + inside_of_filler)
    assert metrics.output_tps == pytest.approx(expected / metrics.window_s)
    assert metrics.rps == pytest.approx(5 / metrics.window_s)
    assert (metrics.attempts, metrics.ok) == (4, 4)


def test_an_answer_without_any_text_keeps_no_limit_on_its_first_or_last_word() -> None:
    silent = replace(request(1, at_ms=50), event_ns=array("q"), answer_ns=None)
    observed = window([request(0, at_ms=0), silent])
    assert measure([observed], Slo(ttft_ms=1e9)).good == 1
    assert measure([observed], Slo(e2e_ms=1e9)).good == 1
    assert measure([observed], Slo(tpot_ms=1e9)).good == 2
