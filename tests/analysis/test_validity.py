"""Every rule that makes a measurement doubtful: the figure at which it speaks, and whether it is fatal."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from llmload.analysis.metrics import measure
from llmload.analysis.validity import check
from llmload.domain import Ending, Observation, RequestRecord, TargetFacts, TokenFit, TokenSource
from llmload.samples import Watched
from llmload.verdict import Caveat
from tests.analysis.builders import FACTS, MS, paced, request, scenario, window
from tests.analysis.watched import CARD, SECOND, of_gpu

HEALTHY = paced([50.0] * 200)
BEATS = 500  # about one each 10 ms of the window of HEALTHY


def caveats(observation: Observation, *, facts: TargetFacts = FACTS, unique: bool = True) -> tuple[Caveat, ...]:
    """What speaks against one window."""
    asked = scenario(unique=unique)
    return check([observation], measure([observation], asked.slo), scenario=asked, facts=facts)


def changed(
    change: Callable[[RequestRecord], RequestRecord], *, among: Sequence[RequestRecord] = HEALTHY
) -> Observation:
    """A healthy window with each record changed."""
    return window([change(record) for record in among])


def test_a_healthy_window_has_no_caveat() -> None:
    assert caveats(window(HEALTHY)) == ()


def lag(record: RequestRecord, ms: float, *, one_in: int) -> RequestRecord:
    """The record, sent late when its turn comes."""
    return replace(record, due_ns=record.due_ns - round(ms * MS)) if record.seq % one_in == 0 else record


FATAL = [
    pytest.param(window(HEALTHY, late_ms=[0.1] * 480 + [11] * 20), "ClientSaturated", id="heartbeat late"),
    pytest.param(changed(lambda r: lag(r, 11, one_in=20)), "ClientSaturated", id="requests sent late"),
    pytest.param(window(HEALTHY, late_ms=[0.1] * (BEATS - 1) + [60]), "ClientSaturated", id="a stall of over 1 %"),
    pytest.param(changed(lambda r: replace(r, sent_ns=r.due_ns - 1000)), "ClockTrouble", id="sent before due"),
    pytest.param(changed(lambda r: replace(r, done_ns=r.event_ns[-1] - 1000)), "ClockTrouble", id="done before last"),
    pytest.param(
        changed(lambda r: replace(r, event_ns=array("q", reversed(r.event_ns)), answer_ns=None)),
        "ClockTrouble",
        id="events run backwards",
    ),
    pytest.param(changed(lambda r: replace(r, cached_tokens=16)), "PrefixCacheHit", id="6 % from the cache"),
]


@pytest.mark.parametrize(("observation", "kind"), FATAL)
def test_a_measurement_that_cannot_be_trusted_is_fatal_and_says_what_to_do(observation: Observation, kind: str) -> None:
    first = caveats(observation)[0]
    assert (first.is_fatal, first.kind) == (True, kind)
    assert first.figure
    assert first.remedy


@pytest.mark.parametrize(
    "observation",
    [
        pytest.param(window(HEALTHY, late_ms=[0.1] * 480 + [9.9] * 20), id="heartbeats just within 10 ms"),
        pytest.param(window(HEALTHY, late_ms=[0.1] * 498 + [40] * 2), id="fewer than one beat in a hundred late"),
        pytest.param(changed(lambda r: lag(r, 9, one_in=20)), id="requests sent within 10 ms"),
        pytest.param(
            changed(lambda r: replace(r, due_ns=r.due_ns - 30 * MS, connect_ns=30 * MS)), id="time spent connecting"
        ),
        pytest.param(changed(lambda r: replace(r, cached_tokens=15)), id="5 % from the cache beyond the template"),
        pytest.param(window([replace(r, input_tokens=None, cached_tokens=None) for r in HEALTHY]), id="cache untold"),
    ],
)
def test_what_is_within_the_limits_is_no_caveat(observation: Observation) -> None:
    assert not [caveat for caveat in caveats(observation) if caveat.is_fatal]


def test_a_slow_server_allows_a_later_client() -> None:
    """5 % of a median TTFT of 400 ms are 20 ms."""
    slow = window(paced([400.0] * 200), late_ms=[0.1] * 480 + [19] * 20)
    assert caveats(slow) == ()


def test_prompts_that_are_not_unique_may_come_from_the_cache() -> None:
    cached = changed(lambda r: replace(r, cached_tokens=90))
    assert not [caveat for caveat in caveats(cached, unique=False) if caveat.is_fatal]


def test_a_stall_that_fills_little_of_the_window_is_only_shown() -> None:
    long = window(paced([50.0] * 200, every_ms=100), late_ms=[0.1] * 2000 + [60])
    (caveat,) = caveats(long)
    assert (caveat.rule, caveat.is_fatal, caveat.kind) == ("client stalled", False, "")


SHOWN = [
    pytest.param(window(HEALTHY, late_ms=[]), "client lateness unknown", id="no heartbeat"),
    pytest.param(window(HEALTHY, ending=Ending.MAX_DURATION), "window ended early", id="max_duration"),
    pytest.param(changed(lambda r: replace(r, asked_output_tokens=12)), "output length off", id="one of 12 missing"),
    pytest.param(
        changed(lambda r: replace(r, output_tokens=940, asked_output_tokens=1000)), "output length off", id="6 percent"
    ),
    pytest.param(
        changed(lambda r: replace(r, event_ns=array("q", [r.event_ns[0]] * 3 + list(r.event_ns[3:])))),
        "several events per read",
        id="3 of 11 events in one read",
    ),
    pytest.param(window(paced([90.0] * 20 + [50.0] * 180)), "warm-up too short", id="the first tenth is slower"),
    pytest.param(
        changed(lambda r: replace(r, token_source=TokenSource.ESTIMATE)), "estimate of tokens", id="estimated tokens"
    ),
]


@pytest.mark.parametrize(("observation", "rule"), SHOWN)
def test_a_doubt_that_is_not_fatal_is_shown_with_its_remedy(observation: Observation, rule: str) -> None:
    (caveat,) = caveats(observation)
    assert (caveat.rule, caveat.is_fatal) == (rule, False)
    assert caveat.remedy


@pytest.mark.parametrize(
    "fit",
    [
        pytest.param(TokenFit(10, 1.3, 0.2, TokenSource.USAGE), id="words do not tell tokens"),
        pytest.param(TokenFit(10, 1.3, 0.0, TokenSource.ESTIMATE), id="the server tells no tokens"),
    ],
)
def test_prompts_that_could_not_be_fitted_are_a_caveat(fit: TokenFit) -> None:
    assert [c.rule for c in caveats(window(HEALTHY), facts=replace(FACTS, fit=fit))] == ["input length unsure"]


def test_drifting_latency_is_not_mistaken_for_a_short_warm_up() -> None:
    rising = window(paced([50.0 + i * 0.4 for i in range(200)]))
    assert caveats(rising) == ()


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_not_mistaken_for_a_short_warm_up(seed: int) -> None:
    import random

    chance = random.Random(seed)
    assert caveats(window(paced([chance.lognormvariate(4, 0.4) for _ in range(200)]))) == ()


def test_caveats_that_the_worker_left_are_carried_once_and_fatal_ones_come_first() -> None:
    restarted = Caveat("the server restarted", "at request 40", "Look at its log", is_fatal=True, kind="ServerChanged")
    observation = replace(changed(lambda r: replace(r, asked_output_tokens=12)), caveats=(restarted, restarted))
    assert [caveat.rule for caveat in caveats(observation)] == ["the server restarted", "output length off"]


def test_an_empty_window_breaks_no_rule_of_its_own() -> None:
    assert caveats(window([])) == ()
    assert not [c for c in caveats(window([request()])) if c.is_fatal]


@pytest.mark.parametrize(("empty", "is_fatal"), [pytest.param(1, False, id="one"), pytest.param(200, True, id="all")])
def test_answers_without_text_are_told_and_where_all_are_nothing_was_measured(empty: int, is_fatal: bool) -> None:
    silent = [replace(record, event_ns=array("q"), answer_ns=None) for record in HEALTHY[:empty]]
    found = {caveat.rule: caveat.is_fatal for caveat in caveats(window([*silent, *HEALTHY[empty:]]))}
    assert found["answers without text"] is is_fatal


@pytest.mark.parametrize(
    ("masks", "told"),
    [
        pytest.param([0x20] * 3 + [0x1] * 7, "in 30% of the samples a GPU was slowed down (too hot)", id="often"),
        pytest.param([0x4] * 10, None, id="at its power limit all the time, as it is at full load"),
        pytest.param([0x20, *[0] * 19], None, id="in one sample of twenty"),
        pytest.param([0x1, 0x2, 0x10] * 5, None, id="idle, or as it was set up"),
        pytest.param([], None, id="untold"),
    ],
)
def test_a_gpu_that_was_slowed_down_speaks_against_a_step(masks: list[int], told: str | None) -> None:
    samples = of_gpu("throttle_reasons", [(0.1 * place, mask) for place, mask in enumerate(masks)])
    observation = window(HEALTHY)
    beside = replace(observation, start_ns=0, end_ns=5 * SECOND, watched=Watched((CARD,), (samples,)))
    found = [caveat for caveat in caveats(beside) if caveat.rule == "GPU throttled"]
    assert [(caveat.figure, caveat.is_fatal) for caveat in found] == ([(told, False)] if told else [])
