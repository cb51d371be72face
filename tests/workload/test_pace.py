"""Open loop: the due instants are the process that was asked for, whoever sends them."""

from __future__ import annotations

import math
from array import array
from heapq import merge
from itertools import islice, pairwise
from statistics import mean, pstdev, variance

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import expon, gamma, kstest

from llmload.scenario.asked import Arrival, Constant, Gamma, Poisson
from llmload.workload.pace import Arrivals, Ramp, Replay
from llmload.workload.shard import Shard

KEY = 0x5EED
COUNT = 20_000
S = 1_000_000_000

PROCESSES = [
    pytest.param(Poisson(), id="poisson"),
    pytest.param(Gamma(0.25), id="bursty"),
    pytest.param(Gamma(4.0), id="smooth"),
    pytest.param(Constant(), id="constant"),
]


def instants(pace: Arrivals | Replay, count: int = COUNT) -> list[int]:
    return list(islice(pace.offsets_ns(), count))


def gaps_s(pace: Arrivals, count: int = COUNT) -> list[float]:
    return [(later - sooner) / S for sooner, later in pairwise([0, *instants(pace, count)])]


def merged(pace: Arrivals, workers: int, count: int = COUNT) -> list[int]:
    """What `workers` workers send together, each of which knows the whole schedule and sends its shard."""
    whole = instants(pace, count)
    shards = [Shard(number, workers, workers) for number in range(workers)]
    return list(merge(*([whole[i] for i in islice(s.indices(), s.count(count))] for s in shards)))


# ---------------------------------------------------------------- the law of the gaps


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("key", [1, 2, 3])
def test_the_gaps_of_poisson_arrivals_are_exponential_however_many_workers_send_them(key: int, workers: int) -> None:
    sent = merged(Arrivals(50.0, Poisson(), key), workers)
    gaps = [(later - sooner) / S for sooner, later in pairwise([0, *sent])]
    assert kstest(gaps, expon(scale=1 / 50).cdf).pvalue > 0.01


def test_the_same_test_tells_a_worker_s_thinned_share_from_the_asked_process() -> None:
    whole = instants(Arrivals(50.0, Poisson(), KEY))
    thinned = [(later - sooner) / S for sooner, later in pairwise(whole[::4])]
    assert kstest(thinned, expon(scale=4 / 50).cdf).pvalue < 1e-6


