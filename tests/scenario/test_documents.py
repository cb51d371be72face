"""Good documents: defaults, units, what a document means, and that storing one loses nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from llmload.analysis.sample_size import check_reachable
from llmload.errors import ScenarioError, StoreError, UsageError
from llmload.frameworks.registry import REGISTRY
from llmload.promises import Slo
from llmload.scenario import asked
from llmload.scenario.document.target import PROFILES
from llmload.scenario.lengths import Fixed, Lognormal, Normal, Uniform
from llmload.scenario.loader import load, load_document, load_resolved, load_text, read_cells
from llmload.scenario.traffic import Synthetic, Workload
from llmload.simulator.profiles import PROFILES as SIMULATED

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SMALLEST = """\
apiVersion: llmload/v1
kind: Scenario
metadata: {name: smallest}
spec:
  target: {url: http://localhost:8000}
"""


def scenario(spec: str = "", target: str = "url: http://localhost:8000", **env: str) -> asked.Scenario:
    text = f"apiVersion: llmload/v1\nkind: Scenario\nmetadata: {{name: s}}\nspec:\n  target: {{{target}}}\n{spec}"
    return load_text(text, "s.yaml", env=env, directory=Path("scenarios"))


def test_what_is_not_written_has_the_documented_default():
    found = load_text(SMALLEST, "s.yaml", env={}, directory=Path())
    assert found.target.framework == "openai"
    assert found.target.api == "chat"
    assert found.target.timeouts == asked.Timeouts(5.0, 60.0, 600.0)
    assert found.target.declared == ()
    assert found.load == asked.Load(
        shape=asked.ClosedLoop((1, 10, 50, 100, 200)),
        requests=200,
        duration_s=None,
        warmup_requests=None,
        cooldown_s=0.0,
        max_duration_s=300.0,
        max_in_flight=1000,
        workers=None,
    )
    assert found.workload == Workload(Synthetic(Fixed(256), Fixed(512), True), {"temperature": 0}, True, 42)
    assert found.decision == asked.Decision(0.95, 1600, 1, "warn", "warn", "warn")
    assert found.reports == asked.Reports("reports", ("markdown", "html", "junit", "excel", "csv", "json"))
    assert (found.slo, found.gates, found.recommend, found.notices) == (None, (), None, ())


def test_triton_is_asked_through_generate():
    assert scenario(target="url: http://localhost:8000, framework: triton").target.api == "generate"


def test_more_requests_than_usual_raise_the_limit_of_sampling():
    assert scenario("  load: {requests: 5000}\n").decision.max_requests == 5000


def test_a_duration_alone_leaves_the_number_of_requests_open():
    found = scenario("  load: {duration: 1m30s}\n").load
    assert (found.requests, found.duration_s) == (None, 90.0)


@pytest.mark.parametrize(
    ("written", "lengths"),
    [
        pytest.param("300", Fixed(300), id="fixed"),
        pytest.param("{mean: 256, stdev: 64}", Normal(256.0, 64.0, 1, 512), id="normal, bounds derived"),
        pytest.param("{mean: 9, stdev: 2, min: 8, max: 10}", Normal(9.0, 2.0, 8, 10), id="normal"),
        pytest.param("{uniform: [64, 512]}", Uniform(64, 512), id="uniform"),
        pytest.param("{lognormal: {mean: 9, stdev: 2, max: 40}}", Lognormal(9.0, 2.0, 1, 40), id="lognormal"),
    ],
)
def test_lengths_come_in_four_shapes(written, lengths):
    found = scenario(f"  workload: {{prompts: {{synthetic: {{input_tokens: {written}}}}}}}\n")
    assert found.workload.prompts.input_tokens == lengths


def test_slo_terms_are_milliseconds():
    assert scenario("  slo: {ttft: 0.5s, tpot: 2500us}\n").slo == Slo(500.0, 2.5, None)


def test_settings_are_typed_and_remember_which_were_written():
    found = scenario(target="url: http://x, framework: vllm, framework_config: {max_num_seqs: 64}").target
    assert (found.settings.max_num_seqs, found.settings.tensor_parallel_size) == (64, 1)
    assert found.declared == ("max_num_seqs",)


def test_the_simulator_takes_quantities_with_units():
    found = scenario(
        target="simulator: {profile: h100, prefill: 500 tok/s, decode_base: 2ms, decode_per_seq: 50us, "
        "api_key: {env: KEY}, faults: {error_rate: 5%, slow_first_byte_rate: 1%, slow_first_byte: 300ms}}"
    ).target.place
    assert found == asked.Simulator(
        profile="h100",
        prefill_tokens_per_s=500.0,
        decode_base_ms=2.0,
        decode_per_seq_ms=0.05,
        api_key=asked.SecretRef(env="KEY"),
        framework="openai",
        faults=asked.Faults(error_rate=0.05, slow_first_byte_rate=0.01, slow_first_byte_s=0.3),
    )


def test_the_profiles_a_scenario_may_name_are_those_of_the_simulator():
    assert set(PROFILES) == set(SIMULATED)


def test_files_lie_beside_the_scenario():
    found = scenario(
        "  workload: {tokenizer: {file: tok.json}}\n",
        target="url: http://x, api_key: {file: /etc/key}, tls: {ca_file: ca.pem}",
    )
    assert found.workload.tokenizer_file == "scenarios/tok.json"
    assert found.target.tls.ca_file == "scenarios/ca.pem"
    assert found.target.api_key == asked.SecretRef(file="/etc/key")


def test_gates_know_the_lines_they_stand_on():
    found = scenario("  gates:\n    - goodput >= 95%\n    - metric: error_rate\n      max: 1%\n")
    assert [gate.line for gate in found.gates] == [7, 8]


GOOD = [*sorted((HERE / "good").glob("*.yaml")), *sorted((ROOT / "scenarios").glob("*.yaml"))]


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in GOOD])
def test_good_documents_are_valid(path):
    assert all(loaded.document.metadata.name for loaded in read_cells(path, env={}))


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in GOOD])
def test_a_stored_document_reads_back_to_the_same_scenario(path):
    for loaded in read_cells(path, env={}):
        reads_back(load_document(loaded, path.parent))


def reads_back(before):
    after = load_resolved(before.document.resolved)
    assert after.document.resolved == before.document.resolved
    assert after.document.sha256 == before.document.sha256
    assert after.document.source == before.document.source
    headers = tuple((name, "***") for name, _ in before.target.headers)
    place = before.target.place
    if isinstance(place, asked.ServerUrl) and "?" in place.url:
        place = asked.ServerUrl(place.url.split("?")[0] + "?tenant=***")
    expected = replace(before, target=replace(before.target, headers=headers, place=place), document=after.document)
    assert after == expected


@pytest.mark.parametrize(
    "path", [pytest.param(path, id=path.stem) for path in sorted((ROOT / "scenarios").glob("*.yaml"))]
)
def test_a_run_s_stored_document_keeps_its_notice(path):
    for loaded in read_cells(path, env={}):
        before = load_document(loaded, path.parent)
        after = load_resolved(before.document.resolved)
        assert after.notices == before.notices
        assert after.reports == before.reports


@pytest.mark.parametrize("framework", sorted({*REGISTRY} - {"openai"}))
def test_every_framework_has_a_runnable_scenario_that_declares_settings(framework):
    found = load(ROOT / "scenarios" / f"{framework}.yaml", env={})
    check_reachable(found)
    assert found.target.framework == framework
    assert found.target.declared


def test_the_resolved_document_is_itself_a_valid_document():
    resolved = json.loads(scenario("  slo: {ttft: 500ms}\n").document.resolved)
    resolved.pop("x-origin")
    again = load_text(json.dumps(resolved), "resolved.yaml", env={}, directory=Path())
    assert again.document.sha256 == scenario("  slo: {ttft: 500ms}\n").document.sha256


@pytest.mark.parametrize(
    ("written", "now"),
    [('"framework":"vllm"', '"framework":"gone"'), ('"max_num_seqs":64', '"a_setting_of_old":64')],
    ids=["the framework", "a setting"],
)
def test_a_stored_document_is_read_when_what_it_names_is_gone(written, now):
    asked_then = scenario(target="url: http://x, framework: vllm, framework_config: {max_num_seqs: 64}")
    resolved = asked_then.document.resolved
    assert written in resolved
    after = load_resolved(resolved.replace(written, now))
    assert (after.load, after.workload, after.gates) == (asked_then.load, asked_then.workload, asked_then.gates)
    assert now in after.document.resolved


def test_spelling_does_not_change_the_hash_but_meaning_does():
    one = scenario("  slo: {ttft: 500ms} # tight\n").document.sha256
    assert one == scenario("  slo:\n    ttft: 0.5s\n").document.sha256
    assert one != scenario("  slo: {ttft: 501ms}\n").document.sha256


@pytest.mark.parametrize("stored", ["", "{}", "[1]", "null", '{"x-origin": {}}', '{"x-origin": 5}'])
def test_a_stored_document_that_cannot_be_read_says_so(stored):
    with pytest.raises(StoreError, match="cannot be read"):
        load_resolved(stored)


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="cannot be read: no such file"):
        load(tmp_path / "none.yaml", env={})


def test_a_file_that_is_not_utf_8_is_told_with_its_place(tmp_path):
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"apiVersion: llmload/v1\nname: \xe9\n")
    with pytest.raises(ScenarioError, match=r"latin\.yaml:2:7: document: not UTF-8 text"):
        load(path, env={})


def test_a_file_that_is_too_large_is_not_read_to_its_end(tmp_path):
    path = tmp_path / "large.yaml"
    path.write_text("a: " + "é" * 600_000)
    with pytest.raises(ScenarioError, match="more than 1 MB of YAML"):
        load(path, env={})
