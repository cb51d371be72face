"""The probe: what a server is, how words become its tokens, and every way in which it cannot be used."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from llmload.domain import TokenSource
from llmload.errors import TargetError
from llmload.frameworks.vllm import VllmSettings
from llmload.planned import LongestConversation, PlannedRequest, Room
from llmload.scenario.lengths import Fixed
from llmload.target.probe import Longest, Probed, probe
from llmload.workload.plan import Plan
from tests.target.asking import a_target, a_workload
from tests.target.openai_server import (
    Answer,
    Document,
    Script,
    as_json,
    chat_answer,
    counted_words,
    events,
    healthy,
    serving,
)

CHAT = "/v1/chat/completions"


LONGEST = Room(64, 16)


def probe_of(script: Script, longest: Longest = LONGEST, **changes: object) -> Probed:
    """Probe the scripted server; `changes` are of the target."""
    with serving(script):
        target = a_target(script.url, **changes)  # type: ignore[arg-type]  # each test names fields of the target
        return probe(target, script.url, workload=a_workload(), env={}, longest=longest)


def refusal_of(script: Script, **changes: object) -> TargetError:
    with pytest.raises(TargetError) as caught:
        probe_of(script, **changes)
    assert caught.value.exit_code == 5
    assert script.url in str(caught.value)
    return caught.value


# ---------------------------------------------------------------- what it learns


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "in one piece"])
@pytest.mark.parametrize(("template", "per_word"), [(7, 1), (0, 1), (120, 2)])
def test_words_become_the_tokens_that_the_server_counts(stream: bool, template: int, per_word: int) -> None:
    script = healthy("tiny", template=template, per_word=per_word)
    with serving(script):
        workload = a_workload(1000, stream=stream)
        fit = probe(a_target(script.url), script.url, workload=workload, env={}).facts.fit
    assert fit.source is TokenSource.USAGE
    assert fit.per_word == pytest.approx(per_word, rel=0.01)
    plan = Plan(seed=1, step=0, look=0, input_tokens=Fixed(1000), output_tokens=Fixed(1), unique=True, fit=fit)
    words = len(plan.request(0).prompt.split())
    assert template + per_word * words == pytest.approx(1000, rel=0.01)
    assert fit.residual < 0.02


def test_the_facts_name_model_version_context_and_settings() -> None:
    script = healthy()
    script.answers["/v1/models"] = as_json({"data": [{"id": "qwen", "max_model_len": 4096}]})
    with serving(script):
        target = replace(
            a_target(script.url), framework="vllm", settings=VllmSettings(max_num_seqs=64), declared=("max_num_seqs",)
        )
        probed = probe(target, script.url, workload=a_workload(), env={})
    facts = probed.facts
    assert (facts.model, facts.version, facts.max_model_len) == ("qwen", "9.8.7", 4096)
    assert (facts.settings["max_num_seqs"], facts.declared) == (64, ("max_num_seqs",))
    assert (probed.endpoint.model, probed.endpoint.url, probed.endpoint.stream) == ("qwen", script.url, True)


def test_three_requests_are_sent_and_no_more() -> None:
    script = healthy()
    probe_of(script)
    assert len(script.requests(CHAT)) == 3


def test_a_web_server_in_front_is_no_version() -> None:
    script = healthy()
    del script.answers["/version"]
    assert probe_of(script).facts.version is None


def test_a_url_that_ends_in_v1_or_has_a_prefix_and_a_query_is_understood() -> None:
    with serving(healthy()) as script:
        assert probe(a_target(script.url), script.url + "/v1", workload=a_workload(), env={}).facts.model == "tiny"
        facts = probe(a_target(script.url), script.url + "/?key=s3cr3t", workload=a_workload(), env={}).facts
    assert script.seen[-1].path.endswith("?key=s3cr3t")
    assert facts.url.endswith("?key=***")


def test_a_server_that_cannot_list_its_models_is_trusted_with_the_one_that_is_named() -> None:
    script = healthy()
    script.answers["/v1/models"] = as_json({"detail": "no hub"}, 500)
    assert probe_of(script, model="./tiny-cycle").facts.model == "./tiny-cycle"


def test_without_usage_the_server_is_asked_to_tokenize() -> None:
    script = healthy()
    script.answers[CHAT] = lambda document: chat_answer(document, None)
    script.answers["/tokenize"] = lambda document: as_json({"count": counted_words(document, 5, 3), "tokens": []})
    fit = probe_of(script).facts.fit
    assert (fit.source, fit.template) == (TokenSource.TOKENIZER, 7)
    assert fit.per_word == pytest.approx(3, rel=0.02)


def test_the_tokens_that_llama_cpp_lists_are_counted() -> None:
    def tokenize(document: Document) -> Answer:
        if "content" not in document:
            return as_json({"error": {"message": "no content"}}, 400)
        return as_json({"tokens": list(range(2 * len(str(document["content"]).split())))})

    script = healthy()
    script.answers[CHAT] = lambda document: chat_answer(document, None)
    script.answers["/tokenize"] = tokenize
    assert probe_of(script).facts.fit.per_word == pytest.approx(2, rel=0.02)


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(None, id="no usage"),
        pytest.param(0, id="a count of nothing"),
        pytest.param(12, id="the same count for every prompt"),
    ],
)
def test_a_server_that_does_not_count_is_estimated_and_says_so(
    told: int | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("TIKTOKEN_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    script = healthy()
    script.answers[CHAT] = lambda document: chat_answer(document, told)
    fit = probe_of(script).facts.fit
    assert fit.source is TokenSource.ESTIMATE
    assert fit.per_word == pytest.approx(1.3, abs=0.2)


def test_a_context_that_takes_no_long_prompts_is_fitted_with_short_ones() -> None:
    def answer(document: Document) -> Answer:
        tokens = counted_words(document, 4, 1)
        if tokens > 50:
            return as_json({"error": {"message": "exceeds the context", "n_prompt_tokens": tokens}}, 400)
        return chat_answer(document, tokens)

    script = healthy()
    script.answers[CHAT] = answer
    fit = probe_of(script).facts.fit
    assert fit.source is TokenSource.USAGE
    assert fit.per_word == pytest.approx(1, rel=0.02)


# ---------------------------------------------------------------- what it leaves out


def test_sampling_fields_that_the_server_refuses_are_left_out_and_told() -> None:
    def answer(document: Document) -> Answer:
        if refused := {"ignore_eos", "min_tokens"} & set(document):
            return as_json({"detail": [{"msg": "extra fields", "loc": sorted(refused)}]}, 422)
        return chat_answer(document, counted_words(document))

    script = healthy()
    script.answers[CHAT] = answer
    sampling = {"temperature": 0, "ignore_eos": True, "top_k": 1, "min_tokens": 4}
    with serving(script):
        probed = probe(a_target(script.url), script.url, workload=a_workload(sampling=sampling), env={})
    assert set(probed.facts.left_out) == {"ignore_eos", "min_tokens"}
    assert probed.endpoint.sampling == {"temperature": 0, "top_k": 1}


def test_min_tokens_is_asked_for_with_room_enough() -> None:
    def answer(document: Document) -> Answer:
        if int(str(document["min_tokens"])) > int(str(document["max_tokens"])):
            return as_json({"error": {"message": "min_tokens must be at most max_tokens"}}, 400)
        return chat_answer(document, counted_words(document))

    script = healthy()
    script.answers[CHAT] = answer
    with serving(script):
        workload = a_workload(sampling={"min_tokens": 100})
        assert probe(a_target(script.url), script.url, workload=workload, env={}).facts.left_out == ()


def test_a_plain_request_that_is_refused_ends_the_probe_with_the_servers_words() -> None:
    script = healthy()
    script.answers[CHAT] = as_json({"object": "error", "message": "max_tokens is not supported"}, 400)
    error = refusal_of(script)
    assert error.kind == "RequestRefused"
    assert "HTTP 400, 'max_tokens is not supported'" in error.problem


# ---------------------------------------------------------------- what stops it


def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(TargetError, match=rf"http://127\.0\.0\.1:{port}: cannot connect .*Start the server"):
        probe(a_target(""), f"http://127.0.0.1:{port}", workload=a_workload(), env={})
    assert time.monotonic() - began < 2


def test_a_server_that_accepts_nobody_is_given_up_within_the_connect_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, socket.socket() as first, socket.socket() as second:
        for caller in (first, second):  # the queue of a server that never accepts is full after one
            caller.setblocking(False)
            caller.connect_ex(deaf.getsockname())
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(TargetError, match=r"nothing answers within 0\.3 s.*target\.timeout\.connect"):
            probe(a_target(url, connect_s=0.3), url, workload=a_workload(), env={})
        assert time.monotonic() - began < 2


def test_an_unknown_host() -> None:
    with pytest.raises(TargetError, match=r"the host nowhere\.invalid is unknown .*Correct the host"):
        probe(a_target(""), "http://nowhere.invalid:1", workload=a_workload(), env={})


@pytest.mark.parametrize("url", ["localhost:8000", "http://", "http://[::1", "ftp://127.0.0.1", "http://h:99999"])
def test_what_is_no_url_of_a_server(url: str) -> None:
    with pytest.raises(TargetError, match=r"target\.url"):
        probe(a_target(""), url, workload=a_workload(), env={})


def test_a_server_that_is_still_loading_is_waited_for() -> None:
    calls = count()
    script = healthy()
    script.answers["/health"] = lambda _: Answer(503 if next(calls) < 2 else 200)
    assert probe_of(script).facts.model == "tiny"


def test_a_server_that_goes_on_loading_is_not_ready() -> None:
    script = healthy()
    script.answers["/health"] = as_json({"error": {"message": "Loading model"}}, 503)
    error = refusal_of(script, connect_s=0.3)
    assert (error.kind, "Loading model" in error.problem) == ("ServerNotReady", True)


def test_a_model_that_is_not_served_is_told_before_any_request() -> None:
    script = healthy("small", "large")
    error = refusal_of(script, model="medium")
    assert (error.kind, "it serves small, large" in error.problem) == ("ModelNotServed", True)
    assert not script.requests(CHAT)


def test_with_several_models_one_must_be_named() -> None:
    error = refusal_of(healthy("small", "large"))
    assert (error.kind, "it serves 2 models (small, large)" in error.problem) == ("ModelNotServed", True)


def test_of_thousands_of_models_an_error_lists_twenty() -> None:
    error = refusal_of(healthy(*(f"m{n}" for n in range(3000))))
    assert error.problem.endswith("m18, m19 and 2,980 more)")


def test_a_stream_that_ends_with_done_and_without_a_reason_is_whole_for_the_probe_as_for_the_load() -> None:
    script = healthy()
    script.answers[CHAT] = events({"choices": [{"delta": {"content": "yes"}}]})
    assert probe_of(script).facts.model == "tiny"


def test_without_a_list_a_model_must_be_named() -> None:
    script = healthy()
    del script.answers["/v1/models"]
    error = refusal_of(script)
    assert ("does not list its models" in error.problem, "target.framework" in error.remedy) == (True, True)


def test_a_model_that_only_the_request_shows_to_be_unknown() -> None:
    script = healthy()
    del script.answers["/v1/models"]
    script.answers[CHAT] = as_json({"error": {"message": "The model `x` does not exist."}}, 404)
    assert refusal_of(script, model="x").kind == "ModelNotServed"


@pytest.mark.parametrize("path", ["/v1/models", CHAT])
@pytest.mark.parametrize("status", [401, 403])
def test_wrong_credentials_name_the_remedy(path: str, status: int) -> None:
    script = healthy()
    script.answers[path] = as_json({"error": {"message": "bad key"}}, status)
    error = refusal_of(script)
    assert (error.kind, "target.api_key" in error.remedy) == ("Unauthorized", True)


def test_an_api_that_is_not_there() -> None:
    script = healthy()
    assert "/v1/completions" in refusal_of(script, api="completions").problem


def test_a_redirect_is_told_and_not_followed() -> None:
    script = healthy()
    script.answers[CHAT] = Answer(307, headers={"location": "http://elsewhere/"})
    assert "elsewhere" in refusal_of(script).problem


def failing(times: int, failure: Answer) -> Callable[[Document], Answer]:
    """A chat that fails so many times and then works."""
    calls = count()
    return lambda document: failure if next(calls) < times else chat_answer(document, counted_words(document))


FAILURES = [
    pytest.param(as_json({"error": "busy"}, 500), id="HTTP 500"),
    pytest.param(as_json({"error": "slow down"}, 429), id="HTTP 429"),
    pytest.param(Answer(body=b"data: {", content_type="text/event-stream", cut=True), id="hung up"),
    pytest.param(Answer(body=b"data: {\n\n", content_type="text/event-stream"), id="no JSON"),
    pytest.param(events({"error": {"message": "out of memory"}}), id="an error inside the stream"),
    pytest.param(events({"choices": [{"delta": {"content": "half"}}]}, end=b""), id="a stream that stops short"),
    pytest.param(Answer(body=b""), id="nothing at all"),
]


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_that_passes_is_tried_again(failure: Answer) -> None:
    script = healthy()
    script.answers[CHAT] = failing(1, failure)
    assert probe_of(script).facts.fit.source is TokenSource.USAGE


def test_a_server_that_always_fails_is_not_loaded() -> None:
    script = healthy()
    script.answers[CHAT] = as_json({"error": {"message": "CUDA error"}}, 500)
    error = refusal_of(script)
    assert (error.kind, "failed 6 times, last with HTTP 500, 'CUDA error'" in error.problem) == ("TrialFailed", True)


def test_a_server_without_streams_is_told_how_to_be_measured() -> None:
    script = healthy()
    script.answers[CHAT] = lambda document: chat_answer({**document, "stream": False}, 9)
    assert "workload.stream: false" in refusal_of(script).problem


def test_requests_longer_than_the_context_are_refused_before_the_load() -> None:
    script = healthy()
    script.answers["/v1/models"] = as_json({"data": [{"id": "tiny", "max_model_len": 70}]})
    error = refusal_of(script)
    assert error.kind == "ContextTooShort"
    assert "its context is 70 tokens, and requests may ask for 64 in and 16 out" in error.problem


def test_a_context_that_the_last_turn_of_a_conversation_would_pass_is_refused_in_its_words() -> None:
    script = healthy(template=10)
    script.answers["/v1/models"] = as_json({"data": [{"id": "tiny", "max_model_len": 300}]})
    with pytest.raises(TargetError) as caught:
        probe_of(script, Room(260, 20, further_turns=3))
    error = caught.value
    assert error.kind == "ContextTooShort"
    assert "turn 4 of a conversation, which sends all that was said before, may ask for 290 in" in error.problem
    assert "fewer sessions.turns" in error.remedy


@pytest.mark.parametrize(("context", "is_enough"), [(79, False), (80, True)])
def test_the_longest_conversation_of_a_file_is_counted_by_the_server_and_its_answers_are_added(
    context: int, is_enough: bool
) -> None:
    """One word of the user costs one token, and each request the template: 10 + 10, then 40 and 20 of answers."""
    script = healthy(template=10)
    script.answers["/v1/models"] = as_json({"data": [{"id": "tiny", "max_model_len": context}]})
    last = PlannedRequest(0, "", None, 20, ({"role": "user", "content": "why " * 10},))
    longest = LongestConversation(last, earlier_tokens=40, turns=3)
    if is_enough:
        assert probe_of(script, longest).facts.max_model_len == context
        return
    with pytest.raises(TargetError) as caught:
        probe_of(script, longest)
    assert "turn 3 of a conversation, which sends all that was said before, may ask for 60 in" in caught.value.problem
    assert "leave such rows out (prompts.file.max_characters)" in caught.value.remedy
