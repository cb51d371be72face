"""Against llama.cpp's real HTTP server, which closes after every stream and caches prompts by default."""

from __future__ import annotations

import statistics
import threading

import pytest

from llmload.domain import Look, Outcome, Phase, RequestRecord, Step, TokenSource
from llmload.errors import TargetError
from llmload.load.pool import Pool
from llmload.load.window import Window
from llmload.target.probe import Probed, probe
from llmload.workload.plan import Plan
from llmload.workload.tokens import counter_for
from tests.engines.conftest import Engine
from tests.engines.tiny_model import ANSWER_TOKENS
from tests.target.asking import a_target, a_workload

INPUT_TOKENS = 256
CONCURRENCY = 8
REQUESTS = 200


@pytest.fixture(scope="module")
def probed(llama_cpp: Engine) -> Probed:
    return probe(a_target(llama_cpp.url), llama_cpp.url, workload=a_workload(INPUT_TOKENS, 64), env={})


@pytest.fixture(scope="module")
def measured(probed: Probed) -> list[RequestRecord]:
    workload = a_workload(INPUT_TOKENS, 64)
    plan = Plan(
        seed=42,
        step=0,
        look=0,
        input_tokens=workload.input_tokens,
        output_tokens=workload.output_tokens,
        unique=True,
        fit=probed.facts.fit,
    )
    window = Window(
        look=Look(Step(0, "concurrency", CONCURRENCY), 0, REQUESTS),
        endpoint=probed.endpoint,
        plan=plan,
        slo=None,
        concurrency=CONCURRENCY,
        warmup=16,
        duration_s=None,
        cooldown_s=0,
        max_duration_s=60,
    )
    with Pool() as pool:
        observation = pool.observe(window, on_progress=lambda _: None, stop=threading.Event())
    return [record for record in observation.records if record.phase is Phase.MEASURED]


def test_the_probe_finds_the_model_and_how_much_it_takes(probed: Probed) -> None:
    assert (probed.facts.model, probed.facts.version, probed.facts.max_model_len) == ("tiny", "llama.cpp", 1024)
    assert probed.facts.fit.source is TokenSource.USAGE


def test_a_model_that_is_not_served_is_told_before_any_load(llama_cpp: Engine) -> None:
    with pytest.raises(TargetError, match="does not serve the model 'big'; it serves tiny") as caught:
        probe(a_target(llama_cpp.url, model="big"), llama_cpp.url, workload=a_workload(), env={})
    assert caught.value.kind == "ModelNotServed"


def test_every_one_of_200_requests_is_answered_with_exactly_41_tokens(measured: list[RequestRecord]) -> None:
    assert len(measured) == REQUESTS
    assert {record.outcome for record in measured} == {Outcome.OK}
    assert {record.output_tokens for record in measured} == {ANSWER_TOKENS}
    assert {record.finish_reason for record in measured} == {"stop"}


def test_prompts_are_as_long_as_asked_by_the_servers_own_count(measured: list[RequestRecord]) -> None:
    told = [record.input_tokens or 0 for record in measured]
    assert statistics.mean(told) == pytest.approx(INPUT_TOKENS, rel=0.02)
    # a vocabulary of 1024 cuts common words into up to five tokens, so single prompts differ
    assert statistics.pstdev(told) < 0.05 * INPUT_TOKENS


def test_prompts_are_not_served_from_the_servers_cache(probed: Probed, measured: list[RequestRecord]) -> None:
    prompt_tokens = sum(record.input_tokens or 0 for record in measured)
    beyond_template = sum(max(0, (record.cached_tokens or 0) - probed.facts.fit.template) for record in measured)
    assert beyond_template / prompt_tokens < 0.02


def test_the_models_tokenizer_file_counts_what_the_server_counts(
    llama_cpp: Engine, measured: list[RequestRecord]
) -> None:
    counter = counter_for("tiny", str(llama_cpp.model.tokenizer))
    texts = [record.text for record in measured if record.text is not None]
    assert texts, "the worker keeps some answers for this"
    assert {counter.count(text) for text in texts} == {ANSWER_TOKENS - 1}  # the end of the turn has no text
