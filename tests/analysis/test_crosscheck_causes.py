"""Which cause is named for which disagreement, with which evidence, and that one cause is told once."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace

import pytest

from llmload.domain import Observation, Outcome, RequestRecord, TokenSource
from llmload.reporters.reasons import in_language
from llmload.reporters.texts import Language, texts_in
from llmload.samples import Distribution, MetricName, Series, ServerWork, Source
from llmload.serving import ServerFigures
from llmload.verdict import Caveat, Finding
from tests.analysis.builders import FACTS, MS, paced, request, scenario, window
from tests.analysis.servers import also, found, gauge, honest, slower, telling, watched
from tests.reporters.test_reasons_coverage import english_left

STEADY = window(paced([50.0] * 100))
SLOW = window([request(n, at_ms=40 * n, ttft_ms=200.0, tpot_ms=20.0) for n in range(100)])
SERVER = ServerFigures(Source.METRICS)


def only(findings: Sequence[Finding]) -> Finding:
    assert [each.kind for each in findings] == [findings[0].kind], findings
    return findings[0]


def of_counts(window: Observation, **counts: float) -> Observation:
    """A server that tells these counters and nothing else."""
    named: dict[MetricName, float] = dict(counts)  # type: ignore[arg-type]  # names are written as keywords
    return telling(window, ServerWork(0, 1, named))


def behind(window: Observation, ms: float) -> Observation:
    return telling(window, honest(window, behind_ms=ms))


# ---------------------------------------------------------------- whose work it was


def test_more_requests_and_tokens_than_we_sent_are_somebody_elses() -> None:
    said = only(found(watched(STEADY, requests_succeeded=2.0, prompt_tokens=2.0, output_tokens=1.5)))
    assert (said.kind, said.subject, said.expected, said.actual) == (
        "other_traffic",
        "requests",
        "100 requests",
        "200 requests",
    )
    assert said.step == "concurrency 8"
    assert "it counted 100 requests more than we sent" in said.cause
    assert "input tokens 10,000 / 20,000, output tokens 1,100 / 1,650" in said.cause


def test_latencies_of_a_shared_server_are_told_with_the_requests_of_others() -> None:
    work = honest(STEADY)
    told = also(slower(work, ttft_s=2.0, e2e_s=2.0), "requests_succeeded", 200.0)
    told = also(told, "output_tokens", 2_200.0)
    assert "mean TTFT 50ms / 100ms" in only(found(telling(STEADY, told))).cause


def test_a_request_of_others_that_does_not_end_shows_in_tokens_and_gauges() -> None:
    busy = replace(honest(STEADY), running_before=2.0, running_after=2.0)
    tokens = telling(STEADY, also(busy, "output_tokens", 2_200.0))
    said = only(found(tokens))
    assert (said.kind, said.subject) == ("other_traffic", "output tokens")
    assert "it had 2 requests in hand while we had none in flight" in said.cause
    assert only(found(watched(STEADY, output_tokens=2.0))).kind == "token_count"


def test_both_kinds_of_tokens_tell_where_requests_are_not_counted() -> None:
    assert only(found(of_counts(STEADY, prompt_tokens=15_000.0, output_tokens=1_700.0))).kind == "other_traffic"
    assert only(found(of_counts(STEADY, prompt_tokens=5_000.0, output_tokens=550.0))).kind == "elsewhere"
    assert only(found(of_counts(STEADY, prompt_tokens=10_000.0, output_tokens=550.0))).kind == "token_count"


def test_gauges_tell_where_nothing_is_counted() -> None:
    running, waiting = gauge("requests_running", STEADY, [9.0] * 5), gauge("requests_waiting", STEADY, [4.0] * 5)
    said = only(found(telling(STEADY, ServerWork(0, 1), running, waiting)))
    assert (said.kind, said.subject, said.expected) == ("other_traffic", "requests in hand", "no request of others")
    timed = ServerWork(0, 1, distributions={"ttft_s": Distribution(300.0, 30.0)})
    assert "mean TTFT 50ms / 100ms" in only(found(telling(STEADY, timed, running, waiting))).cause
    assert found(telling(STEADY, ServerWork(0, 1), gauge("requests_running", STEADY, [9.0, 9.0]))) == ()
    in_flight = gauge("requests_running", STEADY, [7.5] * 5)
    assert found(telling(STEADY, ServerWork(0, 1), in_flight)) == ()


def test_gauges_of_far_fewer_than_we_wait_for_are_requests_on_the_way() -> None:
    said = only(found(telling(STEADY, ServerWork(0, 1), gauge("requests_running", STEADY, [2.5] * 5))))
    assert (said.kind, said.subject, said.expected) == ("network", "mean E2E", "150ms")


def test_what_we_gave_up_may_still_be_in_hand_when_we_look() -> None:
    records = paced([50.0] * 100)
    records[90:] = [
        replace(record, outcome=Outcome.CANCELLED, event_ns=array("q"), answer_ns=None, output_tokens=None)
        for record in records[90:]
    ]
    seen = window(records)
    for left, kinds in ((10.0, []), (12.0, ["other_traffic"])):
        work = replace(ServerWork(0, 1), running_after=left)
        assert [each.kind for each in found(telling(seen, work))] == kinds


def test_half_of_the_requests_were_served_by_something_else() -> None:
    said = only(found(watched(STEADY, requests_succeeded=0.5, prompt_tokens=0.5, output_tokens=0.5)))
    assert (said.kind, said.expected, said.actual) == ("elsewhere", "100 requests", "50 requests")
    assert "another replica" in said.cause
    assert "telemetry.server_metrics" in said.cause


def test_a_page_that_counted_nothing_of_ours_is_that_of_another_server() -> None:
    said = only(found(watched(STEADY, requests_succeeded=0.0, prompt_tokens=0.0, output_tokens=0.0)))
    assert (said.kind, said.actual) == ("elsewhere", "0 requests")
    assert "its metrics page is that of another server" in said.cause


@pytest.mark.parametrize(
    ("factor", "words"),
    [pytest.param(0.5, "leaves some of their endings out", id="fewer"), pytest.param(2.0, "health checks", id="more")],
)
def test_another_number_of_requests_with_the_same_tokens_is_another_way_to_count(factor: float, words: str) -> None:
    said = only(found(watched(STEADY, requests_succeeded=factor)))
    assert (said.kind, said.subject) == ("definition", "requests")
    assert words in said.cause


# ---------------------------------------------------------------- tokens


@pytest.mark.parametrize(
    ("source", "words"),
    [
        pytest.param(TokenSource.USAGE, "hold its usage against the counter", id="usage"),
        pytest.param(TokenSource.TOKENIZER, "what its template adds", id="a tokenizer"),
        pytest.param(TokenSource.TIKTOKEN, "not the server's tokenizer", id="tiktoken"),
        pytest.param(TokenSource.ESTIMATE, "only estimated from characters", id="characters"),
    ],
)
def test_tokens_alone_are_counted_differently_and_who_counted_ours_is_said(source: TokenSource, words: str) -> None:
    seen = window([replace(record, token_source=source) for record in paced([50.0] * 100)])
    said = only(found(watched(seen, output_tokens=1.2, prompt_tokens=1.1)))
    assert (said.kind, said.subject, said.expected, said.actual) == (
        "token_count",
        "output tokens",
        "1,100 output tokens",
        "1,320 output tokens",
    )
    assert words in said.cause
    assert "input tokens 10,000 / 11,000" in said.cause


def test_prompts_alone_may_be_counted_differently() -> None:
    said = only(found(watched(STEADY, prompt_tokens=0.5)))
    assert (said.kind, said.subject) == ("token_count", "input tokens")


# ---------------------------------------------------------------- latencies


def test_what_each_request_spends_on_the_way_is_told_with_its_size() -> None:
    said = only(found(behind(SLOW, 50.0)))
    assert (said.kind, said.subject, said.expected, said.actual) == ("network", "mean TTFT", "200ms", "150ms")
    assert said.cause.startswith("50ms of each request lies between client and server")
    assert "TPOT agrees" in said.cause
    assert "E2E is longer by about as much" in said.cause


def test_a_gap_as_long_as_a_token_may_be_a_first_one_without_text() -> None:
    words = "a token takes 20ms, so a first one without text would explain it, too"
    assert words in only(found(behind(SLOW, 25.0))).cause
    assert words not in only(found(behind(SLOW, 35.0))).cause


@pytest.mark.parametrize(
    ("connect_ms", "words"),
    [
        pytest.param(0.2, "a connection is made in 200us, so the way is short", id="a proxy beside the server"),
        pytest.param(40.0, "a connection is made in 40ms: the way is long", id="another continent"),
    ],
)
def test_how_long_a_connection_takes_tells_a_waiting_proxy_from_a_long_way(connect_ms: float, words: str) -> None:
    records = [replace(record, connect_ns=round(connect_ms * MS)) for record in SLOW.records]
    assert words in only(found(behind(window(records), 50.0))).cause


def test_a_late_client_comes_before_the_network_where_it_was_late_enough() -> None:
    caveat = Caveat("client was late", "p99 lag 40ms, at most 10ms allowed", "", is_fatal=True, kind="ClientSaturated")
    for late_ms, kind in ((40.0, "client_queue"), (15.0, "network")):
        beats = [0.1] * 90 + [late_ms] * 10
        said = only(found(behind(window(SLOW.records, late_ms=beats), 50.0), caveats=[caveat]))
        assert said.kind == kind
        assert ("(client was late: p99 lag 40ms, at most 10ms allowed)" in said.cause) == (kind == "client_queue")


def test_a_pace_that_a_late_client_read_is_its_own() -> None:
    caveat = Caveat("client used its whole core", "worker 0 used 97% of its core", "", kind="ClientSaturated")
    assert only(found(telling(SLOW, slower(honest(SLOW), itl_s=0.5)), caveats=[caveat])).kind == "client_queue"


def test_late_heartbeats_explain_a_gap_of_their_size() -> None:
    records = list(SLOW.records)
    for late_ms, kind in ((30.0, "client_queue"), (5.0, "network")):
        assert only(found(behind(window(records, late_ms=[late_ms] * 50), 50.0))).kind == kind


def test_a_proxy_that_buffers_shows_late_first_text_a_quick_pace_and_an_end_in_time() -> None:
    work = honest(SLOW)
    told = replace(
        work,
        distributions={
            "ttft_s": Distribution(100.0, 100 * 0.05),
            "itl_s": Distribution(1_000.0, 1_000 * 0.035),
            "e2e_s": work.distributions["e2e_s"],
        },
    )
    said = only(found(telling(SLOW, told)))
    assert (said.kind, said.subject) == ("network", "mean TTFT")
    assert "lets it go in bursts" in said.cause
    assert "mean TPOT 20ms / 35ms" in said.cause


def test_text_that_comes_slower_than_it_is_made_is_held_up_between() -> None:
    said = only(found(telling(SLOW, slower(honest(SLOW), itl_s=0.5, e2e_s=0.75))))
    assert (said.kind, said.subject) == ("network", "mean TPOT")
    assert said.cause.startswith("each token takes 10ms longer to us")
    assert "mean E2E 400ms / 300ms" in said.cause


def test_a_server_that_tells_the_whole_only_still_shows_the_way() -> None:
    whole = ServerWork(0, 1, distributions={"e2e_s": Distribution(100.0, 100 * 0.3)})
    said = only(found(telling(SLOW, whole)))
    assert (said.kind, said.subject) == ("network", "mean E2E")


def test_more_than_we_saw_is_another_definition() -> None:
    said = only(found(telling(SLOW, slower(honest(SLOW), ttft_s=1.5))))
    assert (said.kind, said.subject) == ("definition", "mean TTFT")
    assert "measures between other points" in said.cause


def test_two_causes_are_two_findings() -> None:
    told = also(honest(SLOW, behind_ms=50.0), "output_tokens", 1_400.0)
    assert [each.kind for each in found(telling(SLOW, told))] == ["token_count", "network"]


# ---------------------------------------------------------------- what the server says of itself


@pytest.mark.parametrize(
    ("queue_ms", "kinds"),
    [
        pytest.param(120.0, ["server_queue"], id="most of ttft"),
        pytest.param(39.0, [], id="less than a fifth"),
        pytest.param(0.0, [], id="none"),
    ],
)
def test_the_servers_own_queue_is_told_when_it_makes_much_of_ttft(queue_ms: float, kinds: list[str]) -> None:
    seen = telling(SLOW, also(honest(SLOW), "queue_s", Distribution(100.0, queue_ms / 10)))
    assert [each.kind for each in found(seen)] == kinds


@pytest.mark.parametrize(
    ("waiting", "kinds"),
    [
        pytest.param(3.0, ["server_queue"], id="three at a time"),
        pytest.param(0.9, [], id="less than one at a time"),
        pytest.param(None, [], id="not told"),
    ],
)
def test_a_queue_of_which_only_the_length_is_told_has_its_time_by_littles_law(
    waiting: float | None, kinds: list[str]
) -> None:
    seen = telling(SLOW, honest(SLOW))
    findings = found(seen, server=replace(SERVER, waiting=waiting))
    assert [each.kind for each in findings] == kinds
    rps = len(SLOW.records) / ((SLOW.end_ns - SLOW.start_ns) / 1e9)
    for each in findings:
        assert float(each.actual.removesuffix("ms")) == pytest.approx(3.0 / rps * 1000, rel=0.02)


def test_the_queue_of_another_server_is_not_told() -> None:
    nothing = watched(STEADY, requests_succeeded=0.0, prompt_tokens=0.0, output_tokens=0.0)
    assert only(found(nothing, server=replace(SERVER, waiting=80.0))).kind == "elsewhere"


def test_a_short_queue_of_a_fast_server_is_not_told() -> None:
    fast = window([request(n, at_ms=20 * n, ttft_ms=20.0) for n in range(100)])
    assert found(telling(fast, also(honest(fast), "queue_s", Distribution(100.0, 0.9)))) == ()


@pytest.mark.parametrize(
    ("queue_ms", "kinds"),
    [
        pytest.param(16.0, [], id="a step, as the simulator measured it at 800 requests/s"),
        pytest.param(27.0, [], id="two steps"),
        pytest.param(28.0, ["server_queue"], id="more than two steps"),
    ],
)
def test_the_end_of_a_step_that_each_new_request_waits_for_is_no_queue(queue_ms: float, kinds: list[str]) -> None:
    batched = window([request(n, at_ms=2 * n, ttft_ms=62.0, tpot_ms=13.6) for n in range(100)])
    seen = telling(batched, also(honest(batched), "queue_s", Distribution(100.0, queue_ms / 10)))
    assert [each.kind for each in found(seen)] == kinds


def test_the_queue_comes_with_how_full_the_server_was() -> None:
    seen = telling(SLOW, also(honest(SLOW), "queue_s", Distribution(100.0, 12.0)))
    facts = replace(FACTS, actual={"max_num_seqs": 4})
    said = only(found(seen, server=replace(SERVER, running=4.0, waiting_max=34.0), facts=facts))
    assert (said.expected, said.actual) == ("at most 40ms, 20% of TTFT", "120ms")
    assert "60% of TTFT; up to 34 requests waited at a time; it works on at most 4 at a time" in said.cause


def test_samples_that_missed_the_queue_do_not_tell_its_length() -> None:
    seen = telling(SLOW, also(honest(SLOW), "queue_s", Distribution(100.0, 12.0)))
    assert "waited at a time" not in only(found(seen, server=replace(SERVER, waiting_max=1.0))).cause


def test_preemptions_are_told_with_the_cache() -> None:
    seen = telling(SLOW, also(honest(SLOW), "preemptions", 37.0))
    said = only(found(seen, server=replace(SERVER, kv_cache_share=0.998)))
    assert (said.kind, said.expected, said.actual) == ("preemption", "0", "37")
    assert "up to 99.8% of it was in use" in said.cause


def _cached(hits: float) -> Observation:
    return telling(SLOW, also(also(honest(SLOW), "prefix_cache_queries", 10_000.0), "prefix_cache_hits", hits))


def test_unique_prompts_may_share_the_template_and_little_more() -> None:
    template = 10 * 100.0
    assert found(_cached(template + 400)) == ()
    said = only(found(_cached(template + 3_000)))
    assert (said.kind, said.expected, said.actual) == (
        "prefix_cache",
        "at most 5% of prompt tokens",
        "30% of prompt tokens",
    )
    assert found(_cached(9_000.0), asked=scenario(unique=False)) == ()


def test_hits_that_the_answers_tell_of_are_a_caveat_and_not_a_finding_as_well() -> None:
    told = Caveat("unique prompts hit the prefix cache", "30% of prompt tokens", "", True, "PrefixCacheHit")
    assert found(_cached(4_000.0), caveats=[told]) == ()


def test_hits_of_a_shared_server_may_be_those_of_others() -> None:
    work = _cached(9_000.0).watched.server
    assert work is not None
    more = also(also(work, "requests_succeeded", 300.0), "output_tokens", 3_300.0)
    assert only(found(telling(SLOW, more))).kind == "other_traffic"


HOT, POWER_CAP, IDLE = 0x20, 0x04, 0x01


def _clocked(*samples: tuple[int, float], device: str = "GPU-a") -> tuple[Series, Series]:
    """Masks of throttle reasons of a GPU, and its SM clock at the same instants."""
    masks, clocks = zip(*samples, strict=True)
    return (
        gauge("throttle_reasons", SLOW, [float(mask) for mask in masks], Source.GPU, device),
        gauge("sm_clock_mhz", SLOW, clocks, Source.GPU, device),
    )


def test_a_gpu_whose_clock_fell_is_told_with_the_reason() -> None:
    cool = _clocked(*[(0, 1_980.0)] * 10, device="GPU-b")
    hot = _clocked(*[(HOT | POWER_CAP, 1_350.0)] * 4, *[(POWER_CAP, 1_980.0)] * 5, (IDLE, 345.0))
    said = only(found(telling(SLOW, honest(SLOW), *cool, *hot)))
    assert (said.kind, said.expected, said.actual) == (
        "throttling",
        "1,980 MHz where nothing slows it down",
        "1,350 MHz",
    )
    assert "in 40% of the samples (too hot)" in said.cause


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param([(POWER_CAP, 1_350.0)] * 4 + [(0, 1_980.0)] * 6, id="by its power limit, as at any full load"),
        pytest.param([(HOT, 1_950.0)] * 4 + [(0, 1_980.0)] * 6, id="and is as quick as before"),
        pytest.param([(HOT, 1_350.0)] * 10, id="all the time, so that nothing tells what it cost"),
        pytest.param([(HOT, 1_350.0)] * 4 + [(IDLE, 1_980.0)] * 6, id="and was idle at all other times"),
        pytest.param([(HOT, 1_350.0)] + [(0, 1_980.0)] * 19, id="in one sample of twenty"),
    ],
)
def test_a_gpu_that_was_slowed_down_explains_nothing_where_it_was(samples: list[tuple[int, float]]) -> None:
    assert found(telling(SLOW, honest(SLOW), *_clocked(*samples))) == ()


# ---------------------------------------------------------------- in every language


def _late(record: RequestRecord) -> RequestRecord:
    return replace(record, connect_ns=MS)


def test_every_finding_is_told_in_korean() -> None:
    caveat = Caveat("client was late", "p99 lag 40ms, at most 10ms allowed", "", is_fatal=True, kind="ClientSaturated")
    everything = also(also(honest(SLOW, behind_ms=50.0), "preemptions", 3.0), "queue_s", Distribution(100.0, 12.0))
    everything = also(also(everything, "prefix_cache_queries", 9e3), "prefix_cache_hits", 8e3)
    seen = telling(window(list(map(_late, SLOW.records))), everything, *_clocked((HOT, 1_000.0), (0, 1_980.0)))
    full = replace(SERVER, running=8.0, waiting_max=3.0, kv_cache_share=1.0)
    busy = gauge("requests_running", STEADY, [50.0] * 5)
    findings = (
        *found(seen, server=full, facts=replace(FACTS, actual={"max_num_seqs": 8})),
        *found(behind(SLOW, 25.0)),
        *found(replace(seen, heartbeat_late_ns=array("q", [40 * MS] * 9)), caveats=[caveat]),
        *found(watched(STEADY, requests_succeeded=2.0, output_tokens=2.0, prompt_tokens=2.0)),
        *found(watched(STEADY, requests_succeeded=0.5, output_tokens=0.5, prompt_tokens=0.5)),
        *found(watched(STEADY, requests_succeeded=0.5)),
        *found(watched(STEADY, requests_succeeded=2.0)),
        *found(watched(STEADY, output_tokens=2.0, prompt_tokens=2.0)),
        *found(telling(STEADY, replace(ServerWork(0, 1), running_after=7.0), busy)),
        *found(of_counts(STEADY, prompt_tokens=5_000.0, output_tokens=550.0)),
        *found(telling(SLOW, slower(honest(SLOW), itl_s=0.5))),
        *found(telling(SLOW, slower(honest(SLOW), ttft_s=1.5))),
    )
    assert len({each.kind for each in findings}) == 10
    korean = texts_in(Language.KO)
    told = [
        in_language(text, korean)
        for each in findings
        for text in (each.subject, each.expected, each.actual, each.cause)
    ]
    reasons = "too hot"  # the words of a driver
    assert {
        text: english_left(text.replace(reasons, "")) for text in told if english_left(text.replace(reasons, ""))
    } == {}
