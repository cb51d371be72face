"""result.json is a contract: its schema, its size, and figures that are null where they are missing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from llmload.baseline import Baseline, Design, Difference, Estimate, Incomparable, NoBaseline, PastRun, Reference
from llmload.capacity import Knee
from llmload.domain import RunResult, StepResult
from llmload.latency import Histogram
from llmload.reporters import result_json
from llmload.samples import Source
from llmload.timeline import ServerSeries
from llmload.verdict import Status
from tests.recorded_comparisons import ADVISED, REGRESSED, UNLIKE
from tests.recorded_runs import CLEAN, TALKS, TROUBLE

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "result-v1.schema.json").read_text())
NOTHING = replace(TROUBLE, target=None, steps=(), status=Status.ERROR, exit_code=5, because="no server at http://x")


def closed(schema: object) -> object:
    """The schema with every listed object closed, so that a field which it does not describe is an error."""
    match schema:
        case dict():
            inner = {name: closed(each) for name, each in schema.items()}
            return {**inner, "additionalProperties": False} if "required" in inner and "properties" in inner else inner
        case list():
            return [closed(each) for each in schema]
        case _:
            return schema


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(CLEAN, id="clean"),
        pytest.param(TROUBLE, id="full of trouble"),
        pytest.param(NOTHING, id="nothing measured"),
        pytest.param(REGRESSED, id="measured in turns"),
        pytest.param(ADVISED, id="against three runs"),
        pytest.param(UNLIKE, id="against none like it"),
        pytest.param(TALKS, id="of classes and conversations"),
    ],
)
def test_a_result_is_what_its_schema_says_and_nothing_else(run: RunResult) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(closed(SCHEMA)).validate(json.loads(result_json.render(run)))


@pytest.mark.parametrize(
    ("axis", "named"),
    [
        pytest.param("concurrency", (120, 160), id="of concurrency"),
        pytest.param("rate", (None, None), id="of rate, which is no concurrency"),
    ],
)
def test_the_knee_is_told_in_the_unit_of_its_ladder(axis: str, named: tuple[int | None, int | None]) -> None:
    told = json.loads(result_json.render(replace(CLEAN, knee=Knee(axis, 120, 160, 0.95))))["knee"]
    assert (told["axis"], told["at_slo"], told["saturation"]) == (axis, 120, 160)
    assert (told["max_concurrency_at_slo"], told["saturation_concurrency"]) == named


def test_of_a_gpu_only_means_and_peaks_are_told() -> None:
    busy, idle = json.loads(result_json.render(CLEAN))["gpus"]
    assert not [value for gpu in (busy, idle) for value in gpu.values() if isinstance(value, list)]
    assert (busy["peak_temperature_c"], busy["peak_memory_bytes"]) == (max(CLEAN.gpus[0].temperature_c), 76_504_104_960)
    assert (idle["peak_temperature_c"], idle["mean_power_w"]) == (None, None)


def test_a_missing_figure_is_null() -> None:
    dead = json.loads(result_json.render(TROUBLE))["steps"][2]
    assert dead["metrics"]["output_tps"] is None
    assert dead["metrics"]["goodput"] == 0
    assert dead["metrics"]["latency"] == {}
    assert dead["verdicts"][0]["evidence"]["observed"] is None
    assert dead["verdicts"][1]["evidence"] is None


def test_the_evidence_of_an_error_rate_speaks_of_errors() -> None:
    verdict = json.loads(result_json.render(TROUBLE))["steps"][1]["verdicts"][3]
    assert verdict["gate"]["text"] == "error_rate <= 5%"
    evidence = verdict["evidence"]
    assert (evidence["observed"], evidence["target"], evidence["unit"]) == (0.01875, 0.05, "share")
    assert evidence["low"] <= evidence["observed"] <= evidence["high"] < evidence["target"]


def test_the_evidence_of_a_relative_gate_is_a_ratio() -> None:
    worse, _, better = json.loads(result_json.render(REGRESSED))["steps"][0]["verdicts"]
    assert worse["gate"]["text"] == "p95(ttft) within 5% of baseline, floor 1ms"
    assert (worse["gate"]["max_worse"], worse["gate"]["floor"]) == (0.05, 1.0)
    figures = {"observed": 0.0824, "target": 0.05, "low": 0.0611, "high": 0.1041, "unit": "ratio", "n": 5}
    assert worse["evidence"].items() >= figures.items()
    assert (better["gate"]["subject"], better["evidence"]["observed"]) == ("output_tps", -0.0214)


def test_histograms_keep_every_count_and_only_given_edges_when_they_grow_coarser() -> None:
    bounds = tuple(1.0 * 1.01**place for place in range(1200))
    histogram = Histogram(bounds, tuple((place * 7) % 5 for place in range(1200)))
    many = replace(CLEAN, steps=tuple(_with_histograms(CLEAN, histogram, index) for index in range(12)))
    document = json.loads(result_json.render(many))
    assert len(result_json.render(many)) < result_json.SIZE_LIMIT
    assert document["histogram_buckets_merged"] > 1
    told = document["steps"][0]["metrics"]["histograms"]["ttft"]
    assert sum(told["counts"]) == sum(histogram.counts)
    assert set(told["bounds_ms"]) <= {round(bound, 6) for bound in bounds}
    assert len(told["bounds_ms"]) == len(told["counts"])


def test_a_very_large_run_leaves_the_histograms_out_rather_than_verdicts() -> None:
    histogram = Histogram(tuple(float(place) for place in range(3000)), tuple([1] * 3000))
    many = replace(CLEAN, steps=tuple(_with_histograms(CLEAN, histogram, index) for index in range(28)))
    document = json.loads(result_json.render(many))
    assert document["histogram_buckets_merged"] == 0
    assert len(document["steps"]) == 28
    assert all(len(step["verdicts"]) == 3 for step in document["steps"])
    assert len(result_json.render(many)) < result_json.SIZE_LIMIT


def test_parts_are_told_only_where_traffic_has_them() -> None:
    assert "parts" not in json.loads(result_json.render(CLEAN))["steps"][0]
    first, second = json.loads(result_json.render(TALKS))["steps"]
    assert [(part["axis"], part["name"]) for part in first["parts"]] == [
        ("class", "chat"),
        ("class", "rag"),
        ("turn", "1"),
        ("turn", "2"),
        ("turn", "3"),
    ]
    failing = second["parts"][0]["metrics"]
    assert (failing["attempts"], failing["ok"], failing["cached_tokens"], failing["latency"]) == (40, 0, None, {})


def test_a_run_of_many_parts_says_how_many_it_leaves_out() -> None:
    step = TALKS.steps[0]
    turns = tuple(replace(step.parts[2], name=str(turn)) for turn in range(1, 301))
    crowded = replace(TALKS, steps=(replace(step, parts=(*step.parts[:2], *turns)),))
    content = result_json.render(crowded)
    assert len(content) < result_json.SIZE_LIMIT
    (told,) = json.loads(content)["steps"]
    assert (len(told["parts"]), told["parts_left_out"]) == (10, 292)
    Draft202012Validator(closed(SCHEMA)).validate(json.loads(content))


def test_an_estimate_that_failed_attempts_made_infinite_is_null() -> None:
    estimates = {"p99(ttft)": Estimate(float("inf")), "p50(ttft)": Estimate(20.25, 0.0123)}
    step = replace(CLEAN.steps[0], estimates=estimates, repeats=(estimates, {}))
    told = json.loads(result_json.render(replace(CLEAN, steps=(step,))))["steps"][0]
    assert told["estimates"] == {
        "p50(ttft)": {"value": 20.25, "log_error": 0.0123},
        "p99(ttft)": {"value": None, "log_error": None},
    }
    assert told["repeats"] == [told["estimates"], {}]


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        pytest.param(
            Baseline(
                "the committed baseline",
                "quickstart",
                {"gpu": "H100"},
                (PastRun("01A", "2026-01-01T00:00:00.000Z", "abc", {"concurrency 1": {"p50(ttft)": Estimate(1.0)}}),),
                Design.PAIRED,
            ),
            {
                "kind": "baseline",
                "source": "the committed baseline",
                "design": "paired",
                "runs": [{"run_id": "01A", "created": "2026-01-01T00:00:00.000Z", "commit": "abc"}],
            },
            id="a baseline, without its figures",
        ),
        pytest.param(
            Incomparable("the store", (Difference("gpu", "H100", ""),)),
            {
                "kind": "incomparable",
                "source": "the store",
                "differing": [{"key": "gpu", "theirs": "H100", "ours": ""}],
            },
            id="incomparable, with what differs",
        ),
        pytest.param(
            NoBaseline("there is none", "Record one"),
            {"kind": "none", "because": "there is none", "remedy": "Record one"},
            id="none, and why",
        ),
    ],
)
def test_a_result_says_what_its_relative_gates_were_held_against(reference: Reference, told: dict[str, object]) -> None:
    document = json.loads(result_json.render(replace(CLEAN, reference=reference)))
    Draft202012Validator(closed(SCHEMA)).validate(document)
    nothing = {"source": None, "design": None, "runs": [], "differing": [], "because": None, "remedy": None}
    assert document["reference"] == nothing | told


@pytest.mark.parametrize(
    ("repeats", "told", "is_left_out"),
    [
        pytest.param(20, 20, False, id="they go after the histograms"),
        pytest.param(400, 0, True, id="they go where nothing else is left"),
    ],
)
def test_the_repeats_are_the_last_to_go_and_the_result_says_so(repeats: int, told: int, is_left_out: bool) -> None:
    estimates = {f"p{point}(ttft)": Estimate(123.456789, 0.0123456) for point in range(60)}
    step = replace(CLEAN.steps[0], estimates=estimates, repeats=(estimates,) * repeats)
    many: tuple[StepResult, ...] = tuple(replace(step, step=replace(step.step, index=index)) for index in range(2))
    text = result_json.render(replace(CLEAN, steps=many))
    document = json.loads(text)
    assert len(text) < result_json.SIZE_LIMIT
    assert document["repeats_left_out"] is is_left_out
    for each in document["steps"]:
        assert len(each["repeats"]) == told
        assert each["estimates"]["p50(ttft)"] == {"value": 123.456789, "log_error": 0.012346}


def test_neither_the_document_nor_a_request_is_in_the_result() -> None:
    secretive = replace(CLEAN, header=replace(CLEAN.header, document_text="sk-12345", resolved='{"key": "sk-12345"}'))
    assert b"sk-12345" not in result_json.render(secretive)


def test_figures_that_are_no_numbers_become_null() -> None:
    step = CLEAN.steps[0]
    odd = replace(step, metrics=replace(step.metrics, output_tps=float("nan"), total_tps=float("inf")))
    metrics = json.loads(result_json.render(replace(CLEAN, steps=(odd,))))["steps"][0]["metrics"]
    assert metrics["output_tps"] is None
    assert metrics["total_tps"] is None


def test_the_series_of_the_server_is_thinned_and_keeps_peaks_and_gaps() -> None:
    at_s = tuple(float(second) for second in range(7200))
    waiting = tuple(900.0 if second == 4321.0 else 0.0 for second in at_s)
    silent = tuple(None if second < 3600 else 8.0 for second in at_s)
    long = ServerSeries(Source.LOG, at_s, silent, waiting, silent, silent)
    told = json.loads(result_json.render(replace(CLEAN, server=long)))["server"]
    assert {len(values) for name, values in told.items() if name != "source"} == {240}
    assert (told["source"], max(told["waiting"])) == ("log", 900)
    assert (told["running"][0], told["running"][-1]) == (None, 8)


def test_a_step_tells_gpus_server_and_both_sides_of_a_figure() -> None:
    first, strained, dead, _ = json.loads(result_json.render(TROUBLE))["steps"]
    assert (first["server"], first["gpu"]["utilisation"], first["gpu"]["power_w"]) == (None, 0.41, None)
    assert strained["server"]["preemptions"] == 37
    assert [(each["figure"], each["agrees"]) for each in strained["checks"]][:2] == [
        ("requests", False),
        ("output_tokens", False),
    ]
    assert (dead["server"]["source"], dead["server"]["ttft_ms"], dead["checks"]) == ("log", None, [])


def _with_histograms(run: RunResult, histogram: Histogram, index: int):
    step = run.steps[0]
    metrics = replace(step.metrics, histograms={"ttft": histogram, "e2e": histogram})
    return replace(step, step=replace(step.step, index=index), metrics=metrics)
