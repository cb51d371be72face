"""The manifest of an autoscaler: its figures follow from the measurement, its shape is what Kubernetes takes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from llmload.analysis.capacity import replicas_for
from llmload.capacity import Carried, Profile, Recommendation
from llmload.reporters.hpa import hpa_manifest
from tests.capacity_profiles import profile
from tests.recorded_runs import CLEAN

_FOUND = CLEAN.recommendation
assert _FOUND is not None
assert _FOUND.advice is not None
FOUND, ADVICE = _FOUND, _FOUND.advice
HOSTILE = "a: b\n- c # \"'{}[]&*!|>%@`\x85\u2028\x1b[2J\x00 ../../<script>\ud800"

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_QUANTITY = re.compile(r"\d+(\.\d{1,3})?")


def document(found: Recommendation, of: Profile, name: str = "chat") -> dict[str, Any]:
    (read,) = yaml.safe_load_all(hpa_manifest(found, of, name))
    assert isinstance(read, dict)
    return read


def target(read: dict[str, Any]) -> str:
    (metric,) = read["spec"]["metrics"]
    return str(metric["pods"]["target"]["averageValue"])


def is_accepted(read: dict[str, Any]) -> bool:
    """The rules of autoscaling/v2 for what we write: members, types and bounds (kubernetes.io, API reference)."""
    spec, behavior = read["spec"], read["spec"]["behavior"]
    (metric,) = spec["metrics"]
    policies = [policy for way in behavior.values() for policy in way["policies"]]
    return (
        list(read) == ["apiVersion", "kind", "metadata", "spec"]
        and (read["apiVersion"], read["kind"]) == ("autoscaling/v2", "HorizontalPodAutoscaler")
        and _LABEL.fullmatch(read["metadata"]["name"]) is not None
        and all(isinstance(value, str) for value in read["metadata"]["annotations"].values())
        and set(spec["scaleTargetRef"]) == {"apiVersion", "kind", "name"}
        and _LABEL.fullmatch(spec["scaleTargetRef"]["name"]) is not None
        and type(spec["minReplicas"]) is type(spec["maxReplicas"]) is int
        and 1 <= spec["minReplicas"] <= spec["maxReplicas"]
        and set(metric) == {"type", "pods"}
        and metric["type"] == "Pods"
        and re.fullmatch(r"[^/%]+", metric["pods"]["metric"]["name"]) is not None
        and metric["pods"]["target"]["type"] == "AverageValue"
        and isinstance(metric["pods"]["target"]["averageValue"], str)
        and _QUANTITY.fullmatch(target(read)) is not None
        and float(target(read)) > 0
        and set(behavior) == {"scaleUp", "scaleDown"}
        and all(0 <= way["stabilizationWindowSeconds"] <= 3600 for way in behavior.values())
        and all(policy["type"] in ("Pods", "Percent") for policy in policies)
        and all(policy["value"] > 0 and 0 < policy["periodSeconds"] <= 1800 for policy in policies)
    )


def test_the_target_is_the_load_of_one_replica_less_the_headroom() -> None:
    """120 / 1.2 = 100, and 500 / 100 = 5 replicas: the peak asks for just what was recommended."""
    read = document(FOUND, profile(carries=120.0))
    assert is_accepted(read)
    assert target(read) == "100"
    assert (read["spec"]["minReplicas"], read["spec"]["maxReplicas"]) == (1, 5)
    assert read["metadata"]["name"] == "chat-qwen3-14b"


@pytest.mark.parametrize(
    ("carries", "gpus", "per_replica", "wanted"),
    [
        pytest.param(120.0, 4, 1, "25", id="four replicas behind one address"),
        pytest.param(120.0, 4, 2, "50", id="two replicas of two GPUs"),
        pytest.param(110.0, None, 1, "91", id="rounded down, GPUs unknown"),
        pytest.param(2.0, 1, 1, "1.666", id="a load too small for whole numbers"),
        pytest.param(1.0, 8000, 1, "0.001", id="next to nothing is still more"),
        pytest.param(60.0, 1, 1, "50", id="exactly, whatever a float makes of 1.2"),
    ],
)
def test_a_replica_has_its_share_of_what_was_measured(
    carries: float, gpus: int | None, per_replica: int, wanted: str
) -> None:
    read = document(FOUND, profile(carries=carries, gpu_count=gpus, gpus_per_replica=per_replica))
    assert is_accepted(read)
    assert target(read) == wanted


@given(
    carried=st.floats(12, 5000).map(lambda load: round(load, 1)),
    peak=st.integers(1, 20_000),
    headroom=st.sampled_from([0.0, 0.1, 0.2, 0.35, 1.0]),
    gpus=st.integers(1, 8),
)
@settings(max_examples=50, deadline=None)
def test_at_the_peak_as_many_replicas_are_asked_for_as_were_recommended(
    carried: float, peak: int, headroom: float, gpus: int
) -> None:
    """Rounding the target down may ask for more, and maxReplicas holds that; it never asks for fewer."""
    wanted = replicas_for(peak, headroom, carried, gpus)
    found = replace(FOUND, advice=replace(ADVICE, headroom_percent=100 * headroom, replicas=wanted))
    read = document(found, profile(carries=carried, gpu_count=gpus))
    assert peak / float(target(read)) > wanted - 1 - 1e-9
    assert read["spec"]["maxReplicas"] == wanted


@pytest.mark.parametrize(
    ("framework", "name", "said"),
    [
        pytest.param("vllm", "vllm:num_requests_running", "serves vllm:num_requests_running", id="vLLM"),
        pytest.param("sglang", "sglang:num_running_reqs", "serves sglang:num_running_reqs", id="SGLang"),
        pytest.param("lmdeploy", "lmdeploy:num_requests_running", "serves lmdeploy:num", id="LMDeploy"),
        pytest.param("ollama", "requests_in_flight", "ollama tells no figure", id="Ollama, which has no metrics"),
        pytest.param("triton", "requests_in_flight", "triton tells no figure", id="Triton, which tells those waiting"),
        pytest.param("openai", "requests_in_flight", "openai tells no figure", id="a server of any kind"),
        pytest.param("moon", "requests_in_flight", "moon tells no figure", id="a plug-in that is not here"),
    ],
)
def test_the_metric_is_what_the_framework_calls_it(framework: str, name: str, said: str) -> None:
    of = profile(framework=framework)
    assert document(FOUND, of)["spec"]["metrics"][0]["pods"]["metric"]["name"] == name
    assert said in hpa_manifest(FOUND, of, "chat")


@pytest.mark.parametrize(
    ("seqs", "is_said"), [("64", True), ("100", True), ("101", False), ("many", False), ("9" * 5000, False)]
)
def test_a_target_that_the_metric_never_exceeds_is_said(seqs: str, is_said: bool) -> None:
    told = hpa_manifest(FOUND, profile(settings={"max_num_seqs": seqs}), "chat")
    assert ("map vllm:num_requests_running + vllm:num_requests_waiting to this name" in told) is is_said


def test_where_nobody_told_how_many_run_at_once_the_most_is_said() -> None:
    told = hpa_manifest(FOUND, profile(settings={}), "chat")
    assert "#   Where no more than 100 may run at once, it never exceeds the target and no pod is" in told


@pytest.mark.parametrize(
    ("scenario", "model", "name"),
    [
        pytest.param("chat", "Qwen/Qwen3-14B-AWQ", "chat-qwen-qwen3-14b-awq", id="a model of a hub"),
        pytest.param("chat", "모델", "chat", id="letters that no name may have"),
        pytest.param("---", "서버", "llmload", id="nothing that a name may have"),
        pytest.param("x" * 62, "-y", "x" * 62, id="cut at a hyphen"),
        pytest.param("x" * 200, "y", "x" * 63, id="too long"),
    ],
)
def test_names_are_those_that_kubernetes_takes(scenario: str, model: str, name: str) -> None:
    read = document(FOUND, profile(model=model), scenario)
    assert is_accepted(read)
    assert read["metadata"]["name"] == name


def test_hostile_names_break_neither_the_document_nor_its_comments() -> None:
    of = profile(HOSTILE, model=HOSTILE, framework=HOSTILE, settings={"max_num_seqs": HOSTILE})
    advice = replace(ADVICE, recommended_gpu=HOSTILE, calculation_formula=HOSTILE)
    told = hpa_manifest(replace(FOUND, advice=advice), of, HOSTILE)
    (read,) = yaml.safe_load_all(told)
    assert is_accepted(read)
    lines = told.splitlines()
    begin = lines.index("apiVersion: autoscaling/v2")
    assert all(line.startswith("#") for line in lines[:begin])
    assert told.isascii() or not any(ord(each) < 32 and each != "\n" for each in told)
    assert "\x1b" not in told


def test_the_same_input_gives_the_same_bytes() -> None:
    assert hpa_manifest(FOUND, profile(), "chat") == hpa_manifest(FOUND, profile(), "chat")


@pytest.mark.parametrize("carries", [None, 120.0], ids=["no load that holds", "no advice"])
def test_without_advice_there_is_no_manifest(carries: float | None) -> None:
    found = FOUND if carries is None else replace(FOUND, advice=None)
    with pytest.raises(ValueError, match="no target to scale at"):
        hpa_manifest(found, profile(carries=carries), "chat")


def test_a_load_of_a_replica_is_told_with_the_run_that_measured_it() -> None:
    of = profile("day-01", carries=480.0, gpu_count=4)
    assert of.at_slo == Carried(480.0, 0.98, 0.96, 0.99, 2400.0, 2160.0, 2640.0, 4000.0)
    told = hpa_manifest(FOUND, of, "chat")
    assert "from run day-01: qwen3-14b on NVIDIA H100." in told
    assert "target of one pod: 480 / 4 / (1 + 20%), rounded down = 100." in told
