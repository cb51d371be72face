"""`llmload frameworks`: what a scenario may name, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

from llmload.frameworks.registry import REGISTRY
from tests.command import here


def test_it_lists_every_framework_with_its_apis_settings_and_defaults(tmp_path: Path) -> None:
    done = here("frameworks", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    blocks = {block.split()[0]: block for block in done.stdout.split("\n\n")}
    assert sorted(blocks) == sorted(REGISTRY)
    assert "api: chat (default), completions" in blocks["vllm"]
    (line,) = (line for line in blocks["vllm"].splitlines() if "quantization" in line)
    assert line.split(maxsplit=2) == ["quantization", "none", "awq or gptq or fp8 or int8 or none"]


def test_json_has_the_same_for_programs(tmp_path: Path) -> None:
    done = here("frameworks", "--json", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert found["refused"] == []
    assert [each["name"] for each in found["frameworks"]] == sorted(REGISTRY)
    (vllm,) = (each for each in found["frameworks"] if each["name"] == "vllm")
    assert {"name": "max_model_len", "type": "whole number >= 1 or null", "default": None} in vllm["settings"]