@pytest.mark.parametrize("key", [1, 2, 3])
def test_poisson_counts_in_equal_slots_scatter_as_much_as_their_mean(key: int) -> None:
    due = instants(Arrivals(50.0, Poisson(), key))
    slots = int(due[-1] // S)
    counts = [0] * slots
    for at_ns in due:
        if at_ns < slots * S:
            counts[at_ns // S] += 1
    # variance / mean of n Poisson counts has a standard deviation of about sqrt(2 / n)
    assert variance(counts) / mean(counts) == pytest.approx(1, abs=4 * math.sqrt(2 / slots))


def test_constant_arrivals_are_exactly_even() -> None:
    assert instants(Arrivals(8.0, Constant(), KEY), 1000) == [125_000_000 * number for number in range(1, 1001)]
    thirds = instants(Arrivals(3.0, Constant(), KEY), 1_000_000)
    assert all(due == round(number * S / 3) for number, due in enumerate(thirds, start=1))


@pytest.mark.parametrize("burstiness", [0.3, 1.0, 4.0, 100.0])
def test_gamma_arrivals_follow_their_law_and_vary_as_asked(burstiness: float) -> None:
    gaps = gaps_s(Arrivals(50.0, Gamma(burstiness), KEY))
    assert kstest(gaps, gamma(burstiness, scale=1 / (50 * burstiness)).cdf).pvalue > 0.01
    assert pstdev(gaps) / mean(gaps) == pytest.approx(1 / math.sqrt(burstiness), rel=0.05)


@pytest.mark.parametrize("arrival", PROCESSES)
def test_the_mean_rate_is_the_asked_one(arrival: Arrival) -> None:
    due = instants(Arrivals(7.5, arrival, KEY))
    spread = 4 / math.sqrt(COUNT * (arrival.burstiness if isinstance(arrival, Gamma) else 1))
    assert COUNT / (due[-1] / S) == pytest.approx(7.5, rel=spread)


def test_another_key_is_another_draw_of_the_same_process() -> None:
    assert instants(Arrivals(50.0, Poisson(), 1), 5) != instants(Arrivals(50.0, Poisson(), 2), 5)


# ---------------------------------------------------------------- ramps


def expected(ramp: Ramp, rate: float, until_s: float) -> float:
    """The integral of the rate, in small steps."""
    steps = 10_000
    return sum(ramp.level((i + 0.5) * until_s / steps, rate) for i in range(steps)) * until_s / steps


@pytest.mark.parametrize("start", [0.0, 20.0, 60.0, 200.0])
@pytest.mark.parametrize("until_s", [5.0, 20.0, 40.0, 60.0])
def test_with_a_ramp_as_many_are_due_as_the_integral_of_the_rate(start: float, until_s: float) -> None:
    ramp = Ramp(start, 40.0)
    even = Arrivals(60.0, Constant(), KEY, ramp)
    due = sum(1 for at_ns in instants(even, 12_000) if at_ns <= until_s * S)
    assert due == pytest.approx(expected(ramp, 60.0, until_s), abs=1)


def test_a_ramped_poisson_process_is_poisson_in_the_time_in_which_its_rate_is_1() -> None:
    ramp = Ramp(0.0, 200.0)
    due = [at_ns / S for at_ns in instants(Arrivals(100.0, Poisson(), KEY, ramp), 9_000)]
    assert due[-1] < 200
    masses = [100.0 / 200.0 * at_s**2 / 2 for at_s in due]
    assert kstest([b - a for a, b in pairwise([0.0, *masses])], expon().cdf).pvalue > 0.01


@pytest.mark.parametrize("arrival", PROCESSES)
@pytest.mark.parametrize("start", [0.0, 10.0, 90.0])
def test_the_lead_is_what_is_due_before_the_ramp_is_over(arrival: Arrival, start: float) -> None:
    pace = Arrivals(30.0, arrival, KEY, Ramp(start, 10.0))
    due = instants(pace, 2000)
    assert due[pace.lead - 1] < 10 * S <= due[pace.lead]


def test_after_the_ramp_the_process_is_the_asked_one() -> None:
    pace = Arrivals(50.0, Poisson(), KEY, Ramp(0.0, 20.0))
    after = [at_ns / S for at_ns in instants(pace)[pace.lead :]]
    assert kstest([b - a for a, b in pairwise(after)], expon(scale=1 / 50).cdf).pvalue > 0.01


# ---------------------------------------------------------------- every process


@given(
    rate=st.floats(0.001, 1e5),
    arrival=st.one_of(st.just(Poisson()), st.just(Constant()), st.floats(0.01, 1000).map(Gamma)),
    key=st.integers(0, 2**64 - 1),
    ramp=st.none() | st.builds(Ramp, st.floats(0, 1e5), st.floats(0.001, 600)),
)
def test_instants_never_run_backwards(rate: float, arrival: Arrival, key: int, ramp: Ramp | None) -> None:
    due = instants(Arrivals(rate, arrival, key, ramp), 200)
    assert due[0] >= 0
    assert all(sooner <= later for sooner, later in pairwise(due))


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
@pytest.mark.parametrize("arrival", PROCESSES)
def test_all_workers_together_send_at_the_very_instants_of_one(arrival: Arrival, workers: int) -> None:
    pace = Arrivals(50.0, arrival, KEY, Ramp(5.0, 10.0))
    assert merged(pace, workers, 3000) == instants(pace, 3000)


@pytest.mark.parametrize(
    ("arrival", "ramp", "first"),
    [
        pytest.param(Poisson(), None, [19_108_529, 137_866_418, 165_147_082, 416_056_419], id="poisson"),
        pytest.param(Gamma(0.5), None, [7_041_893, 20_513_811, 82_318_683, 140_299_037], id="gamma, bursty"),
        pytest.param(Gamma(2.5), None, [50_801_611, 112_533_411, 218_895_855, 376_876_550], id="gamma, smooth"),
        pytest.param(
            Poisson(),
            Ramp(0.0, 5.0),
            [437_133_034, 1_174_165_312, 1_285_095_645, 2_039_746_110],
            id="poisson on a ramp",
        ),
    ],
)
def test_the_first_instants_are_those_of_every_version_and_machine(
    arrival: Arrival, ramp: Ramp | None, first: list[int]
) -> None:
    """Written down once. If a Python draws otherwise, runs on it can no longer be compared with earlier ones."""
    assert instants(Arrivals(8.0, arrival, KEY, ramp), 4) == first


# ---------------------------------------------------------------- recorded instants


def test_a_replay_leads_with_its_warm_up_and_then_ends() -> None:
    assert instants(Replay(array("q", [0, 5, 5, 30]), lead=3, lead_gap_ns=10)) == [0, 10, 20, 30, 35, 35, 60]
