"""`llmload plan` on real files: what it prints, and exit code 2 for a gate that can never pass."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from llmload.analysis.calibration import Calibration, noise_of
from llmload.baseline import Estimate, PastRun
from llmload.cli.plan import plan
from llmload.errors import DataFileError, ScenarioError
from llmload.store.baseline_file import Action, BaselineFile, BaselineRun, Entry, path_of
from llmload.store.baseline_writing import rewrite
from llmload.store.calibration_file import calibration_path, write_calibration

SCENARIO = """\
apiVersion: llmload/v1
kind: Scenario
metadata: {name: try-plan}
spec:
  target: {url: "http://localhost:8000", model: m}
  load: {concurrency: [10, 100], requests: 200}
  slo: {ttft: 500ms, tpot: 50ms}
  gates:
    - goodput >= 95% at concurrency <= 50
    - output_tps >= 100 tok/s
"""


@pytest.fixture
def scenario_file(tmp_path: Path) -> Path:
    """A scenario as a user writes it."""
    path = tmp_path / "scenario.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


def test_plan_shows_steps_tokens_time_and_what_each_gate_can_decide(
    scenario_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan(scenario_file)
    shown = capsys.readouterr().out
    for part in (
        "concurrency 10: 20 warm-up and 200 measured requests (up to 1,600 where a gate stays open)",
        "about 56,320 tokens in, 112,640 out",
        "on a server that just keeps the SLO; at most 10 min",
        "goodput >= 95% at concurrency <= 50 [concurrency 10]: passes with at most",
        "0: 86, 1: 125",
        "output_tps >= 100 tok/s: decided on what is measured",
        "url: http://localhost:8000",
    ):
        assert part in shown


def test_plan_tells_the_classes_of_a_mixture_and_how_many_requests_each_gate_on_one_gets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    mixture = Path(__file__).parents[2] / "scenarios" / "mixture.yaml"
    plan(mixture)
    shown = capsys.readouterr().out
    assert "class chat: 70% of requests, in every block; an SLO of its own" in shown
    assert "class long: 10% of requests, in every block; the SLO of all" in shown
    plan(mixture, json=True)
    document = json.loads(capsys.readouterr().out)
    assert [(each["class"], each["share"]) for each in document["mixture"]] == [
        ("chat", 0.7),
        ("rag", 0.2),
        ("long", 0.1),
    ]
    assert {each["gate"]: each["max_requests"] for each in document["gates"]} == {
        "goodput >= 90%": 1600,
        "p95(ttft) of chat <= 400ms": 1120,
        "goodput of rag >= 90%": 320,
        "p90(e2e) of long <= 10s": 160,
    }


def test_plan_as_json_is_one_document(scenario_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan(scenario_file, json=True)
    document = json.loads(capsys.readouterr().out)
    (gate,) = document["gates"]
    assert (gate["can_pass"], gate["looks"], gate["smallest_effective_sample"]["0"]) == (True, 4, 86)
    assert [step["step"] for step in document["steps"]] == ["concurrency 10", "concurrency 100"]
    assert document["document"]["spec"]["target"]["model"] == "m"


def test_plan_shows_what_it_refuses_and_then_refuses_it(
    scenario_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ScenarioError) as caught:
        plan(scenario_file, sets=["spec.load.requests=50", "spec.decision.max_requests=50"])
    assert caught.value.exit_code == 2
    assert "can never pass with 50 requests" in capsys.readouterr().out
    assert str(caught.value).startswith(f"{scenario_file}:9:7: spec.gates[0]: ")


OPEN_LOOP = """\
apiVersion: llmload/v1
kind: Scenario
metadata: {name: try-plan}
spec:
  target: {url: "http://localhost:8000", model: m}
  load: {rate: [4/s], duration: 60s, warmup: {requests: 20}}
  gates: [goodput >= 95% at rate <= 8/s]
