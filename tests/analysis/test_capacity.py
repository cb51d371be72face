"""How many GPUs a demand needs: the sum, its bounds, its cost, and what is said where there is no answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.analysis.attempts import NO_CONNECTION
from llmload.analysis.capacity import UNKNOWN_GPU, need_of, recommendation_of, replicas_for
from llmload.analysis.judgement import judge
from llmload.analysis.search import search_step
from llmload.capacity import Advice, Carried, Interval, Profile, Recommendation, SaturationPoint
from llmload.domain import IMPORTED, UNFINISHED, Observation, Outcome, RequestRecord, RunResult
from llmload.errors import TargetError
from llmload.plain_text import plain
from llmload.planned import Step
from llmload.promises import Slo
from llmload.reporters.reasons import in_language
from llmload.reporters.texts import Language, texts_in
from llmload.scenario.asked import OpenLoop, Poisson, Recommend, Scenario
from llmload.verdict import Caveat, Status
from tests.analysis.builders import FACTS, HEADER, SLO, good_and_bad, paced, scenario, window

H100 = "NVIDIA H100"
ASKED = Recommend(500, 10_000, 10.0, 3.0, 0.95, 0.2, H100, None, gpu_count=1)
HELD = Carried(120, 0.9888, 0.9805, 0.9937, 4310.0, 4180.0, 4440.0, 6100.0)
MEASURED = Profile(
    run_id="run-1",
    created="2026-11-21T00:00:00.000Z",
    scenario="capacity",
    framework="vllm",
    version="0.9.1",
    model="Qwen3-14B-AWQ",
    gpu_model=H100,
    gpu_count=1,
    gpu_memory_gb=79.6,
    gpus_per_replica=1,
    tensor_parallelism=1,
    settings={},
    traffic="{}",
    slo=Slo(500, 50),
    goodput_target=0.95,
    confidence=0.95,
    at_slo=HELD,
    fails_at=126,
    saturation=SaturationPoint(160, 4500.0, 71.0),
)
LATE = Caveat("a stall", "61ms", "Wait", is_fatal=True)
LADDER = ((1, Status.PASS), (60, Status.PASS), (120, Status.PASS), (126, Status.FAIL))


def _lines(status: Status, requests: int) -> list[RequestRecord]:
    """Requests that bring a load to this."""
    bad = {Status.PASS: 0, Status.ERROR: 0, Status.FAIL: 200, Status.INCONCLUSIVE: (requests + 200) // 20}[status]
    return good_and_bad(requests + 200 - bad, bad)


def _seen(loads: Sequence[tuple[float, Status]]) -> list[Observation]:
    found = []
    for load, status in loads:
        records = window(_lines(status, math.ceil(4 * load)), step=Step(0, "concurrency", load))
        found.append(replace(records, caveats=(LATE,) if status is Status.ERROR else ()))
    return found


def run_of(*loads: tuple[float, Status], recommend: Recommend = ASKED) -> tuple[RunResult, Scenario]:
    """A judged run whose steps came out like this, of the target that `recommend` asks for."""
    wanted = replace(scenario(concurrency=[int(load) for load, _ in loads]), recommend=recommend)
    return judge(HEADER, wanted, FACTS, _seen(loads), finished="later"), wanted


def recommended(profile: Profile, *loads: tuple[float, Status], recommend: Recommend = ASKED) -> Recommendation:
    run, wanted = run_of(*(loads or LADDER), recommend=recommend)
    return recommendation_of(replace(run, profile=profile), wanted, recommend)


def advised(profile: Profile, *loads: tuple[float, Status], recommend: Recommend = ASKED) -> Advice:
    advice = recommended(profile, *loads, recommend=recommend).advice
    assert advice is not None
    return advice


# ---------------------------------------------------------------- the sum


@pytest.mark.parametrize(
    ("peak", "headroom", "carried", "measured", "replicas"),
    [
        pytest.param(500, 0.2, 120, 1, 5, id="the reference: 500 x 1.2 / 120"),
        pytest.param(10, 0.1, 1, 1, 11, id="10 x 1.1 is 11 and not a little more"),
        pytest.param(501, 0.2, 120, 1, 6, id="one user more is one replica more"),
        pytest.param(500, 0.0, 120, 1, 5, id="without headroom"),
        pytest.param(1, 0.2, 120, 1, 1, id="less than one replica is one"),
        pytest.param(500, 0.2, 480, 4, 5, id="four replicas that share 480"),
        pytest.param(100, 0.2, 1000, 8, 1, id="one of eight replicas would do"),
        pytest.param(3, 0.1, 3.3, 1, 1, id="3 x 1.1 is 3.3"),
        pytest.param(1_000_000, 0.15, 1, 1, 1_150_000, id="large and exact"),
    ],
)
def test_replicas_are_counted_in_exact_fractions(
    peak: float, headroom: float, carried: float, measured: int, replicas: int
) -> None:
    assert replicas_for(peak, headroom, carried, measured) == replicas


@given(st.integers(1, 10**6), st.integers(0, 300), st.integers(1, 10**5), st.integers(1, 64))
def test_replicas_are_the_fewest_that_carry_the_peak_with_its_headroom(
    peak: int, percent: int, carried: int, measured: int
) -> None:
    replicas = replicas_for(peak, percent / 100, carried, measured)
    each, wanted = Fraction(carried, measured), Fraction(peak) * (100 + percent) / 100
    assert replicas * each >= wanted > (replicas - 1) * each


@pytest.mark.parametrize(
    ("changes", "gpus", "formula"),
    [
        pytest.param({}, 5, "ceil(500 × (1 + 0.2) / 120) = 5 replicas × 1 GPU = 5", id="one GPU each"),
        pytest.param(
            {"gpus_per_replica": 2, "gpu_count": 2}, 10, "ceil(500 × (1 + 0.2) / 120) = 5 replicas × 2 GPUs = 10",
            id="TP 2 doubles them",
        ),
        pytest.param(
            {"gpu_count": 4}, 20, "ceil(500 × 4 measured replicas × (1 + 0.2) / 120) = 20 replicas × 1 GPU = 20",
            id="four replicas were measured as one address",
        ),
        pytest.param(
            {"gpu_count": 4, "gpus_per_replica": 2}, 20,
            "ceil(500 × 2 measured replicas × (1 + 0.2) / 120) = 10 replicas × 2 GPUs = 20",
            id="two replicas of two",
        ),
        pytest.param({"gpu_count": None}, 5, "ceil(500 × (1 + 0.2) / 120) = 5 replicas × 1 GPU = 5", id="unknown: one"),
        pytest.param(
            {"gpu_count": 1, "gpus_per_replica": 8}, 40, "ceil(500 × (1 + 0.2) / 120) = 5 replicas × 8 GPUs = 40",
            id="fewer seen than a replica takes",
        ),
    ],
)  # fmt: skip
def test_the_formula_is_told_with_its_numbers(changes: Mapping[str, object], gpus: int, formula: str) -> None:
    need = need_of(replace(MEASURED, **changes), 120, 500, 0.2)  # type: ignore[arg-type]  # by name
    assert (need.gpus, need.formula) == (gpus, formula)


# ---------------------------------------------------------------- the advice


def test_the_reference_is_told_as_the_issue_has_it() -> None:
    found = recommended(MEASURED)
    assert found.headline == "For DAU 10,000 and a peak of 500 concurrent users, Qwen3-14B-AWQ needs 5 × NVIDIA H100."
    advice = found.advice
    assert advice is not None
    assert (advice.recommended_gpu, advice.recommended_count, advice.tensor_parallelism) == (H100, 5, 1)
    assert advice.estimated_max_concurrency == 600
    assert advice.estimated_goodput == pytest.approx(98.88)
    assert advice.estimated_throughput == pytest.approx(21_550)
    assert advice.headroom_percent == 20
    assert advice.reasoning == (
        "120 in flight is the heaviest load that surely holds the SLO: 98.88% of requests are good there, at least"
        " 98.05% at 95% confidence. At 126 it surely breaks"
    )
    assert (advice.estimated_monthly_cost_usd, advice.usd_per_gpu_hour, advice.cost_per_million_tokens_usd) == (
        None,
        None,
        None,
    )
    assert advice.intervals == {
        "recommended_count": Interval(5, 5),
        "estimated_max_concurrency": Interval(600, 630),
        "estimated_goodput": Interval(pytest.approx(98.05), pytest.approx(99.37)),
        "estimated_throughput": Interval(20_900, 22_200),
    }


def test_more_replicas_that_were_measured_make_each_smaller() -> None:
    advice = advised(replace(MEASURED, gpu_count=4, fails_at=200))
    assert (advice.recommended_count, advice.replicas, advice.estimated_max_concurrency) == (20, 20, 600)
    assert advice.intervals["recommended_count"] == Interval(12, 20)
    assert "It was shared by 4 replicas of 1 GPU" in advice.reasoning


@pytest.mark.parametrize(
    ("changes", "asked", "headline"),
    [
        pytest.param(
            {}, {"daily_active_users": None},
            "For a peak of 500 concurrent users, Qwen3-14B-AWQ needs 5 × NVIDIA H100.",
            id="nobody says how many users",
        ),
        pytest.param(
            {}, {"daily_active_users": None, "peak_concurrency": 1},
            "For a peak of 1 concurrent user, Qwen3-14B-AWQ needs 1 × NVIDIA H100.", id="one user",
        ),
        pytest.param(
            {"gpu_model": None, "gpu_count": None}, {"daily_active_users": None},
            "For a peak of 500 concurrent users, Qwen3-14B-AWQ needs 5 × the measured server; name its GPU with"
            " recommend.gpu.model.", id="nobody knows the GPUs",
        ),
        pytest.param(
            {"gpu_model": None, "gpu_count": None, "gpus_per_replica": 2}, {},
            "For DAU 10,000 and a peak of 500 concurrent users, Qwen3-14B-AWQ needs 5 × the measured server of 2 GPUs;"
            " name its GPU with recommend.gpu.model.", id="nobody knows the GPUs, but how many make a replica",
        ),
        pytest.param(
            {"gpu_model": None, "gpu_count": 2}, {},
            "For DAU 10,000 and a peak of 500 concurrent users, Qwen3-14B-AWQ needs 10 × the measured GPU; name it with"
            " recommend.gpu.model.", id="GPUs without a name",
        ),
        pytest.param(
            {}, {"daily_active_users": 2_000_000, "peak_concurrency": 150_000},
            "For DAU 2,000,000 and a peak of 150,000 concurrent users, Qwen3-14B-AWQ needs 1,500 × NVIDIA H100.",
            id="thousands are marked",
        ),
    ],
)  # fmt: skip
def test_the_headline(changes: Mapping[str, object], asked: Mapping[str, object], headline: str) -> None:
    profile, recommend = replace(MEASURED, **changes), replace(ASKED, **asked)  # type: ignore[arg-type]  # by name
    found = recommended(profile, recommend=recommend)
    assert found.headline == headline
    korean = in_language(headline, texts_in(Language.KO))
    assert "개가 필요합니다" in korean or "대가 필요합니다" in korean


def test_a_gpu_that_nobody_names_is_named_by_nobody() -> None:
    found = recommended(replace(MEASURED, gpu_model=None, gpu_count=None))
    assert found.advice is not None
    assert found.advice.recommended_gpu == found.current_infra.gpu_model == UNKNOWN_GPU
    assert found.current_infra.gpu_count is None
    assert "taken as one replica of 1 GPU; recommend.gpu.count says it" in found.advice.reasoning


@pytest.mark.parametrize(
    ("changes", "loads", "said"),
    [
        pytest.param({}, LADDER, ["At 126 it surely breaks"], id="a load that breaks"),
        pytest.param(
            {"fails_at": None}, LADDER[:3], ["No heavier load was measured: it may carry more"], id="nothing breaks"
        ),
        pytest.param(
            {"fails_at": None}, [*LADDER[:3], (126, Status.INCONCLUSIVE)],
            ["No load that was measured surely breaks it. Not sure to hold it, nor to break it: 126"],
            id="nothing surely breaks",
        ),
        pytest.param(
            {"fails_at": 140}, [*LADDER[:3], (126, Status.INCONCLUSIVE), (140, Status.FAIL)],
            ["At 140 it surely breaks. Not sure to hold it, nor to break it: 126"], id="an open load in between",
        ),
        pytest.param(
            {"fails_at": None}, [*LADDER[:3], (126, Status.ERROR), (140, Status.ERROR)],
            ["No load that was measured surely breaks it. Could not be measured: 126, 140"], id="the client was late",
        ),
        pytest.param(
            {}, [*LADDER, (140, Status.PASS)],
            ["At 126 it surely breaks. What holds above a load that breaks does not count: 140"], id="it holds again",
        ),
        pytest.param(
            {"gpu_count": 3, "gpus_per_replica": 2}, LADDER,
            ["3 GPUs at work are no multiple of the 2 of one replica: taken as 1 replica"], id="no whole replicas",
        ),
        pytest.param(
            {"gpu_count": 5}, LADDER, ["5 replicas of 1 GPU"], id="several replicas share it",
        ),
    ],
)  # fmt: skip
def test_the_reasoning_tells_what_bounds_the_capacity(
    changes: Mapping[str, object], loads: Sequence[tuple[float, Status]], said: Sequence[str]
) -> None:
    advice = advised(replace(MEASURED, **changes), *loads)  # type: ignore[arg-type]  # by name
    assert all(each in advice.reasoning for each in said)
    korean = in_language(advice.reasoning, texts_in(Language.KO))
    assert "SLO를 확실히 지키는" in korean
    assert not any(word in korean for word in ("surely", "replica", "measured", "heavier"))


@pytest.mark.parametrize(
    ("peak", "count", "said"),
    [
        pytest.param(480, 5, "carries the peak with its headroom", id="just as much as was measured"),
        pytest.param(100, 1, "carries the peak with its headroom, and more", id="less than one replica"),
    ],
)
def test_what_was_measured_may_do_already(peak: int, count: int, said: str) -> None:
    profile = replace(MEASURED, gpu_count=5, at_slo=replace(HELD, concurrency=600), fails_at=640)
    advice = advised(profile, (600, Status.PASS), (640, Status.FAIL), recommend=replace(ASKED, peak_concurrency=peak))
    assert advice.recommended_count == count
    assert advice.reasoning.endswith(said)


def test_without_a_load_that_breaks_the_capacity_has_no_upper_end() -> None:
    advice = advised(replace(MEASURED, fails_at=None, gpus_per_replica=2, gpu_count=2), *LADDER[:3])
    assert advice.intervals["estimated_max_concurrency"] == Interval(600, None)
    assert advice.intervals["recommended_count"] == Interval(2, 10)


def test_a_figure_that_was_not_measured_is_none_and_has_no_interval() -> None:
    blind = replace(HELD, output_tps=None, output_tps_low=None, output_tps_high=None, goodput_low=None)
    advice = advised(replace(MEASURED, at_slo=blind), recommend=replace(ASKED, gpu_usd_per_hour=2.0))
    assert advice.estimated_throughput is None
    assert advice.cost_per_million_tokens_usd is None
    assert advice.estimated_monthly_cost_usd == 7300
    assert set(advice.intervals) == {"recommended_count", "estimated_max_concurrency", "estimated_monthly_cost_usd"}


@pytest.mark.parametrize(
    ("asked", "usd"),
    [
        pytest.param({"gpu_usd_per_hour": 2.0}, 2.0, id="the price of this GPU"),
        pytest.param({"prices": {"H100": 2.5, "L40S": 1.0}}, 2.5, id="by its name in a list"),
        pytest.param({"gpu_usd_per_hour": 2.0, "prices": {"H100": 2.5}}, 2.0, id="its own price before the list"),
        pytest.param({"prices": {"L40S": 1.0}}, None, id="not in the list"),
    ],
)
def test_what_the_advice_costs(asked: Mapping[str, object], usd: float | None) -> None:
    profile = replace(MEASURED, fails_at=200)
    advice = advised(profile, *LADDER[:3], (200, Status.FAIL), recommend=replace(ASKED, **asked))  # type: ignore[arg-type]  # by name
    assert advice.usd_per_gpu_hour == usd
    if usd is None:
        assert advice.estimated_monthly_cost_usd is advice.cost_per_million_tokens_usd is None
        return
    assert advice.estimated_monthly_cost_usd == pytest.approx(5 * usd * 730)
    assert advice.cost_per_million_tokens_usd == pytest.approx(5 * usd / (21_550 * 3600) * 1e6)
    monthly, million = (
        advice.intervals[name] for name in ("estimated_monthly_cost_usd", "cost_per_million_tokens_usd")
    )
    assert monthly == Interval(pytest.approx(3 * usd * 730), pytest.approx(5 * usd * 730))
    assert million.high is not None
    assert million.low < advice.cost_per_million_tokens_usd < million.high


def test_daily_users_are_checked_by_littles_law() -> None:
    expected = recommended(MEASURED).workload.expected_peak
    assert expected == pytest.approx(10_000 * 10 / 86_400 * 3 * 6.1)
    assert recommended(MEASURED, recommend=replace(ASKED, daily_active_users=None)).workload.expected_peak is None


# ---------------------------------------------------------------- from windows to advice


def test_a_run_recommends_by_its_own_knee() -> None:
    run, _ = run_of((1, Status.PASS), (60, Status.PASS), (120, Status.PASS), (126, Status.FAIL))
    found = run.recommendation
    assert found is not None
    assert found.advice is not None
    assert found.advice.recommended_count == 5
    assert found.current_infra.max_concurrency_at_slo == 120
    assert found.test_results is not None
    assert [load.concurrency for load in found.test_results.concurrency_results] == [1, 60, 120, 126]


@pytest.mark.parametrize(
    ("loads", "at_slo", "fails_at", "count"),
    [
        pytest.param([(1, Status.PASS), (40, Status.FAIL), (60, Status.PASS)], 1, 40, 600, id="a break below a pass"),
        pytest.param([(50, Status.PASS)], 50, None, 12, id="one step only"),
        pytest.param([(20, Status.INCONCLUSIVE), (60, Status.PASS)], 60, None, 10, id="the lightest stays open"),
        pytest.param([(20, Status.PASS), (60, Status.INCONCLUSIVE)], 20, None, 30, id="the heaviest stays open"),
        pytest.param([(600, Status.PASS)], 600, None, 1, id="it carries the peak already"),
    ],
)
def test_the_capacity_of_odd_ladders(
    loads: Sequence[tuple[float, Status]], at_slo: float, fails_at: float | None, count: int
) -> None:
    run, _ = run_of(*loads)
    assert run.profile is not None
    assert run.profile.at_slo is not None
    assert (run.profile.at_slo.concurrency, run.profile.fails_at) == (at_slo, fails_at)
    assert run.recommendation is not None
    assert run.recommendation.advice is not None
    assert run.recommendation.advice.recommended_count == count


@pytest.mark.parametrize(
    ("loads", "extent"),
    [
        pytest.param([8], "1 window of 1 of 2 steps", id="within the ladder"),
        pytest.param([8, 16], "2 windows of 2 steps, before the search for the capacity was over", id="before it"),
        pytest.param([8, 16, 32], "3 windows of 3 steps, before the search for the capacity was over", id="within it"),
    ],
)
def test_a_search_that_is_not_over_says_so(loads: Sequence[int], extent: str) -> None:
    wanted = replace(scenario(concurrency=(8, 16)), recommend=ASKED)
    seen = [window(_lines(Status.PASS, 200), step=Step(0, "concurrency", float(load))) for load in loads]
    run = judge(HEADER, wanted, FACTS, seen, finished=None)
    assert run.because.endswith(f"(not complete: judged on {extent})")
    assert "judged" not in in_language(run.because, texts_in(Language.KO))
    assert run.recommendation is not None
    assert run.recommendation.advice is not None
    assert run.recommendation.advice.reasoning.endswith(
        "was not over: the server may carry more, and fewer GPUs may do"
    )
    assert "was not over" not in in_language(run.recommendation.advice.reasoning, texts_in(Language.KO))


@pytest.mark.parametrize(
    ("loads", "said"),
    [
        pytest.param([(50, Status.PASS)], "needs at most 12 × NVIDIA H100.", id="no heavier load"),
        pytest.param([(50, Status.PASS), (60, Status.ERROR)], "needs at most 12 × NVIDIA H100.", id="none measured"),
        pytest.param([(50, Status.PASS), (60, Status.FAIL)], "needs 12 × NVIDIA H100.", id="one that breaks"),
        pytest.param([(600, Status.PASS)], "needs 1 × NVIDIA H100.", id="enough already"),
    ],
)
def test_a_number_that_nothing_bounds_is_told_as_the_most(loads: Sequence[tuple[float, Status]], said: str) -> None:
    run, _ = run_of(*loads)
    assert run.recommendation is not None
    headline = run.recommendation.headline
    assert headline.endswith(said)
    assert "needs" not in in_language(headline, texts_in(Language.KO))
    assert ("H100 최대 12개" in in_language(headline, texts_in(Language.KO))) is ("at most" in said)


def _nobody(requests: int) -> list[RequestRecord]:
    """Requests to a server that is not there any more."""
    lost = paced([float("inf")] * requests)
    return [replace(r, sent_ns=None, outcome=Outcome.CONNECT_ERROR, error_type=NO_CONNECTION) for r in lost]


def test_a_server_that_is_gone_breaks_no_slo_and_ends_the_search() -> None:
    """Every lighter load would fail just so, down to the lightest, which would then be taken for the capacity."""
    wanted = replace(scenario(concurrency=(8, 64)), recommend=ASKED)
    seen = [*_seen([(8, Status.PASS)]), window(_nobody(256), step=Step(1, "concurrency", 64.0))]
    assert search_step(wanted, seen) is None
    run = judge(HEADER, wanted, FACTS, seen, finished="later")
    assert run.profile is not None
    assert run.profile.at_slo is not None
    assert (run.profile.at_slo.concurrency, run.profile.fails_at) == (8, None)
    gone = run.steps[1].capacity
    assert gone is not None
    assert gone.status is Status.ERROR
    assert gone.because == (
        "could not measure: the server was gone: none of 256 requests at concurrency 64 found a connection"
    )
    assert "found" not in in_language(gone.because, texts_in(Language.KO))


def test_a_load_that_the_server_refuses_is_sought_below() -> None:
    wanted = replace(scenario(concurrency=(8, 64)), recommend=ASKED)
    seen = [*_seen([(8, Status.PASS)]), window(DEAD, step=Step(1, "concurrency", 64.0))]
    step = search_step(wanted, seen)
    assert step is not None
    assert step.value == 36


def test_a_server_that_dies_at_the_lightest_load_is_told_of() -> None:
    seen = [at(1, [*good_and_bad(100, 0), *(replace(r, seq=r.seq + 100) for r in _nobody(100))])]
    found = judged(*seen).recommendation
    assert found is not None
    assert found.headline.endswith(
        "Most of these lost their connection or found none: see whether the server was still there, then measure again"
    )


def test_a_run_that_ended_before_its_lightest_load_was_decided_can_go_on() -> None:
    cut = Caveat(UNFINISHED, "it was interrupted", "Go on with `llmload apply FILE --resume 1`", is_fatal=True)
    wanted = replace(scenario(concurrency=(1,), requests=10), recommend=ASKED)
    run = judge(HEADER, wanted, FACTS, [at(1, good_and_bad(10, 0))], finished=None, cut_short=cut)
    assert run.recommendation is not None
    assert run.recommendation.headline.endswith("Go on with `llmload apply FILE --resume 1`")


def test_gpus_that_nobody_said_are_one_replica_are_told_of() -> None:
    told = advised(replace(MEASURED, gpu_count=4)).reasoning
    assert "It was shared by 4 replicas of 1 GPU. Nobody told its tensor_parallel_size, taken as 1" in told
    known = advised(replace(MEASURED, gpu_count=4, settings={"tensor_parallel_size": "1"})).reasoning
    assert "Nobody told" not in known


@pytest.mark.parametrize(
    ("loads", "recommend", "exit_code"),
    [
        pytest.param([(8, Status.PASS), (16, Status.ERROR)], ASKED, 0, id="a capacity beside a step that is not valid"),
        pytest.param([(8, Status.FAIL), (16, Status.ERROR)], ASKED, 5, id="no capacity"),
        pytest.param([(8, Status.PASS), (16, Status.ERROR)], None, 5, id="no capacity was wanted"),
    ],
)
def test_what_an_overload_spoils_speaks_against_no_capacity_that_was_found(
    loads: Sequence[tuple[float, Status]], recommend: Recommend | None, exit_code: int
) -> None:
    run, wanted = run_of(*loads)
    again = judge(HEADER, replace(wanted, recommend=recommend), FACTS, _seen(loads), finished="later")
    assert again.exit_code == exit_code
    assert run.recommendation is not None
    assert bool(run.recommendation.advice) == (loads[0][1] is Status.PASS)


def test_a_run_that_was_not_asked_knows_what_breaks_too() -> None:
    wanted = scenario(concurrency=(8, 16))
    seen = [window(good_and_bad(200, 0), step=Step(0, "concurrency", 8.0))]
    seen.append(window(good_and_bad(20, 180), step=Step(1, "concurrency", 16.0)))
    run = judge(HEADER, wanted, FACTS, seen, finished="later")
    assert run.recommendation is None
    assert run.profile is not None
    assert run.profile.fails_at == 16


# ---------------------------------------------------------------- no recommendation


def judged(
    *windows: Observation,
    slo: Slo | None = SLO,
    trouble: TargetError | None = None,
    wanted: Scenario | None = None,
) -> RunResult:
    asked = replace(wanted or scenario(concurrency=(1,), slo=slo), recommend=ASKED)
    return judge(HEADER, asked, FACTS, windows, finished="later", trouble=trouble)


def at(load: float, records: Sequence[RequestRecord], axis: str = "concurrency") -> Observation:
    return window(records, step=Step(0, axis, load))


DEAD = paced([float("inf")] * 200)
HALF = good_and_bad(100, 100)
BY_RATE = replace(scenario(), load=replace(scenario().load, shape=OpenLoop((4.0,), Poisson())))
DOWN = TargetError("http://127.0.0.1:9", "nobody answers", "Start the server", kind="ServerNotReady")


@pytest.mark.parametrize(
    ("run", "said"),
    [
        pytest.param(
            judged(at(1, HALF)),
            "No recommendation: concurrency 1 is the lightest load, and it breaks the SLO: 100 of 200 requests good"
            " (50%); at 98.75% confidence at most 58.53% are, 95% wanted; not good: 100 over ttft 100ms; p95(ttft) was"
            " 200ms and has to come down to 100ms. One request at a time misses it already: take a faster GPU, a"
            " smaller or quantised model, or tensor parallelism, or promise less in spec.slo",
            id="one request at a time misses it",
        ),
        pytest.param(
            judged(at(8, HALF)),
            "and has to come down to 100ms. Measure lighter loads as well: begin load.concurrency at 1",
            id="the ladder begins too high",
        ),
        pytest.param(
            judged(at(8, DEAD), at(1, good_and_bad(10, 0))),
            "No recommendation: concurrency 1 is the lightest load, and it stayed undecided: 10 of 10 requests good"
            " (100%)",
            id="the lightest is undecided and the next breaks",
        ),
        pytest.param(
            judged(at(1, DEAD), at(8, HALF)),
            "No recommendation: concurrency 1 is the lightest load: none of 200 requests at concurrency 1 succeeded."
            " Read the error counts of this load, which the server may refuse",
            id="all of the lightest fail",
        ),
        pytest.param(
            judged(at(1, DEAD)), "No recommendation: could not measure: nothing succeeded: all 200 requests of the run"
            " failed (HTTP_500). Send one request by hand", id="nothing succeeds",
        ),
        pytest.param(
            judged(trouble=DOWN),
            "No recommendation: could not measure: the server could not be used: http://127.0.0.1:9: nobody answers."
            " Start the server",
            id="the server is down",
        ),
        pytest.param(judged(), "No recommendation: no load was measured. Give the same", id="nothing was measured"),
        pytest.param(
            judged(at(1, HALF), slo=None), "No recommendation: without an SLO no request is good or bad", id="no SLO"
        ),
        pytest.param(
            judged(at(4, HALF, "rate"), wanted=BY_RATE),
            "No recommendation: a peak is a concurrency, and this load is none. Measure with load.concurrency",
            id="a rate",
        ),
        pytest.param(
            judged(replace(at(1, good_and_bad(10, 0)), look=replace(at(1, HALF).look, requests=200))),
            "Its time was up before all requests were sent: raise load.max_duration",
            id="its time was up",
        ),
        pytest.param(
            judged(replace(at(1, good_and_bad(200, 0)), caveats=(LATE,))),
            "No recommendation: concurrency 1 is the lightest load, and it could not be measured: a stall: 61ms. Wait",
            id="it could not be measured",
        ),
    ],
)  # fmt: skip
def test_without_a_load_that_holds_there_is_a_reason_and_no_advice(run: RunResult, said: str) -> None:
    found = run.recommendation
    assert found is not None
    assert found.advice is None
    assert said in found.headline
    assert found.current_infra.max_concurrency_at_slo is None
    korean = in_language(found.headline, texts_in(Language.KO))
    assert korean.startswith("권장 구성 없음: ")
    assert not any(word in korean for word in ("lightest", "load,", "measure", "surely", "SLO no"))


def test_what_would_have_to_change_is_told_to_its_end_where_every_term_breaks() -> None:
    found = judged(at(1, HALF), slo=Slo(ttft_ms=100.25, tpot_ms=1.125, e2e_ms=150.25)).recommendation
    assert found is not None
    assert found.headline.count("has to come down to") == 3
    assert plain(found.headline) == found.headline


def test_an_imported_run_has_no_capacity() -> None:
    run, wanted = run_of(*LADDER)
    imported = replace(run, profile=None, caveats=(Caveat(IMPORTED, "by another tool", "Measure again"),))
    found = recommendation_of(imported, wanted, ASKED)
    assert found.advice is None
    assert found.headline.startswith("No recommendation: an imported run has no requests behind its figures")
