"""The frameworks that a scenario may name, and their settings."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import asdict

import pytest
from pydantic import TypeAdapter, ValidationError

from llmload.errors import UsageError
from llmload.frameworks import metric_names
from llmload.frameworks.address import join_url
from llmload.frameworks.registry import REGISTRY, adapter_for
from tests.frameworks.captured import body_of


def test_the_six_frameworks_are_known() -> None:
    assert sorted(REGISTRY) == ["lmdeploy", "ollama", "openai", "sglang", "triton", "vllm"]


def test_an_unknown_framework_is_told_the_known_ones() -> None:
    with pytest.raises(UsageError, match="Use one of: lmdeploy, ollama, openai, sglang, triton, vllm"):
        adapter_for("vlm")


@pytest.mark.parametrize(
    ("name", "defaults"),
    [
        (
            "vllm",
            {
                "gpu_memory_utilization": 0.9,
                "tensor_parallel_size": 1,
                "pipeline_parallel_size": 1,
                "max_num_seqs": 256,
                "max_model_len": None,
                "quantization": "none",
                "enable_prefix_caching": None,
            },
        ),
        ("sglang", {"tensor_parallel_size": 1, "chunked_prefill": True, "mem_fraction_static": 0.9}),
        ("ollama", {"context_length": 4096, "num_gpu": 1}),
        ("triton", {"backend": "tensorrt_llm", "instance_count": 1}),
        ("lmdeploy", {"tensor_parallel_size": 1, "cache_max_entry_count": 0.8, "session_len": None}),
        ("openai", {}),
    ],
)
def test_the_settings_of_a_framework_have_these_defaults(name: str, defaults: dict[str, object]) -> None:
    assert asdict(TypeAdapter(REGISTRY[name].settings).validate_python({})) == defaults


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("vllm", {"gpu_memory_utilization": 1.2}),
        ("vllm", {"tensor_parallel_size": 0}),
        ("vllm", {"quantization": "int4"}),
        ("sglang", {"mem_fraction_static": -0.1}),
        ("triton", {"backend": "onnx"}),
        ("ollama", {"context_length": 0}),
        ("lmdeploy", {"cache_max_entry_count": 2}),
    ],
)
def test_settings_out_of_range_are_refused(name: str, bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(REGISTRY[name].settings).validate_python(bad)


METRICS = {
    "vllm": (metric_names.VLLM, "vllm/metrics-busy.prom", {"prefix_cache_hit_share"}),
    "sglang": (
        metric_names.SGLANG,
        "sglang/metrics-busy.prom",  # these have no series before there is something to count
        {"requests_cancelled", "prompt_tokens_cached", "prefix_cache_hits", "preemptions"},
    ),
    "triton": (metric_names.TRITON, "triton/metrics.prom", {"ttft_s"}),
    "llama.cpp": (metric_names.LLAMA_CPP, "llama.cpp/metrics-busy.prom", {"kv_cache_share"}),
}


@pytest.mark.parametrize(("names", "capture", "untold"), METRICS.values(), ids=METRICS)
def test_the_newest_name_of_every_metric_is_in_what_a_real_server_told(
    names: metric_names.MetricNames, capture: str, untold: set[str]
) -> None:
    families = set(re.findall(r"^# TYPE (\S+) ", body_of(capture).decode(), re.MULTILINE))
    newest = {name: _families(aliases[0]) for name, aliases in names.items()}
    assert {name for name, wanted in newest.items() if not wanted <= families} == untold


def _families(alias: metric_names.Alias) -> set[str]:
    metric = metric_names.Metric(alias) if isinstance(alias, str) else alias
    return {metric.family, *metric.also, *((metric.per,) if metric.per else ())}


def test_only_ollama_has_no_metrics() -> None:
    assert {name for name, adapter in REGISTRY.items() if not adapter.metric_names} == {"ollama"}


def test_a_server_that_nobody_named_is_known_by_its_page() -> None:
    assert REGISTRY["openai"].metric_names["requests_running"] == (
        "llamacpp:requests_processing",
        "vllm:num_requests_running",
        metric_names.Metric("sglang:num_running_reqs", lags=True),
        "lmdeploy:num_requests_running",
        "tgi_batch_current_size",
    )


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("http://h:8000", "http://h:8000/v1/chat/completions"),
        ("http://h:8000/", "http://h:8000/v1/chat/completions"),
        ("http://h:8000/v1", "http://h:8000/v1/chat/completions"),
        ("https://h/team/a/", "https://h/team/a/v1/chat/completions"),
        ("https://h/team/v1/?key=x", "https://h/team/v1/chat/completions?key=x"),
    ],
)
def test_base_path_and_query_of_the_url_are_kept(base: str, url: str) -> None:
    assert join_url(base, "/v1/chat/completions") == url


def test_the_registry_imports_nothing_heavy() -> None:
    code = "import sys, llmload.frameworks.registry; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"pydantic", "rich", "httpx", "numpy", "scipy", "typer", "yaml", "asyncio"}.isdisjoint(loaded)
