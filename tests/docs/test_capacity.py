"""docs/capacity.md: its scenarios are valid, its sums are those of llmload, its numbers are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmload.analysis.capacity import need_of
from llmload.analysis.looks import LEAST_PER_SLOT, MOST_PER_SLOT
from llmload.analysis.prices import HOURS_OF_A_MONTH
from llmload.analysis.search import CLOSE_ENOUGH, MOST_STEPS
from llmload.capacity import Profile
from llmload.promises import Slo
from llmload.scenario.asked import Scenario
from llmload.scenario.loader import load_text
from llmload.scenario.resolve import RECOMMENDED_SLO
from tests.docs.command_help import lacks
from tests.docs.migration_tables import command

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "capacity.md").read_text(encoding="utf-8")
WORDS = " ".join(PAGE.split())
WHOLE, COST = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def loaded(text: str, directory: Path = ROOT) -> Scenario:
    return load_text(text, "capacity.yaml", env={}, directory=directory)


def test_its_scenario_asks_for_what_the_page_says() -> None:
    asked = loaded(WHOLE).recommend
    assert asked is not None
    assert (asked.peak_concurrency, asked.daily_active_users) == (500, 10_000)


def test_what_it_says_of_defaults_is_what_a_scenario_gets_that_writes_none() -> None:
    text = re.sub(r"  slo:.*\n", "", WHOLE.partition("  recommend:")[0]) + "  recommend: {peak_concurrency: 500}\n"
    scenario = loaded(text)
    asked, slo = scenario.recommend, scenario.slo
    assert asked is not None
    assert slo is not None
    assert (asked.headroom, asked.goodput_target) == (0.2, 0.95)
    assert (asked.daily_active_users, asked.requests_per_user_per_day, asked.peak_factor) == (None, 10, 3)
    assert (slo.ttft_ms, slo.tpot_ms) == (500, 50) == (RECOMMENDED_SLO.ttft_ms, RECOMMENDED_SLO.tpot_ms)
    for row in ("| `headroom` | 20% |", "| `goodput_target` | 95% |", "| `slo` | TTFT 500 ms, TPOT 50 ms |"):
        assert row in PAGE
    assert "| none, 10, 3 |" in PAGE


def test_its_prices_are_valid_and_those_of_the_scenario_win_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text("h100: 9.99\nA100: 1.50\n", encoding="utf-8")
    indented = "".join(f"  {line}\n" for line in COST.splitlines())
    asked = loaded(WHOLE.partition("  recommend:")[0] + indented, tmp_path).recommend
    assert asked is not None
    assert dict(asked.prices) == {"H100": 2.49, "NVIDIA L40S": 1.10, "A100": 1.50}


def profile(gpus_per_replica: int) -> Profile:
    return Profile(
        *("run", "2026-01-01", "s", "vllm", None, "m", "NVIDIA H100", gpus_per_replica, 80.0),
        gpus_per_replica=gpus_per_replica,
        tensor_parallelism=gpus_per_replica,
        settings={},
        traffic="{}",
        slo=Slo(ttft_ms=500),
        goodput_target=0.95,
        confidence=0.95,
        at_slo=None,
        fails_at=None,
        saturation=None,
    )


@pytest.mark.parametrize("gpus_per_replica", [1, 2])
def test_its_sums_are_those_that_llmload_prints(gpus_per_replica: int) -> None:
    assert f"\n{need_of(profile(gpus_per_replica), 120, 500, 0.2).formula}\n" in PAGE


@pytest.mark.parametrize(
    "words",
    [
        f"at least {LEAST_PER_SLOT} measured requests for each request in flight",
        f"up to {MOST_PER_SLOT}, or `decision.max_requests` if that is more",
        f"at most {CLOSE_ENOUGH:.0%} or 1 apart",
        f"At most {MOST_STEPS} loads are added to the ladder",
        f"GPUs × USD per hour × {HOURS_OF_A_MONTH}",
    ],
)
def test_its_numbers_are_those_of_the_code(words: str) -> None:
    assert words in WORDS


COMMANDS = {
    text
    for block in [*re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL), *re.findall(r"`(llmload [^`]+)`", PAGE)]
    for text in block.replace("\\\n", " ").splitlines()
}


@pytest.mark.parametrize("text", sorted(COMMANDS))
def test_every_command_of_the_page_exists_with_its_options(text: str) -> None:
    asked = command(text)
    assert asked is not None
    assert lacks(asked) is None


def test_every_page_that_it_leads_to_is_there() -> None:
    linked = set(re.findall(r"\]\(([a-z]+\.md)\)", PAGE))
    assert "analysis.md" in linked
    assert {name for name in linked if not (ROOT / "docs" / name).exists()} == set()
