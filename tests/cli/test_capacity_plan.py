"""What `llmload plan` says of a capacity: each load, the search, the prices, and what is hopeless."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmload.cli.plan import plan
from llmload.errors import DataFileError, ScenarioError

SCENARIO = """\
apiVersion: llmload/v1
kind: Scenario
metadata: {name: try-capacity}
spec:
  target: {url: "http://localhost:8000", model: m}
  load: {concurrency: [1, 50], requests: 50, max_duration: 1m}
  recommend: {peak_concurrency: 500}
"""


@pytest.fixture
def scenario_file(tmp_path: Path) -> Path:
    """A scenario as a user writes it."""
    path = tmp_path / "scenario.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


def test_plan_says_what_each_load_can_tell_and_how_far_the_search_may_go(
    scenario_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan(scenario_file)
    shown = capsys.readouterr().out
    for part in (
        "concurrency 50: 100 warm-up and 200 measured requests",
        " (up to 1,600 where it stays open whether the load holds)",
        "capacity, at 95% confidence: GPUs for 500 requests in flight and 20% on top, with 95% of requests within"
        " ttft 500ms, tpot 50ms\n",
        "  concurrency 1: holds with at most ",
        " further loads to find the capacity, none above 600, each of at most 9,600 requests; at most ",
        "  prices: none, so costs stay unknown (recommend.prices, price_file or gpu.usd_per_hour)\n",
    ):
        assert part in shown


def test_plan_as_json_has_the_search_and_the_prices(scenario_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (scenario_file.parent / "p.csv").write_text("gpu,usd_per_hour\nL40S,0.99\n")
    plan(scenario_file, sets=["spec.recommend.price_file=p.csv"], json=True)
    told = json.loads(capsys.readouterr().out)
    capacity = told["capacity"]
    assert [(step["step"], step["can_pass"]) for step in capacity["steps"]] == [
        ("concurrency 1", True),
        ("concurrency 50", True),
    ]
    assert capacity["search"]["heaviest"] == 600
    assert capacity["search"]["most_loads"] > 0
    assert (capacity["gpu"], capacity["usd_per_gpu_hour"], capacity["prices"]) == (None, None, {"L40S": 0.99})
    assert told["document"]["spec"]["recommend"]["prices"] == {"L40S": 0.99}


def test_plan_of_no_capacity_says_nothing_of_it(scenario_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario_file.write_text(SCENARIO.replace("  recommend: {peak_concurrency: 500}\n", ""))
    plan(scenario_file, json=True)
    assert json.loads(capsys.readouterr().out)["capacity"] is None
    plan(scenario_file)
    assert "further loads" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("recommend", "told"),
    [
        pytest.param("gpu: {usd_per_hour: 2.5}", "prices: the measured GPU at 2.5 USD per hour\n", id="of this one"),
        pytest.param(
            "gpu: {model: NVIDIA H100 80GB}, prices: {h100: 2.5, L4: 1}",
            "prices: NVIDIA H100 80GB at 2.5 USD per hour, and 2 prices in the list\n",
            id="from the list",
        ),
        pytest.param(
            "gpu: {model: B200}, prices: {h100: 2.5}",
            "prices, USD per hour of one GPU: h100 2.5; none for B200\n",
            id="not of this one",
        ),
        pytest.param(
            f"prices: {{{', '.join(f'g{n}: {n}' for n in range(10))}}}",
            "g6 6, g7 7 and 2 more; which GPU is measured is known by the run\n",
            id="a long list",
        ),
    ],
)
def test_plan_says_which_prices_are_known(
    scenario_file: Path, capsys: pytest.CaptureFixture[str], recommend: str, told: str
) -> None:
    scenario_file.write_text(SCENARIO.replace("500}", f"500, {recommend}}}"))
    plan(scenario_file)
    assert told in capsys.readouterr().out


def test_repeats_leave_no_search(scenario_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan(scenario_file, sets=["spec.decision.repeats=2"])
    shown = capsys.readouterr().out
    assert "no further loads: the capacity is known as finely as these loads lie" in shown
    assert "note: With decision.repeats: 2" in shown


@pytest.mark.parametrize(
    ("written", "place"),
    [
        pytest.param("{peak_concurrency: 500, goodput_target: 99.9%}", "8:38", id="where it is written"),
        pytest.param("{peak_concurrency: 500}", "8:3", id="where it is the default"),
    ],
)
def test_a_capacity_that_could_never_be_known_is_refused_after_it_is_shown(
    scenario_file: Path, capsys: pytest.CaptureFixture[str], written: str, place: str
) -> None:
    sample = "requests: 20, max_duration: 1m}\n  decision: {max_requests: 20}"
    text = SCENARIO.replace("requests: 50, max_duration: 1m}", sample).replace("[1, 50]", "[1, 4]")
    scenario_file.write_text(text.replace("{peak_concurrency: 500}", written))
    with pytest.raises(ScenarioError) as caught:
        plan(scenario_file)
    assert str(caught.value).startswith(f"{scenario_file}:{place}: spec.recommend.goodput_target: ")
    assert "no load of the ladder can be known to hold" in str(caught.value)
    assert "can never be known to hold with" in capsys.readouterr().out


def test_a_bad_price_is_exit_2_with_file_and_line(scenario_file: Path) -> None:
    (scenario_file.parent / "p.yaml").write_text("H100: 2.49\nL40S: cheap\n")
    with pytest.raises(DataFileError, match=r"p\.yaml:2: the price of 'L40S' is 'cheap'") as caught:
        plan(scenario_file, sets=["spec.recommend.price_file=p.yaml"])
    assert caught.value.exit_code == 2
