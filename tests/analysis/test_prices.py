"""What GPUs cost, from the author's own prices."""

from __future__ import annotations

import pytest

from llmload.analysis.prices import Cost, cost_of, price_of

PRICES = {"NVIDIA H100": 3.0, "H100": 2.0, "a10": 0.5, "L4": 0.7, "NVIDIA L40S": 1.1}


@pytest.mark.parametrize(
    ("gpu", "usd"),
    [
        pytest.param("nvidia h100", 3.0, id="its whole name, in any case"),
        pytest.param("H100", 2.0, id="its whole name before a part of it"),
        pytest.param("NVIDIA H100 80GB HBM3", 3.0, id="the longest name that its words contain"),
        pytest.param("Tesla-H100-PCIe", 2.0, id="words may be joined by hyphens"),
        pytest.param("NVIDIA A100-SXM4-80GB", None, id="an A10 is no A100"),
        pytest.param("NVIDIA L40", None, id="an L4 is no L40"),
        pytest.param("NVIDIA A10", 0.5, id="an A10 is an A10"),
        pytest.param("MI300X", None, id="a GPU that no price is known of"),
        pytest.param(None, None, id="a GPU that nobody named"),
        pytest.param("", None, id="no name"),
    ],
)
def test_a_price_is_found_by_the_words_of_a_name(gpu: str | None, usd: float | None) -> None:
    assert price_of(gpu, PRICES) == usd


def test_no_list_has_no_price() -> None:
    assert price_of("H100", {}) is None


def test_five_gpus_cost_730_hours_a_month_and_so_much_a_million_tokens() -> None:
    cost = cost_of(5, 2.0, 1000.0)
    assert cost.monthly_usd == pytest.approx(7300.0)
    assert cost.usd_per_million_tokens == pytest.approx(10.0 / 3.6)


@pytest.mark.parametrize(
    ("usd", "tps", "cost"),
    [
        pytest.param(None, 1000.0, Cost(None, None), id="no price, no cost"),
        pytest.param(2.0, None, Cost(7300.0, None), id="without a throughput only the month is known"),
        pytest.param(2.0, 0.0, Cost(7300.0, None), id="no tokens have no cost each"),
        pytest.param(0.0, 1000.0, Cost(0.0, 0.0), id="a price of nothing is a price"),
    ],
)
def test_what_is_not_known_is_not_invented(usd: float | None, tps: float | None, cost: Cost) -> None:
    assert cost_of(5, usd, tps) == cost
