"""The same demand on other installations: from like measurements only, with their formula, the cheapest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from llmload.analysis.alternatives import MOST_ALTERNATIVES, beside_others, installation_of, question_of, without_others
from llmload.capacity import Hint, Profile, Recommendation
from llmload.promises import Slo
from llmload.scenario.asked import Recommend
from tests.capacity_profiles import profile
from tests.recorded_runs import CLEAN

OWN = profile()
_FOUND = CLEAN.recommendation
assert _FOUND is not None
assert _FOUND.advice is not None
ADVICE = replace(_FOUND.advice, estimated_monthly_cost_usd=5 * 2.5 * 730)  # 5 x H100 of 2.5 USD: 9,125
FOUND = replace(_FOUND, advice=ADVICE, alternatives=(), hints=(Hint("bound", "The GPU is busy"),))


def asked(prices: Mapping[str, float] | None = None, usd: float | None = 2.5) -> Recommend:
    return Recommend(500, None, 10.0, 3.0, 0.95, 0.2, None, usd, None, prices or {})


def other(run_id: str, created: str = "2026-02-01T00:00:00.000Z", **said: Any) -> Profile:
    return profile(run_id, created=created, **said)


def beside(*library: Profile, prices: Mapping[str, float] | None = None) -> Recommendation:
    return beside_others(FOUND, OWN, library, asked(prices))


def test_needs_5_H100_or_9_L40S() -> None:
    """500 x 1.2 / 70 = 8.57, which is 9; 9 x 1.2 USD x 730 h = 7,884 USD."""
    found = beside(other("l40s", gpu="NVIDIA L40S", carries=70.0, output_tps=1400.0), prices={"L40S": 1.2})
    (one,) = found.alternatives
    assert (one.count, one.gpu_model, one.replicas, one.run_id) == (9, "NVIDIA L40S", 9, "l40s")
    assert one.calculation_formula == "ceil(500 × (1 + 0.2) / 70) = 9 replicas × 1 GPU = 9"
    assert one.estimated_throughput == 9 * 1400.0
    assert one.estimated_monthly_cost_usd == pytest.approx(7884.0)
    assert one.cost_per_million_tokens_usd == pytest.approx(9 * 1.2 / (9 * 1400 * 3600) * 1e6)
    assert found.hints[-1] == Hint("cost", "9 × NVIDIA L40S would do the same for 7,884 USD a month instead of 9,125")
    assert found.hints[:-1] == FOUND.hints


def test_replicas_of_several_gpus_are_counted_whole() -> None:
    """Two replicas of two GPUs carried 160: 80 each, so that 500 x 1.2 takes 8 of them, 16 GPUs."""
    (one,) = beside(other("a", gpu="A100", carries=160.0, gpu_count=4, gpus_per_replica=2)).alternatives
    assert (one.replicas, one.gpus_per_replica, one.count) == (8, 2, 16)


UNLIKE: dict[str, dict[str, Any]] = {
    "another model": {"model": "qwen3-32b"},
    "another workload": {"traffic": '{"input_tokens":512}'},
    "another SLO": {"slo": Slo(ttft_ms=500.0, tpot_ms=40.0)},
    "an SLO with one term more": {"slo": Slo(ttft_ms=500.0, tpot_ms=50.0, e2e_ms=9000.0)},
    "no load that surely holds": {"carries": None},
    "a GPU that nobody named": {"gpu": None},
}


@pytest.mark.parametrize("said", UNLIKE.values(), ids=UNLIKE)
def test_what_was_measured_otherwise_answers_nothing(said: dict[str, Any]) -> None:
    assert beside(other("other", **{"gpu": "NVIDIA L40S", **said})).alternatives == ()


def test_another_share_of_good_requests_answers_nothing() -> None:
    assert beside(replace(other("other", gpu="NVIDIA L40S"), goodput_target=0.9)).alternatives == ()


def test_of_each_installation_the_newest_counts_in_whatever_order_they_come() -> None:
    library = (
        other("old", "2026-01-01T00:00:00.000Z", gpu="NVIDIA L40S", carries=100.0),
        other("new", "2026-02-01T00:00:00.000Z", gpu="NVIDIA L40S", carries=70.0),
        other("more", "2026-01-15T00:00:00.000Z", gpu="NVIDIA L40S", settings={"max_num_seqs": "64"}, carries=50.0),
    )
    for some in permutations(library):
        assert [each.run_id for each in beside(*some).alternatives] == ["new", "more"]


def test_the_same_gpu_is_another_way_only_with_other_settings() -> None:
    """Of the same price as the one here, whose price the author gave."""
    found = beside(other("same"), other("tuned", settings={"max_num_seqs": "512"}, carries=150.0))
    (one,) = found.alternatives
    assert (one.run_id, one.count, one.usd_per_gpu_hour) == ("tuned", 4, 2.5)
    assert found.hints[-1].text == (
        "4 × NVIDIA H100 with other settings would do the same for 7,300 USD a month instead of 9,125"
    )


def test_the_cheapest_come_first_and_unknown_costs_last() -> None:
    library = [
        other("few", gpu="B200", carries=600.0),
        other("dear", gpu="H200", carries=200.0),
        other("cheap", gpu="L40S", carries=70.0),
        other("many", gpu="T4", carries=10.0),
    ]
    found = beside(*library, prices={"H200": 4.0, "L40S": 1.0})
    assert [each.run_id for each in found.alternatives] == ["cheap", "dear", "few", "many"]
    assert [each.estimated_monthly_cost_usd is None for each in found.alternatives] == [False, False, True, True]


def test_of_a_large_library_the_cheapest_are_told() -> None:
    library = [other(f"run-{n:03}", gpu=f"GPU {n:03}", carries=70.0) for n in range(200)]
    found = beside(*library, prices={f"GPU {n:03}": 1.0 + n for n in range(200)})
    assert [each.run_id for each in found.alternatives] == [f"run-{n:03}" for n in range(MOST_ALTERNATIVES)]


def test_a_price_is_of_the_list_before_it_is_of_the_scenario_that_measured() -> None:
    measured = replace(other("l40s", gpu="NVIDIA L40S", carries=70.0), usd_per_hour=0.9)
    assert beside(measured).alternatives[0].usd_per_gpu_hour == 0.9
    assert beside(measured, prices={"l40s": 1.2}).alternatives[0].usd_per_gpu_hour == 1.2


@pytest.mark.parametrize("usd", [3.0, None], ids=["more expensive", "of unknown cost"])
def test_nothing_is_said_of_what_saves_nothing(usd: float | None) -> None:
    prices = {} if usd is None else {"L40S": usd}
    assert beside(other("l40s", gpu="L40S", carries=70.0), prices=prices).hints == FOUND.hints


def test_what_this_installation_cannot_do_another_one_may() -> None:
    none = replace(FOUND, advice=None)
    found = beside_others(
        none, replace(OWN, at_slo=None), [other("l40s", gpu="L40S", carries=70.0)], asked({"L40S": 1})
    )
    assert found.alternatives[0].count == 9
    assert found.hints[-1].text == "9 × L40S would do for 6,570 USD a month"


def test_a_throughput_that_was_not_had_is_none_and_so_is_what_follows() -> None:
    (one,) = beside(other("l40s", gpu="L40S", output_tps=None), prices={"L40S": 1.0}).alternatives
    assert (one.estimated_throughput, one.cost_per_million_tokens_usd) == (None, None)
    assert one.estimated_monthly_cost_usd is not None


def test_without_a_profile_of_its_own_a_run_has_no_others_beside_it() -> None:
    assert beside_others(FOUND, None, [other("l40s", gpu="L40S")], asked()) == FOUND


def test_what_others_add_can_be_taken_away_again() -> None:
    found = beside(other("l40s", gpu="L40S", carries=70.0), prices={"L40S": 1.0})
    assert found != FOUND
    assert without_others(found) == FOUND


def test_equal_questions_are_equal_texts() -> None:
    whole = profile(slo=Slo(ttft_ms=500, tpot_ms=50))
    assert question_of(whole) == question_of(OWN)
    assert installation_of(profile(settings={"a": "1", "b": "2"})) == installation_of(
        profile(settings={"b": "2", "a": "1"})
    )
