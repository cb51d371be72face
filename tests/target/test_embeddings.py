"""The probe of a server that embeds, and of one that does not."""

from __future__ import annotations

import pytest

from llmload.domain import TokenSource
from llmload.errors import TargetError
from llmload.frameworks.embeddings import EMBEDDINGS
from llmload.planned import Room
from llmload.target.probe import Probed, probe
from tests.target.asking import a_target, a_workload
from tests.target.openai_server import Answer, Document, Script, as_json, healthy, serving

PATH = "/v1/embeddings"


def embedding(request: Document) -> Answer:
    """A vector, and two tokens a word after one at the beginning."""
    tokens = 1 + 2 * len(str(request["input"]).split())
    return as_json({"data": [{"embedding": [0.5, 0.5]}], "usage": {"prompt_tokens": tokens, "total_tokens": tokens}})


def probe_of(script: Script) -> Probed:
    workload = a_workload(stream=False, sampling={})
    with serving(script):
        target = a_target(script.url, api=EMBEDDINGS)
        return probe(target, script.url, workload=workload, env={}, longest=Room(64, 0))


def test_three_vectors_tell_how_many_tokens_words_are() -> None:
    script = healthy("tiny")
    script.answers[PATH] = embedding
    fit = probe_of(script).facts.fit
    assert fit is not None
    assert (fit.template, fit.per_word, fit.source) == (2, pytest.approx(2, rel=0.01), TokenSource.USAGE)
    assert len(script.requests(PATH)) == 3


@pytest.mark.parametrize(
    ("status", "words"),
    [
        pytest.param(501, "This server does not support embeddings. Start it with `--embeddings`", id="llama.cpp"),
        pytest.param(400, "The model does not support Embeddings API", id="vLLM"),
        pytest.param(404, "Not Found", id="no such path"),
    ],
)
def test_a_server_that_does_not_embed_says_so_once(status: int, words: str) -> None:
    script = healthy("tiny")
    script.answers[PATH] = lambda _: as_json({"error": {"message": words}}, status)
    with pytest.raises(TargetError, match="Serve a model that embeds") as caught:
        probe_of(script)
    assert words in str(caught.value)
    assert len(script.requests(PATH)) == 1


def test_texts_beyond_the_batch_of_llama_cpp_are_tried_shorter() -> None:
    """Its refusal has status 500, which is otherwise one that may pass."""
    script = healthy("tiny")

    def small_batch(request: Document) -> Answer:
        if len(str(request["input"]).split()) <= 100:
            return embedding(request)
        return as_json({"error": {"code": 500, "message": "input (600 tokens) is too large to process."}}, 500)

    script.answers[PATH] = small_batch
    fit = probe_of(script).facts.fit
    assert fit is not None
    assert fit.per_word == pytest.approx(2, rel=0.01)
    assert len(script.requests(PATH)) <= 5
