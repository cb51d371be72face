"""The JSON Schema for editors: current, sound, and of one mind with the models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from llmload.errors import ScenarioError
from llmload.frameworks.registry import REGISTRY
from llmload.scenario.loader import read_cells, read_document
from llmload.scenario.schema import (
    FILE_NAME,
    PRESET_FILE_NAME,
    against_schema,
    preset_schema,
    preset_schema_text,
    scenario_schema,
    schema_text,
)
from llmload.scenario.starters import starter
from llmload.scenario.tree import plain, read

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
GOOD = [*sorted((HERE / "good").glob("*.yaml")), *sorted((ROOT / "scenarios").glob("*.yaml"))]


def test_the_committed_schema_is_the_generated_one():
    assert (ROOT / "schemas" / FILE_NAME).read_text(encoding="utf-8") == schema_text(), "run `make docs`"


def test_the_committed_schema_of_presets_is_the_generated_one():
    assert (ROOT / "schemas" / PRESET_FILE_NAME).read_text(encoding="utf-8") == preset_schema_text(), "run `make docs`"
    Draft202012Validator.check_schema(preset_schema())


PART = "apiVersion: llmload/v1\nkind: Preset\n"


@pytest.mark.parametrize(
    ("text", "is_fine"),
    [
        pytest.param(PART + "spec: {load: {requests: 5}, recommend: {headroom: 5%}}\n", True, id="parts of sections"),
        pytest.param(PART + "spec: {target: {framework: vllm, framework_config: {max_num_seqs: 9}}}\n", True,
                     id="settings of a framework"),
        pytest.param(PART + "spec: {target: {framework_config: {max_num_seqs: 9}}}\n", True, id="of one unsaid"),
        pytest.param(PART + "spec: {target: {framework: vllm, framework_config: {seqs: 9}}}\n", False, id="unknown"),
        pytest.param(PART + "spec: {load: {request: 5}}\n", False, id="a key nobody knows"),
        pytest.param(PART + "spec: {gates: [{min: 5%}]}\n", False, id="half a gate"),
        pytest.param(PART.replace("Preset", "Scenario") + "spec: {}\n", False, id="another kind"),
        pytest.param(PART + "extends: ['preset:rag']\nspec: {}\n", False, id="a second level"),
    ],
)  # fmt: skip
def test_editors_know_presets(text, is_fine):
    root, _ = read(text, "f")
    assert root is not None
    assert Draft202012Validator(preset_schema()).is_valid(plain(root)) == is_fine


@pytest.mark.parametrize(
    ("rest", "is_fine"),
    [
        pytest.param("spec: {}\n", False, id="nothing said of the server"),
        pytest.param("extends: [base.yaml]\n", True, id="all of it may be inherited"),
        pytest.param("extends: [base.yaml]\nspec: {target: {framework_config: {max_num_seqs: 1}}}\n", True,
                     id="settings of an inherited framework"),
        pytest.param("extends: base.yaml\nspec: {}\n", False, id="no list"),
        pytest.param("extends: null\nspec: {}\n", False, id="nothing is inherited"),
        pytest.param("spec: {target: {url: 'http://a', framework_config: {max_num_seqs: 1}}}\n", False,
                     id="settings of no framework"),
    ],
)  # fmt: skip
def test_editors_know_what_may_be_inherited(rest, is_fine):
    root, _ = read(f"apiVersion: llmload/v1\nkind: Scenario\nmetadata: {{name: s}}\n{rest}", "f")
    assert root is not None
    assert Draft202012Validator(scenario_schema()).is_valid(plain(root)) == is_fine


def test_it_is_sound_and_of_the_draft_that_editors_know():
    Draft202012Validator.check_schema(scenario_schema())
    assert json.loads(schema_text())["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in GOOD])
def test_good_documents_please_the_schema(path):
    assert [problem for loaded in read_cells(path, env={}) for problem in against_schema(loaded)] == []


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
