"""Against NVIDIA's real Triton Inference Server, which hides failures inside 200 and in most cases counts no tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from llmload.domain import Outcome, Phase, RequestRecord, TokenSource
from llmload.errors import TargetError
from llmload.scenario.asked import Target
from llmload.store.database import open_existing
from llmload.target.probe import probe
from tests.command import llmload, measured_apart, write_scenario
from tests.delaying_proxy import DelayingProxy
from tests.engines.tiny_model import TinyModel
from tests.engines.triton_server import BREAKS_AFTER, BREAKS_EVERY, Triton, serving_triton
from tests.engines.two_sides import TwoSides, another_client, read_sides
from tests.target.asking import a_target, a_workload

pytestmark = pytest.mark.measuring

OUTPUT_TOKENS = 24


@pytest.fixture(scope="module")
def triton(tiny_model: TinyModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Triton]:
    """A server whose models all answer with the words of the tiny model."""
    with serving_triton(tmp_path_factory.mktemp("triton"), tiny_model.words) as server:
        yield server


def the_target(triton: Triton, model: str) -> Target:
    return replace(a_target(triton.url, model=model), framework="triton", api="generate")


def the_scenario(directory: Path, triton: Triton, model: str, tokenizer: Path, **changes: object) -> Path:
    """A hundred streamed answers of 24 tokens, four at a time."""
    asked: dict[str, object] = {
        "target": {"url": triton.url, "framework": "triton", "model": model},
        "workload__prompts": {"synthetic": {"input_tokens": 32, "output_tokens": OUTPUT_TOKENS}},
        "workload__tokenizer": {"file": str(tokenizer)},
        "gates": ["goodput >= 90%", "error_rate <= 5%"],
    }
    return write_scenario(directory, **{**asked, **changes})


def every_record(directory: Path) -> list[RequestRecord]:
    with open_existing(directory / "runs.db") as store:
        stored = store.load(store.find("latest"))
    return [record for window in stored.observations for record in window.records]


def the_measured(directory: Path) -> list[RequestRecord]:
    return [record for record in every_record(directory) if record.phase is Phase.MEASURED]


def told(triton: Triton, metric: str, model: str) -> int:
    """The sum of a counter over all reasons it tells apart."""
    with httpx.Client(trust_env=False) as client:
        lines = client.get(triton.metrics_url).raise_for_status().text.splitlines()
    found = [line for line in lines if re.match(rf'{metric}{{.*model="{model}"', line)]
    assert found, f"{metric} is not among the metrics of {model}"
    return sum(int(line.rpartition(" ")[2]) for line in found)


def test_the_probe_finds_the_version_and_the_model(triton: Triton, tiny_model: TinyModel) -> None:
    asked = a_workload(tokenizer_file=str(tiny_model.tokenizer))
    facts = probe(the_target(triton, "tiny"), triton.url, workload=asked, env={}).facts
    assert (facts.model, facts.version, facts.fit.source) == ("tiny", "2.51.0", TokenSource.TOKENIZER)


def test_a_model_that_is_not_served_is_told_before_any_load(triton: Triton) -> None:
    with pytest.raises(TargetError, match=r"does not serve the model 'big'; it serves .*tiny") as caught:
        probe(the_target(triton, "big"), triton.url, workload=a_workload(), env={})
    assert caught.value.kind == "ModelNotServed"


@pytest.mark.parametrize(
    ("model", "source"),
    [
        pytest.param("tiny", TokenSource.TOKENIZER, id="vLLM's backend"),
        pytest.param("counting", TokenSource.USAGE, id="vLLM's backend that counts"),
        pytest.param("ensemble", TokenSource.TOKENIZER, id="TensorRT-LLM's ensemble"),
    ],
)
def test_streamed_tokens_are_counted_exactly(
    model: str, source: TokenSource, triton: Triton, tiny_model: TinyModel, tmp_path: Path
) -> None:
    scenario = the_scenario(tmp_path, triton, model, tiny_model.tokenizer)
    done = measured_apart("apply", str(scenario), "--store", "runs.db", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    records = the_measured(tmp_path)
    assert len(records) >= 100
    assert {record.outcome for record in records} == {Outcome.OK}
    assert {(record.output_tokens, record.token_source) for record in records} == {(OUTPUT_TOKENS, source)}
    assert {len(record.event_ns) for record in records} == {OUTPUT_TOKENS}


def test_whole_answers_come_without_their_prompt(triton: Triton, tiny_model: TinyModel, tmp_path: Path) -> None:
    scenario = the_scenario(tmp_path, triton, "whole", tiny_model.tokenizer, workload__stream=False)
    done = measured_apart("apply", str(scenario), "--store", "runs.db", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {record.output_tokens for record in the_measured(tmp_path)} == {OUTPUT_TOKENS}


def test_an_error_inside_a_200_is_a_failed_request_though_triton_counts_a_success(
    triton: Triton, tiny_model: TinyModel, tmp_path: Path
) -> None:
    scenario = the_scenario(tmp_path, triton, "breaks", tiny_model.tokenizer, gates=["error_rate <= 1%"])
    done = measured_apart("apply", str(scenario), "--store", "runs.db", cwd=tmp_path)
    assert done.returncode == 3, done.stdout + done.stderr
    records = the_measured(tmp_path)
    broken = [record for record in records if record.outcome is not Outcome.OK]
    assert len(broken) == pytest.approx(len(records) / BREAKS_EVERY, abs=1)
    assert {(record.outcome, record.http_status, record.error_text) for record in broken} == {
        (Outcome.STREAM_ERROR, 200, "the engine has died")
    }
    assert {len(record.event_ns) for record in broken} == {BREAKS_AFTER}
    assert told(triton, "nv_inference_request_failure", "breaks") == 0


def test_the_example_is_contradicted_where_the_server_runs_another_backend(triton: Triton, tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "scenarios" / "triton.yaml"
    done = llmload("apply", "--dry-run", "server", str(example), cwd=tmp_path, env={"TRITON_URL": triton.url})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "differs  framework_config.backend: declared tensorrt_llm, and the server says python" in done.stdout


def the_sides(directory: Path, triton: Triton, tiny_model: TinyModel, model: str, **changes: object) -> TwoSides:
    """Client and server of one run; its metrics have a port of their own."""
    changes = {"telemetry__server_metrics": triton.metrics_url, **changes}
    scenario = the_scenario(directory, triton, model, tiny_model.tokenizer, **changes)
    done = measured_apart("apply", str(scenario), "--store", "runs.db", cwd=directory)
    assert done.returncode == 0, done.stdout + done.stderr
    return read_sides(directory)


def test_requests_of_streams_agree_with_its_count_of_this_model(
    triton: Triton, tiny_model: TinyModel, tmp_path: Path
) -> None:
    sides = the_sides(tmp_path, triton, tiny_model, "counting")
    [requests] = sides.checks  # it times no stream, and counts no tokens
    assert (requests.figure, requests.client) == ("requests", requests.server)
    assert sides.causes == {}


def test_whole_answers_take_as_long_as_it_says(triton: Triton, tiny_model: TinyModel, tmp_path: Path) -> None:
    sides = the_sides(tmp_path, triton, tiny_model, "whole", workload__stream=False)
    assert sides.figures == {"requests", "e2e"}
    assert (sides.disagreeing, sides.causes) == (set(), {}), sides.checks


def test_another_client_of_the_model_is_found(triton: Triton, tiny_model: TinyModel, tmp_path: Path) -> None:
    ask = {"text_input": "Who else is here?", "stream": True}
    with another_client(f"{triton.url}/v2/models/tiny/generate_stream", ask):
        sides = the_sides(tmp_path, triton, tiny_model, "tiny")
    assert sides.disagreeing == {"requests"}
    assert set(sides.causes) == {"other_traffic"}


def test_a_gateway_that_holds_requests_back_is_found(triton: Triton, tiny_model: TinyModel, tmp_path: Path) -> None:
    with DelayingProxy(triton.url, 0.05) as proxy:
        target = {"url": proxy.url, "framework": "triton", "model": "whole"}
        sides = the_sides(tmp_path, triton, tiny_model, "whole", target=target, workload__stream=False)
    assert set(sides.causes) == {"network"}
    assert 40 <= sides.told_ms("network") <= 65
