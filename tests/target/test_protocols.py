"""The probe of servers that are not OpenAI's: their readiness, models, versions, and what is learnt before planning."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from llmload.domain import TokenSource
from llmload.errors import TargetError
from llmload.frameworks.ollama import OllamaSettings
from llmload.frameworks.registry import REGISTRY
from llmload.planned import Room
from llmload.scenario.asked import Target
from llmload.target.identity import identify
from llmload.target.probe import Longest, Probed, probe
from tests.frameworks.captured import body_of
from tests.target.asking import a_target, a_workload
from tests.target.openai_server import Answer, Document, Script, as_json, serving

CONFIG = body_of("triton/get-v2-models-vllm_like-config.txt")


def _probe(script: Script, framework: str, api: str, **changes: object) -> Probed:
    workload = a_workload(**changes.pop("workload", {}))  # type: ignore[arg-type]  # each test names its fields
    longest: Longest | None = changes.pop("longest", None)  # type: ignore[assignment]  # each test names its fields
    with serving(script):
        target: Target = replace(
            a_target(script.url, api=api),
            framework=framework,
            **{"settings": REGISTRY[framework].settings(), **changes},  # type: ignore[arg-type]  # as above
        )
        return probe(target, script.url, workload=workload, env={}, longest=longest)


def _lines(*documents: Mapping[str, object]) -> Answer:
    body = b"".join(json.dumps(document).encode() + b"\n" for document in documents)
    return Answer(body=body, content_type="application/x-ndjson")


def _words(text: object) -> int:
    return len(str(text).split())


def an_ollama() -> Script:
    """Two models, one of them loaded; every prompt costs five tokens more than it has words."""

    def chat(document: Document) -> Answer:
        (message,) = document["messages"]  # type: ignore[misc]  # as the adapter writes it
        done = {"message": {"content": ""}, "done": True, "done_reason": "length"}
        counts = {"prompt_eval_count": 5 + _words(message["content"]), "eval_count": 2}
        return _lines({"message": {"content": "yes"}, "done": False}, {**done, **counts})

    models = [{"name": "llama3:latest"}, {"name": "mistral:7b"}]
    return Script(
        {
            "/api/version": as_json({"version": "0.12.6"}),
            "/api/tags": as_json({"models": models}),
            "/api/ps": as_json({"models": [{"name": "llama3:latest", "context_length": 4096}]}),
            "/api/chat": chat,
        }
    )


def test_ollama_is_fitted_by_its_own_counts_and_told_how_to_load() -> None:
    script = an_ollama()
    probed = _probe(
        script,
        "ollama",
        "chat",
        model="llama3",
        settings=OllamaSettings(context_length=2048),
        declared=("context_length",),
        workload={"sampling": {"temperature": 0, "ignore_eos": True}},
    )
    facts = probed.facts
    assert (facts.version, facts.model, facts.max_model_len) == ("0.12.6", "llama3", 2048)
    assert (facts.fit.source, facts.fit.template) == (TokenSource.USAGE, 5)
    assert facts.left_out == ("ignore_eos",)
    assert probed.endpoint.sampling == {"temperature": 0}
    asked = script.requests("/api/chat")
    assert len(asked) == 3
    assert all(each.document["options"]["num_ctx"] == 2048 for each in asked)  # type: ignore[index]  # a map


def test_the_context_of_a_loaded_model_is_known_where_none_is_declared() -> None:
    assert _probe(an_ollama(), "ollama", "chat", model="llama3").facts.max_model_len == 4096
    with pytest.raises(TargetError, match="its context is 4096 tokens"):
        _probe(an_ollama(), "ollama", "chat", model="llama3", longest=Room(5000, 16))


def test_several_models_of_ollama_are_told_so_that_one_can_be_named() -> None:
    with pytest.raises(TargetError, match=r"it serves 2 models \(llama3:latest, mistral:7b\)"):
        _probe(an_ollama(), "ollama", "chat")


def test_a_model_that_ollama_has_not_pulled_is_not_served() -> None:
    script = an_ollama()
    script.answers["/api/tags"] = as_json({"models": []})
    script.answers["/api/chat"] = as_json({"error": "model 'nope' not found"}, 404)
    with pytest.raises(TargetError, match="does not serve the model 'nope'"):
        _probe(script, "ollama", "chat", model="nope")


def a_triton(config: bytes = CONFIG) -> Script:
    """A model like the captured one, that streams two words or tells them at once."""

    def generate(document: Document) -> Answer:
        return as_json({"text_output": " yes sir"})

    def stream(document: Document) -> Answer:
        parts = [{"text_output": " yes"}, {"text_output": " sir"}]
        body = b"".join(b"data: " + json.dumps(part).encode() + b"\n\n" for part in parts)
        return Answer(body=body, content_type="text/event-stream")

    model = "/v2/models/vllm_like"
    return Script(
        {
            "/v2": Answer(body=body_of("triton/get-v2.txt")),
            "/v2/health/ready": Answer(body=b""),
            "/v2/repository/index": Answer(body=body_of("triton/repository-index.txt")),
            f"{model}/config": Answer(body=config),
            f"{model}/generate_stream": stream,
            f"{model}/generate": generate,
        }
    )


@pytest.mark.parametrize(("stream", "path"), [(True, "generate_stream"), (False, "generate")])
def test_triton_is_asked_with_the_inputs_of_its_model_and_its_prompts_are_counted_here(stream: bool, path: str) -> None:
    script = a_triton()
    probed = _probe(script, "triton", "generate", workload={"stream": stream, "sampling": {"temperature": 0}})
    facts = probed.facts
    assert (facts.model, facts.version, facts.max_model_len) == ("vllm_like", "2.51.0", None)
    assert facts.fit.source in (TokenSource.TIKTOKEN, TokenSource.ESTIMATE)
    assert facts.actual == {"backend": "python", "instance_count": 1}
    (asked,) = script.requests(f"/v2/models/vllm_like/{path}")
    assert asked.document["stream"] is stream
    assert set(asked.document) == {
        "text_input",
        "max_tokens",
        "stream",
        "exclude_input_in_output",
        "sampling_parameters",
    }
    assert set(probed.endpoint.learnt["inputs"]) > {"text_input", "sampling_parameters"}  # type: ignore[call-overload]  # a map


def test_sampling_that_a_model_has_no_input_for_is_left_out_and_told() -> None:
    inputs = [{"name": name, "data_type": "TYPE_STRING"} for name in ("text_input", "max_tokens", "temperature")]
    script = a_triton(json.dumps({"input": inputs}).encode())
    probed = _probe(script, "triton", "generate", workload={"sampling": {"temperature": 0, "ignore_eos": True}})
    assert probed.facts.left_out == ("ignore_eos",)
    assert probed.endpoint.sampling == {"temperature": 0}


def test_a_triton_that_still_loads_its_models_is_waited_for() -> None:
    script = a_triton()
    replies = iter([Answer(400), Answer(400), Answer(body=b"")])
    script.answers["/v2/health/ready"] = lambda document: next(replies)
    assert _probe(script, "triton", "generate").facts.model == "vllm_like"
    assert len(script.requests("/v2/health/ready")) == 3


def test_an_error_inside_a_success_ends_the_probe_with_the_servers_words() -> None:
    script = a_triton()
    script.answers["/v2/models/vllm_like/generate"] = Answer(body=body_of("triton/error-generate-on-stream.txt"))
    with pytest.raises(TargetError, match="generate expects model to produce exactly 1 response"):
        _probe(script, "triton", "generate", workload={"stream": False})


def test_both_are_recognised_again_by_their_own_models_and_versions() -> None:
    for script, framework, api, model in (
        (an_ollama(), "ollama", "chat", "mistral:7b"),
        (a_triton(), "triton", "generate", "vllm_like"),
    ):
        endpoint = _probe(script, framework, api, model=model).endpoint
        with serving(script):
            found = identify(replace(endpoint, url=script.url))
        assert found is not None
        assert model in found.models
        assert found.version in ("0.12.6", "2.51.0")


def test_the_health_of_sglang_is_asked_once_since_it_generates_a_token() -> None:
    def generate(document: Document) -> Answer:
        meta = {"finish_reason": {"type": "length"}, "prompt_tokens": _words(document["text"]), "completion_tokens": 2}
        events = [
            {"text": " yes", "meta_info": {**meta, "finish_reason": None}},
            {"text": " yes sir", "meta_info": meta},
        ]
        body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
        return Answer(body=body + b"data: [DONE]\n\n", content_type="text/event-stream")

    script = Script(
        {
            "/health": Answer(body=b""),
            "/v1/models": Answer(body=body_of("sglang/get-v1-models.txt")),
            "/get_server_info": Answer(body=body_of("sglang/get-server_info.txt")),
            "/generate": generate,
        }
    )
    probed = _probe(script, "sglang", "generate", workload={"sampling": {"temperature": 0, "min_tokens": 4}})
    assert (probed.facts.version, probed.facts.fit.source) == ("0.5.23", TokenSource.USAGE)
    with serving(script):
        identify(replace(probed.endpoint, url=script.url))
    assert len(script.requests("/health")) == 1
