"""The JSON Schema for editors: current, sound, and of one mind with the models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from llmload.errors import ScenarioError
from llmload.frameworks.registry import REGISTRY
from llmload.scenario.loader import read_document
from llmload.scenario.schema import FILE_NAME, against_schema, scenario_schema, schema_text
from llmload.scenario.starters import starter
from llmload.scenario.tree import plain, read

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
GOOD = [*sorted((HERE / "good").glob("*.yaml")), *sorted((ROOT / "scenarios").glob("*.yaml"))]


def test_the_committed_schema_is_the_generated_one():
    assert (ROOT / "schemas" / FILE_NAME).read_text(encoding="utf-8") == schema_text(), "run `make docs`"


def test_it_is_sound_and_of_the_draft_that_editors_know():
    Draft202012Validator.check_schema(scenario_schema())
    assert json.loads(schema_text())["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in GOOD])
def test_good_documents_please_the_schema(path):
    assert against_schema(read_document(path, env={})) == []


@pytest.mark.parametrize("framework", sorted(REGISTRY))
def test_starters_are_valid_and_please_the_schema(framework, tmp_path):
    path = tmp_path / "starter.yaml"
    path.write_text(starter(framework))
    loaded = read_document(path, env={})
    assert loaded.document.spec.target.framework == framework
    assert against_schema(loaded) == []


def test_a_framework_s_settings_are_found_in_its_starter():
    assert "#   max_num_seqs: 256" in starter("vllm")
    assert "framework_config" not in starter("openai")


def test_uncommented_settings_are_valid_too(tmp_path):
    text = "".join(line.replace("    # framework_config:", "    framework_config:").replace("    #   ", "      ")
                   for line in starter("sglang").splitlines(keepends=True))  # fmt: skip
    path = tmp_path / "starter.yaml"
    path.write_text(text)
    assert read_document(path, env={}).document.spec.target.framework_config


@pytest.mark.parametrize(
    "bad",
    ["key-unknown", "setting-unknown", "settings-for-openai", "slo-without-unit", "api-unknown", "length-as-text",
     "concurrency-not-a-list", "format-unknown", "api-key-literal", "policy-unknown"],
)  # fmt: skip
def test_editors_see_common_mistakes(bad):
    path = HERE / "bad" / f"{bad}.yaml"
    with pytest.raises(ScenarioError):
        read_document(path, env={})
    root, _ = read(path.read_text(), "f")
    assert root is not None
    assert list(Draft202012Validator(scenario_schema()).iter_errors(plain(root)))


def test_the_wish_for_capacity_of_a_starter_is_valid_once_it_is_uncommented(tmp_path):
    text = starter("vllm").replace("  # recommend:", "  recommend:").replace("  #   peak", "    peak")
    path = tmp_path / "starter.yaml"
    path.write_text(text.replace("  #   gpu:", "    gpu:"))
    recommend = read_document(path, env={}).document.spec.recommend
    assert recommend is not None
    assert recommend.gpu is not None
    assert (recommend.peak_concurrency, recommend.gpu.usd_per_hour) == (500, 2.49)
