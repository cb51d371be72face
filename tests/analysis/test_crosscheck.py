"""Client against server over the same requests: what is compared, how far it may differ, and over which requests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.analysis.crosscheck import checks_of
from llmload.analysis.server_series import server_figures_of
from llmload.domain import Observation, Outcome, Phase, RequestRecord, TokenSource
from llmload.samples import Distribution, ServerWork, Watched
from llmload.serving import Check
from tests.analysis.builders import MS, dropped, paced, request, window
from tests.analysis.servers import also, found, honest, slower, telling, watched
from tests.analysis.watched import series

STEADY = window(paced([50.0] * 100))


def check(figure: str, *windows: Observation) -> Check:
    return next(each for each in checks_of(windows) if each.figure == figure)


def cut_short(record: RequestRecord, events: int, outcome: Outcome = Outcome.CANCELLED) -> RequestRecord:
    """The same request, given up after so many events."""
    return replace(
        record,
        outcome=outcome,
        phase=Phase.FILLER,
        event_ns=record.event_ns[:events],
        answer_ns=record.answer_ns if events else None,
        input_tokens=None,
        output_tokens=None,
    )


# ---------------------------------------------------------------- agreement


def test_a_server_that_saw_what_we_saw_agrees_in_every_figure() -> None:
    checks = checks_of([watched(STEADY)])
    assert [each.figure for each in checks] == ["requests", "input_tokens", "output_tokens", "ttft", "tpot", "e2e"]
    assert all(each.agrees and each.difference == pytest.approx(0.0) for each in checks)
    assert [(round(each.client, 6), each.unit) for each in checks] == [
        (100, ""),
        (10_000, "tokens"),
        (1_100, "tokens"),
        (50, "ms"),
        (10, "ms"),
        (150, "ms"),
    ]


@given(
    ttfts=st.lists(st.floats(0.1, 5_000), min_size=1, max_size=30),
    tpot=st.floats(0.01, 500),
    tokens=st.integers(1, 50),
    windows=st.integers(1, 3),
)
def test_two_sides_of_the_same_work_never_make_a_finding(
    ttfts: list[float], tpot: float, tokens: int, windows: int
) -> None:
    records = [request(n, at_ms=20 * n, ttft_ms=ms, tpot_ms=tpot, tokens=tokens) for n, ms in enumerate(ttfts)]
    seen = [watched(window(records, number=number)) for number in range(windows)]
    assert found(*seen) == ()
    assert all(each.agrees for each in checks_of(seen))


@given(factor=st.floats(0.2, 5.0), size=st.integers(1, 8))
def test_what_disagrees_does_so_however_much_of_it_there_is(factor: float, size: int) -> None:
    """One window or eight like it: the share is the same, and so is whether it is told."""
    seen = [watched(window(paced([50.0] * 100), number=n), output_tokens=factor) for n in range(size)]
    one, all_of_them = check("output_tokens", seen[0]), check("output_tokens", *seen)
    assert all_of_them.difference == pytest.approx(one.difference)
    assert [each.kind for each in found(*seen)] == [each.kind for each in found(seen[0])]


def test_a_window_of_which_the_server_told_nothing_is_left_out_on_both_sides() -> None:
    silent = window(paced([50.0] * 100), number=1)
    assert check("requests", watched(STEADY), silent).client == 100


def test_a_figure_that_one_window_does_not_have_is_compared_over_the_others() -> None:
    work = honest(STEADY)
    without = replace(work, counts={name: told for name, told in work.counts.items() if name != "output_tokens"})
    both = (watched(STEADY), telling(window(paced([50.0] * 100), number=1), without))
    assert check("output_tokens", *both).client == 1_100
    assert check("requests", *both).client == 200


# ---------------------------------------------------------------- what belongs to the work


def test_warm_up_and_fillers_are_part_of_the_work() -> None:
    phases = [Phase.WARMUP] * 10 + [Phase.MEASURED] * 80 + [Phase.FILLER] * 10
    records = [replace(each, phase=phase) for each, phase in zip(paced([50.0] * 100), phases, strict=True)]
    assert check("requests", watched(window(records))).client == 100


def test_what_was_never_sent_is_no_part_of_it() -> None:
    records = paced([50.0] * 100)
    records[:20] = map(dropped, records[:20])
    records[20] = replace(records[20], outcome=Outcome.CONNECT_ERROR, sent_ns=None, event_ns=records[20].event_ns[:0])
    checks = checks_of([watched(window(records))])
    assert {each.figure: each.client for each in checks}["requests"] == 79
    assert all(each.agrees for each in checks)


@pytest.mark.parametrize(
    ("counted", "agrees"),
    [
        pytest.param(80, True, id="as nothing"),
        pytest.param(100, True, id="as requests that were cancelled"),
        pytest.param(70, False, id="and ten more are missing"),
        pytest.param(110, False, id="and ten more were counted"),
    ],
)
def test_requests_that_we_gave_up_may_be_counted_or_not(counted: int, agrees: bool) -> None:
    records = paced([50.0] * 100)
    records[80:] = [cut_short(record, 5) for record in records[80:]]
    seen = telling(window(records), also(honest(window(records)), "requests_succeeded", float(counted)))
    assert check("requests", seen).client == 100
    assert check("requests", seen).agrees is agrees


@pytest.mark.parametrize(
    ("tokens", "agrees"),
    [
        pytest.param(880, True, id="none of them, since they did not end"),
        pytest.param(980, True, id="as many as events came"),
        pytest.param(1_100, True, id="all that were asked for, since it went on"),
        pytest.param(800, False, id="fewer than those of whole answers"),
        pytest.param(1_200, False, id="more than could be asked for"),
    ],
)
def test_the_tokens_of_an_answer_that_broke_off_lie_between_none_and_what_was_asked(tokens: int, agrees: bool) -> None:
    records = paced([50.0] * 100)
    records[80:] = [cut_short(record, 5) for record in records[80:]]
    seen = telling(window(records), also(honest(window(records)), "output_tokens", float(tokens)))
    assert check("output_tokens", seen).client == pytest.approx(80 * 11 + 20 * 5)
    assert check("output_tokens", seen).agrees is agrees


def test_half_as_many_events_as_tokens_is_two_tokens_an_event() -> None:
    records = [replace(record, output_tokens=22) for record in paced([50.0] * 10)]
    records[9] = cut_short(records[9], 4)
    assert check("output_tokens", watched(window(records))).client == pytest.approx(9 * 22 + 8)


def test_a_refusal_may_be_counted_or_not() -> None:
    records = paced([float("inf")] * 30 + [50.0] * 70)
    work = honest(window(records))
    for failed in (0.0, 30.0):
        told = also(work, "requests_failed", failed)
        assert check("requests", telling(window(records), told)).agrees
    assert not check("requests", telling(window(records), also(work, "requests_failed", 60.0))).agrees


@pytest.mark.parametrize(
    "name", [pytest.param("requests_failed", id="failed"), pytest.param("requests_cancelled", id="cancelled")]
)
def test_every_way_to_end_counts_as_a_request_of_the_server(name: str) -> None:
    work = also(also(honest(STEADY), "requests_succeeded", 60.0), name, 40.0)  # type: ignore[arg-type]  # one of two names
    assert check("requests", telling(STEADY, work)).server == 100


def test_tokens_that_hardly_anybody_counted_are_not_compared() -> None:
    records = [replace(r, output_tokens=None if r.seq % 10 else 11, input_tokens=None) for r in paced([50.0] * 100)]
    seen = telling(window(records), honest(STEADY))
    assert {each.figure for each in checks_of([seen])} == {"requests", "ttft", "tpot", "e2e"}


# ---------------------------------------------------------------- how far it may differ


@pytest.mark.parametrize(
    ("factor", "agrees"),
    [(1.0, True), (1.052, True), (1.054, False), (0.951, True), (0.949, False)],
)
def test_counts_agree_within_five_percent_of_the_larger(factor: float, agrees: bool) -> None:
    assert check("output_tokens", watched(STEADY, output_tokens=factor)).agrees is agrees
    seen = window(paced([50.0] * 10_000))
    assert check("requests", watched(seen, requests_succeeded=factor)).agrees is agrees


def test_one_request_of_eight_is_no_disagreement() -> None:
    eight = window(paced([50.0] * 8))
    one_more = watched(eight, requests_succeeded=9 / 8, output_tokens=9 / 8, prompt_tokens=9 / 8)
    two_more = watched(eight, requests_succeeded=10 / 8, output_tokens=10 / 8, prompt_tokens=10 / 8)
    assert found(one_more) == ()
    assert [each.kind for each in found(two_more)] == ["other_traffic"]


@pytest.mark.parametrize(
    ("ttft_ms", "behind_ms", "agrees"),
    [
        pytest.param(8.0, 4.9, True, id="the front end of a fast server"),
        pytest.param(8.0, 5.1, False, id="more than a front end takes"),
        pytest.param(500.0, 49.0, True, id="within a tenth"),
        pytest.param(500.0, 51.0, False, id="more than a tenth"),
    ],
)
def test_ttft_agrees_within_a_tenth_or_five_milliseconds(ttft_ms: float, behind_ms: float, agrees: bool) -> None:
    seen = window(paced([ttft_ms] * 50))
    assert check("ttft", telling(seen, honest(seen, behind_ms=behind_ms))).agrees is agrees


@pytest.mark.parametrize(
    ("tpot_ms", "factor", "agrees"),
    [
        pytest.param(1.0, 0.51, True, id="half a millisecond of one"),
        pytest.param(1.0, 0.49, False, id="more than half a millisecond"),
        pytest.param(20.0, 0.91, True, id="within a tenth"),
        pytest.param(20.0, 0.89, False, id="more than a tenth"),
    ],
)
def test_tpot_agrees_within_a_tenth_or_half_a_millisecond(tpot_ms: float, factor: float, agrees: bool) -> None:
    seen = window([request(n, at_ms=20 * n, tpot_ms=tpot_ms) for n in range(50)])
    assert check("tpot", telling(seen, slower(honest(seen), itl_s=factor))).agrees is agrees


# ---------------------------------------------------------------- servers that tell it their own way


def _only(work: ServerWork, *names: str) -> ServerWork:
    return replace(
        work,
        counts={name: told for name, told in work.counts.items() if name in names},
        distributions={name: told for name, told in work.distributions.items() if name in names},
    )


def test_a_mean_of_requests_is_held_against_ours_of_requests_and_one_of_tokens_against_ours_of_tokens() -> None:
    short = [request(n, at_ms=20 * n, tokens=2, tpot_ms=100.0) for n in range(50)]
    long = [request(n, at_ms=20 * n, tokens=101, tpot_ms=10.0) for n in range(50, 100)]
    seen = window([*short, *long])
    by_token = telling(seen, _only(honest(seen), "itl_s"))
    by_request = telling(seen, ServerWork(0, 1, distributions={"tpot_s": Distribution(100.0, 5.5)}))
    assert check("tpot", by_token).client == pytest.approx((50 * 100 + 50 * 1_000) / (50 + 50 * 100))
    assert check("tpot", by_request).client == pytest.approx(55)
    assert check("tpot", by_token).agrees
    assert check("tpot", by_request).agrees


def test_a_pace_over_all_tokens_is_one_over_those_that_have_a_gap_before_them() -> None:
    """llama.cpp divides by all it generated; a few tokens each make a large difference of that."""
    seen = window([request(n, at_ms=20 * n, tokens=4) for n in range(50)])
    work = _only(honest(seen), "output_tokens", "itl_s")
    whole = also(work, "itl_s", Distribution(200.0, work.distributions["itl_s"].total))
    assert check("tpot", telling(seen, whole)).server == pytest.approx(10)


def test_a_step_that_makes_several_tokens_counts_as_all_of_them() -> None:
    work = honest(STEADY)
    drafted = also(work, "itl_s", Distribution(400.0, work.distributions["itl_s"].total))
    assert check("tpot", telling(STEADY, drafted)).server == pytest.approx(10)


def test_without_times_the_requests_in_hand_tell_how_long_each_is_in_the_server() -> None:
    """Of four that we wait for, it has one or two: the others are somewhere on the way."""
    seen = window([request(n, at_ms=n // 4 * 160, ttft_ms=50, tpot_ms=10, tokens=11) for n in range(40)])
    at_s = [0.05 + 0.16 * place for place in range(10)]
    held_up = replace(seen, watched=_in_hand(zip(at_s, [1, 2] * 5, strict=True)))
    e2e = check("e2e", held_up)
    assert (e2e.client, e2e.server) == (pytest.approx(150), pytest.approx(150 * 1.5 / 4))
    assert 0.10 < e2e.tolerance < 0.25
    assert not e2e.agrees
    well = replace(seen, watched=_in_hand(zip(at_s, [4, 3, 4, 4, 4] * 2, strict=True)))
    assert check("e2e", well).agrees


def _in_hand(samples: Iterable[tuple[float, float]]) -> Watched:
    return Watched(series=(series("requests_running", samples),))


def test_answers_that_were_not_streamed_have_an_end_only() -> None:
    records = [
        replace(record, is_streamed=False, event_ns=record.event_ns[-1:], token_source=TokenSource.USAGE)
        for record in paced([50.0] * 50)
    ]
    seen = telling(window(records), honest(window(paced([50.0] * 50))))
    assert {each.figure for each in checks_of([seen])} == {"requests", "input_tokens", "output_tokens", "e2e"}


def test_a_server_that_tells_nothing_is_neither_checked_nor_found_fault_with() -> None:
    for seen in (STEADY, telling(STEADY, ServerWork(0, 1)), telling(window([]), ServerWork(0, 1))):
        assert checks_of([seen]) == ()
        assert found(seen) == ()


# ---------------------------------------------------------------- whatever is there


COUNTERS = ("requests_succeeded", "requests_failed", "prompt_tokens", "output_tokens", "preemptions")
COUNTERS += ("prefix_cache_queries", "prefix_cache_hits", "prompt_tokens_cached")
HISTOGRAMS = ("ttft_s", "itl_s", "tpot_s", "e2e_s", "queue_s")
AMOUNTS = st.integers(0, 10**9).map(float) | st.sampled_from([0.0, 1.0])


@st.composite
def any_request(draw: st.DrawFn) -> RequestRecord:
    whole = request(0, ttft_ms=draw(st.floats(0, 100)), tpot_ms=draw(st.floats(0, 10)), tokens=draw(st.integers(0, 5)))
    return replace(
        whole,
        outcome=draw(st.sampled_from(Outcome)),
        phase=draw(st.sampled_from(Phase)),
        sent_ns=draw(st.sampled_from([None, whole.sent_ns])),
        done_ns=whole.due_ns + 100 * MS,
        is_streamed=draw(st.booleans()),
        input_tokens=draw(st.none() | st.integers(0, 9)),
        output_tokens=draw(st.none() | st.integers(0, 9)),
        asked_input_tokens=draw(st.integers(0, 9)),
        http_status=draw(st.sampled_from([None, 200, 500])),
    )


@given(
    records=st.lists(any_request(), max_size=6),
    counts=st.dictionaries(st.sampled_from(COUNTERS), AMOUNTS),
    histograms=st.dictionaries(st.sampled_from(HISTOGRAMS), st.builds(Distribution, AMOUNTS, AMOUNTS)),
    edges=st.none() | AMOUNTS,
)
def test_no_mixture_of_figures_breaks_it(
    records: list[RequestRecord],
    counts: dict[str, float],
    histograms: dict[str, Distribution],
    edges: float | None,
) -> None:
    work = ServerWork(0, 1, counts, histograms, edges, edges)  # type: ignore[arg-type]  # names are drawn as text
    seen = telling(window(records), work)
    kinds = [each.kind for each in found(seen, telling(window(records, number=1), None))]
    assert all(kinds.count(kind) == 1 for kind in set(kinds) - {"definition"}), "of requests, and of latencies"
    told = server_figures_of([seen])
    assert told is not None
    shown = {"ttft": told.ttft_ms, "tpot": told.tpot_ms, "e2e": told.e2e_ms}
    for each in checks_of([seen]):
        assert shown.get(each.figure) in (None, each.server), "one figure is told in one way"
        assert each.agrees == (abs(each.difference) <= each.tolerance or abs(each.client - each.server) <= each.floor)
