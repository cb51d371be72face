"""Declared against actual, from the file to every report: servers that tell what real ones told."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.command import here, llmload, measured_apart, write_scenario
from tests.frameworks.captured import body_of
from tests.target.openai_server import Answer, Document, Script, as_json, chat_answer, counted_words, events, serving


def chat(document: Document) -> Answer:
    return chat_answer(document, counted_words(document))


def parts(_: Document) -> Answer:
    return events({"text_output": "yes"}, {"text_output": " sir"}, end=b"")


OPENAI = {"/health": Answer(body=b""), "/v1/chat/completions": chat}
SERVERS: Mapping[str, Script] = {
    "vllm": Script(
        {
            **OPENAI,
            "/v1/models": Answer(body=body_of("vllm/models.txt")),
            "/version": Answer(body=body_of("vllm/version.txt")),
            "/metrics": Answer(body=body_of("vllm/metrics-busy.prom"), content_type="text/plain"),
        }
    ),
    "sglang": Script(
        {
            **OPENAI,
            "/v1/models": Answer(body=body_of("sglang/get-v1-models.txt")),
            "/server_info": Answer(body=body_of("sglang/get-server_info.txt")),
        }
    ),
    "triton": Script(
        {
            "/v2/health/ready": Answer(body=b""),
            "/v2": Answer(body=body_of("triton/get-v2.txt")),
            "/v2/repository/index": as_json([{"name": "vllm_like", "version": "1", "state": "READY"}]),
            "/v2/models/vllm_like/config": Answer(body=body_of("triton/get-v2-models-vllm_like-config.txt")),
            "/v2/models/vllm_like/generate_stream": parts,
        }
    ),
}


@pytest.mark.parametrize(
    ("framework", "settings", "told", "contradicted"),
    [
        pytest.param(
            "vllm",
            "{gpu_memory_utilization: 0.9, enable_prefix_caching: false, max_model_len: 2048, quantization: fp8}",
            [
                "verified enable_prefix_caching true, gpu_memory_utilization 0.92, max_model_len 2048",
                "declared quantization fp8 (not told by the server)",
                "assumed  max_num_seqs 256 (not told by the server), pipeline_parallel_size 1",
            ],
            [
                "enable_prefix_caching: declared false, and the server says true",
                "gpu_memory_utilization: declared 0.9, and the server says 0.92",
            ],
            id="vllm",
        ),
        pytest.param("vllm", "{gpu_memory_utilization: 0.92, max_model_len: null}", [], [], id="vllm as it is"),
        pytest.param("vllm", "{}", ["gpu_memory_utilization 0.92"], [], id="vllm of which nothing is declared"),
        pytest.param(
            "sglang",
            "{tensor_parallel_size: 2, mem_fraction_static: 0.1, chunked_prefill: true}",
            ["verified chunked_prefill true, mem_fraction_static 0.1, tensor_parallel_size 1"],
            ["tensor_parallel_size: declared 2, and the server says 1"],
            id="sglang",
        ),
        pytest.param(
            "triton",
            "{backend: vllm, instance_count: 1}",
            ["verified backend python, instance_count 1"],
            ["backend: declared vllm, and the server says python"],
            id="triton",
        ),
    ],
)
def test_a_dry_run_tells_what_the_server_has_otherwise(
    tmp_path: Path, framework: str, settings: str, told: list[str], contradicted: list[str]
) -> None:
    with serving(SERVERS[framework]) as server:
        target = {"url": server.url, "framework": framework}
        path = write_scenario(tmp_path, target=target, target__framework_config=settings)
        done = here("apply", "--dry-run", "server", path.name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [words for words in told if words not in done.stdout] == []
    found = [line.strip() for line in done.stdout.splitlines() if line.startswith("  differs")]
    assert found == [f"differs  framework_config.{words}" for words in contradicted]


@pytest.mark.measuring
def test_a_disagreement_is_told_before_the_load_stored_and_in_every_report(tmp_path: Path) -> None:
    with serving(SERVERS["vllm"]) as server:
        target = {"url": server.url, "framework": "vllm", "framework_config": {"gpu_memory_utilization": 0.5}}
        unheld = "{server_metrics: none}"  # its page stands still
        formats = "[markdown, csv, json, junit]"
        path = write_scenario(tmp_path, target=target, reports__formats=formats, telemetry=unheld)
        done = measured_apart("apply", path.name, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "declared otherwise" in done.stderr.partition("concurrency 4")[0]
    words = "expected 0.5, found 0.92"
    shown = [done.stdout, *(llmload(verb, "latest", cwd=tmp_path).stdout for verb in ("show", "gate"))]
    assert all(words in " ".join(text.split()) for text in shown)
    reports = tmp_path / "reports/chat"
    result = json.loads((reports / "result.json").read_bytes())
    (finding,) = result["findings"]
    subject = "framework_config.gpu_memory_utilization"
    assert (finding["subject"], finding["expected"], finding["actual"]) == (subject, "0.5", "0.92")
    assert result["target"]["settings"]["gpu_memory_utilization"] == 0.92
    assert '"gpu_memory_utilization":0.92' in result["fingerprint"]["framework_config"]
    assert f"{subject}: {words}" in (reports / "report.md").read_text().replace("\\_", "_")
    assert words in (reports / "steps.csv").read_text()
    properties = {each.get("name"): each.get("value") for each in ET.parse(reports / "junit.xml").iter("property")}
    assert words in (properties[f"finding: {subject} (declared otherwise)"] or "")
