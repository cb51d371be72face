"""Every framework and API from the probe to the record, offline: the simulator speaks them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from llmload.domain import Outcome, RequestRecord
from llmload.endpoint import Endpoint
from llmload.frameworks.registry import REGISTRY
from llmload.load.window import Window
from llmload.scenario.asked import Faults, ServerUrl, Simulator, Target
from llmload.simulator.process import SimulatorProcess, start
from llmload.target.probe import Probed, probe
from tests.load.windows import window
from tests.target.asking import a_target, a_workload

Measured = Callable[[Window], list[RequestRecord]]
QUICK = Simulator(prefill_tokens_per_s=1e6, decode_base_ms=1.0, decode_per_seq_ms=0.0, mean_answer_tokens=10_000)
SPOKEN = [(name, api) for name, adapter in sorted(REGISTRY.items()) for api in adapter.dialects if api != "embeddings"]
EMBEDDING = [name for name, adapter in sorted(REGISTRY.items()) if "embeddings" in adapter.dialects]
NATIVE = [
    ("openai", "chat"),
    ("ollama", "chat"),
    ("ollama", "generate"),
    ("triton", "generate"),
    ("sglang", "generate"),
]


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorProcess]:
    with start(QUICK, api_key=None) as process:
        yield process


def _probed(url: str, framework: str, api: str, *, stream: bool) -> Probed:
    target: Target = replace(
        a_target(url, api=api), place=ServerUrl(url), framework=framework, settings=REGISTRY[framework].settings()
    )
    return probe(target, url, workload=a_workload(stream=stream), env={})


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("framework", "api"), SPOKEN)
def test_every_api_is_probed_and_measured(
    measured: Measured, simulator: SimulatorProcess, framework: str, api: str, stream: bool
) -> None:
    probed = _probed(simulator.url, framework, api, stream=stream)
    simulator.reset_truth()
    records = measured(window(probed.endpoint, requests=4, warmup=0, keep_texts=4))
    truth = simulator.truth()["requests"]
    assert [record.outcome for record in records] == [Outcome.OK] * 4
    assert len(truth) == 4
    for record in records:
        assert record.text
        assert len(record.text.split()) == 5  # a word is a token of the simulator
        assert record.output_tokens == (None if framework == "triton" else 5)
        assert record.is_streamed is stream
        assert len(record.event_ns) == (5 if stream else 1)
        assert record.finish_reason == (None if framework == "triton" else "length")


@pytest.mark.parametrize("framework", EMBEDDING)
def test_embeddings_are_probed_and_measured(measured: Measured, simulator: SimulatorProcess, framework: str) -> None:
    probed = _probed(simulator.url, framework, "embeddings", stream=False)
    simulator.reset_truth()
    records = measured(window(probed.endpoint, requests=4, warmup=0, keep_texts=4))
    assert [record.outcome for record in records] == [Outcome.OK] * 4
    assert len(simulator.truth()["requests"]) == 4
    for record in records:
        assert (record.text or "", record.output_tokens, record.is_streamed) == ("", 0, False)
        assert record.input_tokens


FAULTS = {
    "error_rate": (Outcome.HTTP_ERROR, "HTTP_500"),
    "stream_error_rate": (Outcome.STREAM_ERROR, "ERROR_IN_STREAM"),
    "malformed_rate": (Outcome.PROTOCOL_ERROR, "JSON_PARSE_ERROR"),
    "disconnect_rate": (Outcome.TRUNCATED, "CONNECTION_ERROR"),
    "stall_rate": (Outcome.TIMEOUT, "TIMEOUT_TOTAL"),
}


@pytest.fixture(scope="module")
def faulty() -> Iterator[Callable[[str], str]]:
    """The URL of a simulator whose every answer has one fault."""
    with ExitStack() as running:
        urls: dict[str, str] = {}

        def url_of(fault: str) -> str:
            if fault not in urls:
                settings = replace(QUICK, faults=Faults(**{fault: 1.0}))
                urls[fault] = running.enter_context(start(settings, api_key=None)).url
            return urls[fault]

        yield url_of


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("framework", "api"), NATIVE)
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_told_apart_in_every_protocol(
    measured: Measured, faulty: Callable[[str], str], fault: str, framework: str, api: str, stream: bool
) -> None:
    target = Endpoint(faulty(fault), framework, api, "simulated", stream, {}, total_timeout_s=1.0)
    (record,) = measured(window(target, requests=1, warmup=0))
    outcome, error_type = FAULTS[fault]
    assert record.outcome is outcome
    assert record.error_type == (error_type if stream else error_type.replace("ERROR_IN_STREAM", "ERROR_IN_BODY"))
    if fault in ("error_rate", "stream_error_rate"):
        assert "fault" in (record.error_text or "")
