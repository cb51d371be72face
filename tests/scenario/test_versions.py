"""Documents of older versions: golden conversions, warnings with their lines, and that they mean something."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmload.scenario.conversion import convert_text
from llmload.scenario.loader import load, load_text

OLD = sorted(path for path in (Path(__file__).parent / "v1alpha1").glob("*.yaml") if ".v1." not in path.name)
ENV = {"SERVER_URL": "http://host:1", "TIMEOUT": "30"}


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in OLD])
def test_an_old_document_converts_to_the_golden_one(path, update_goldens):
    text, notices = convert_text(path.read_text(), path.name)
    golden = path.with_suffix(".v1.yaml")
    shown = "".join(f"# {notice}\n" for notice in notices) + text
    if update_goldens:
        golden.write_text(shown)
    assert golden.read_text() == shown


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in OLD])
def test_the_converted_document_means_the_same(path):
    old = load(path, env=ENV)
    new = load_text(convert_text(path.read_text(), "x")[0], "x", env=ENV, directory=Path())
    assert new.document.sha256 == old.document.sha256
    assert (new.target, new.load, new.slo, new.workload) == (old.target, old.load, old.slo, old.workload)


def test_bare_numbers_get_the_unit_they_always_had():
    found = load(Path(__file__).parent / "v1alpha1" / "plain.yaml", env={})
    assert (found.slo.ttft_ms, found.slo.tpot_ms, found.slo.e2e_ms) == (500.0, 50.5, 30_000.0)
    assert found.target.timeouts.total_s == 120.0
    assert found.name == "qwen-qwen3-14b"


def test_vllm_config_alone_means_vllm():
    found = load(Path(__file__).parent / "v1alpha1" / "vllm-config-only.yaml", env=ENV)
    assert (found.target.framework, found.target.settings.quantization) == ("vllm", "none")
    assert found.notices == ("line 6: vllm_config is deprecated; write framework: vllm and framework_config.",)


def test_framework_config_wins_over_vllm_config_and_a_located_warning_says_so():
    found = load(Path(__file__).parent / "v1alpha1" / "both-configs.yaml", env={})
    assert found.target.settings.max_num_seqs == 64
    assert found.notices == ("line 6: vllm_config is ignored, since framework_config is written too; delete it.",)


def test_the_triton_adapter_without_framework_means_triton():
    found = load(Path(__file__).parent / "v1alpha1" / "adapter-triton.yaml", env={})
    assert (found.target.framework, found.target.api) == ("triton", "generate")


def test_a_document_of_today_stays_as_it_is():
    text = "apiVersion: llmload/v1 # mine\n"
    assert convert_text(text, "x") == (text, ("is llmload/v1 already.",))


def test_set_uses_the_paths_of_today():
    path = Path(__file__).parent / "v1alpha1" / "plain.yaml"
    assert load(path, sets=["spec.load.requests=7"], env={}).load.requests == 7