"""


def test_plan_says_how_long_a_rate_takes_and_how_many_requests_a_duration_gives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(OPEN_LOOP)
    plan(path)
    shown = capsys.readouterr().out
    assert "rate 4/s: 20 warm-up and about 240 measured requests, about 66,560 tokens in" in shown
    assert "time: about 65 s until the last request is due, whatever the server does" in shown
    plan(path, sets=["spec.load.requests=100"])
    assert "about 240 measured requests" in capsys.readouterr().out


def test_plan_tells_what_a_trace_holds(capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(__file__).parents[2] / "scenarios" / "trace.yaml"
    plan(path)
    shown = capsys.readouterr().out
    for part in (
        "speed 1: 36 warm-up and 156 measured requests\n",
        "trace: 156 requests in 9 s, 18.1/s on average",
        "152,375 tokens in, 3,753 out, warm-up not counted",
        "57% of the prompt tokens repeat what an earlier prompt began with",
        "note: The trace says which prompts begin alike",
    ):
        assert part in shown
    plan(path, json=True, sets=["spec.load.requests=100"])
    trace = json.loads(capsys.readouterr().out)["trace"]
    assert (trace["recorded"], trace["requests"]) == (156, 100)
    assert trace["rate_per_s"] == pytest.approx(99 / trace["span_s"])


def test_a_bad_row_of_a_trace_is_exit_2_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(OPEN_LOOP.replace("rate: [4/s]", "trace: {file: t.jsonl}").replace(" at rate <= 8/s", ""))
    (tmp_path / "t.jsonl").write_text('{"timestamp": 0, "input_length": 1, "output_length": 1}\n{}\n')
    with pytest.raises(DataFileError, match=r"t\.jsonl:2: input_length is missing") as caught:
        plan(path)
    assert caught.value.exit_code == 2


def test_plan_counts_every_climb_of_the_ladder(scenario_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan(scenario_file, sets=["spec.decision.repeats=3"])
    shown = capsys.readouterr().out
    assert "concurrency 10: 60 warm-up and 600 measured requests (up to 2,000 where a gate stays open)" in shown
    assert "about 168,960 tokens in, 337,920 out" in shown
    assert "at most 20 min of measured windows" in shown
    assert "in up to 6 looks" in shown


LABEL = "concurrency 10"
RELATIVE = SCENARIO.replace("output_tps >= 100 tok/s", "p95(ttft) within 5% of baseline, floor 1ms")


def test_plan_says_what_a_relative_gate_can_say_at_spreads_that_it_assumes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(RELATIVE)
    plan(path)
    shown = capsys.readouterr().out
    for part in (
        "  p95(ttft) within 5% of baseline, floor 1ms [concurrency 10]\n"
        "  p95(ttft) within 5% of baseline, floor 1ms [concurrency 100]\n"
        "    if runs differ by 2% (CV; assumed, `llmload calibrate` measures it)\n",
        "`llmload ab` with 5 pairs: an unchanged server passes 68%, one that is 10% worse is caught 65%",
        "least margin: the smallest with which",
    ):
        assert part in shown
    assert "no sample size to plan" not in shown


def test_plan_as_json_has_what_a_relative_gate_can_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(RELATIVE)
    plan(path, json=True)
    gates = json.loads(capsys.readouterr().out)["relative_gates"]
    assert [gate["step"] for gate in gates] == ["concurrency 10", "concurrency 100"]
    assert [(each["cv"], each["is_assumed"]) for each in gates[0]["variations"]] == [
        (0.02, True),
        (0.03, True),
        (0.05, True),
    ]
    assert gates[0]["variations"][1]["designs"][1] == pytest.approx(
        {"design": "paired", "n": 5, "passes": 0.68, "catches": 0.65, "least_margin": 0.071}, abs=0.01
    )


def test_plan_takes_what_the_newest_calibration_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "scenario.yaml"
    path.write_text(RELATIVE)
    noise = noise_of("p95(ttft)", [(20.0, 21.0), (22.0, 22.5), (19.0, 20.5)], 0.05)
    calibration = Calibration(
        "try-plan", "2026-03-01T00:00:00.000Z", "0.1.0", {}, 0.95, 3, (), {"concurrency 10": {"p95(ttft)": noise}}
    )
    older = replace(calibration, created="2026-01-01T00:00:00.000Z", steps={})
    for each, name in ((calibration, "aaaaaaaaaaaa"), (older, "bbbbbbbbbbbb")):
        write_calibration(each, calibration_path(Path("reports"), "try-plan", name))
    plan(path)
    shown = capsys.readouterr().out
    assert (
        f"runs differ by {noise.cv:.1%}, {noise.paired_cv:.1%} within a pair "
        "(CV; calibrated on 2026-03-01 with 3 pairs, reports/baselines/try-plan/aaaaaaaaaaaa.calibration.json)"
    ) in shown
    assert "assumed" in shown, "concurrency 100 was not calibrated"
    plan(path, json=True)
    known, assumed = json.loads(capsys.readouterr().out)["relative_gates"]
    ((measured,), others) = known["variations"], assumed["variations"]
    assert (measured["cv"], measured["paired_cv"], measured["is_assumed"]) == (noise.cv, noise.paired_cv, False)
    assert [each["is_assumed"] for each in others] == [True] * 3


def write_baseline(*ttft_ms: float) -> Path:
    """The committed baseline of `try-plan`, with a run for each figure."""
    runs = tuple(
        BaselineRun(
            PastRun(f"run-{day}", f"2026-02-{day:02}T00:00:00.000Z", "", {LABEL: {"p95(ttft)": Estimate(value)}}),
            "0.1.0",
        )
        for day, value in enumerate(ttft_ms, 1)
    )
    path = path_of(Path("reports"), "try-plan", {})
    entry = Entry("2026-02-28T00:00:00.000Z", Action.UPDATE, "first", tuple(run.past.run_id for run in runs))
    rewrite(path, lambda _: BaselineFile("try-plan", {}, runs, {}, (entry,)))
    return path


@pytest.mark.parametrize(
    ("ttft_ms", "part"),
    [
        pytest.param((20.0, 21.0), "if runs differ by 2% (CV; assumed", id="two runs tell nothing"),
        pytest.param(
            (20.0, 21.0, 22.0), "only 3 of 8 runs: a verdict against them is advisory", id="three only advise"
        ),
        pytest.param((20.0, 21.0, 22.0) * 3, "one run against 9 earlier ones: an unchanged server", id="nine"),
    ],
)
def test_plan_takes_how_much_the_runs_of_a_committed_baseline_differ(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ttft_ms: tuple[float, ...],
    part: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scenario.yaml").write_text(RELATIVE)
    path = write_baseline(*ttft_ms)
    plan(tmp_path / "scenario.yaml")
    shown = capsys.readouterr().out
    assert part in shown
    assert (f"{len(ttft_ms)} runs of {path}" in shown) is (len(ttft_ms) >= 3)


def test_a_calibration_tells_how_much_runs_differ_and_the_baseline_how_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scenario.yaml").write_text(RELATIVE)
    write_baseline(*(20.0, 21.0, 22.0) * 3)
    noise = noise_of("p95(ttft)", [(20.0, 20.1), (20.2, 20.0), (19.9, 20.0)], 0.05)
    write_calibration(
        Calibration("try-plan", "2026-03-01T00:00:00.000Z", "0.1.0", {}, 0.95, 3, (), {LABEL: {"p95(ttft)": noise}}),
        calibration_path(Path("reports"), "try-plan", "aaaaaaaaaaaa"),
    )
    plan(tmp_path / "scenario.yaml")
    shown = capsys.readouterr().out
    assert f"runs differ by {noise.cv:.1%}" in shown
    assert "one run against 9 earlier ones: an unchanged server passes over 99%" in shown


def test_a_calibration_that_was_broken_is_exit_2_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "scenario.yaml"
    path.write_text(RELATIVE)
    broken = calibration_path(Path("reports"), "try-plan", "aaaaaaaaaaaa")
    broken.parent.mkdir(parents=True)
    broken.write_text('{"apiVersion": 7}')
    with pytest.raises(DataFileError, match=r"aaaaaaaaaaaa\.calibration\.json: apiVersion") as caught:
        plan(path)
    assert caught.value.exit_code == 2
