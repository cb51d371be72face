"""The probe of a server that is to see images: it is shown some before any load."""

from __future__ import annotations

import pytest

from llmload.domain import TokenFit, TokenSource
from llmload.errors import TargetError
from llmload.planned import Room
from llmload.scenario.lengths import Fixed
from llmload.scenario.traffic import NoiseImages
from llmload.target.probe import Probed, probe
from llmload.workload.plan import Plan
from tests.target.asking import a_target, a_workload
from tests.target.openai_server import Answer, Document, Script, as_json, chat_answer, counted_words, healthy, serving

CHAT = "/v1/chat/completions"
FIT = TokenFit(0.0, 1.0, 0.0, TokenSource.ESTIMATE)
PLAN = Plan(0, 0, 0, Fixed(1), Fixed(1), unique=True, fit=FIT, images=NoiseImages(1, 16, 16))


def shown(script: Script, context: int = 4096) -> Probed:
    script.answers["/v1/models"] = as_json({"data": [{"id": "tiny", "max_model_len": context}]})
    with serving(script):
        room = Room(100, 16, sample=PLAN.request(0))
        return probe(a_target(script.url), script.url, workload=a_workload(100), env={}, longest=room)


def seeing(tokens: int) -> Script:
    """A server to which every image is so many tokens."""
    script = healthy("tiny")

    def answer(request: Document) -> Answer:
        content = request["messages"][0]["content"]  # type: ignore[index]
        return chat_answer(request, counted_words(request) if isinstance(content, str) else 8 + tokens)

    script.answers[CHAT] = answer
    return script


def test_a_server_that_sees_is_shown_one_image() -> None:
    script = seeing(500)
    shown(script)
    assert [isinstance(each.document["messages"][0]["content"], list) for each in script.requests(CHAT)] == [  # type: ignore[index]
        *(False, False, False, True)
    ]


def test_what_an_image_costs_counts_for_the_context() -> None:
    shown(seeing(500), context=700)
    with pytest.raises(TargetError, match="its context is 600 tokens, and requests may ask for 600 in and 16 out"):
        shown(seeing(500), context=600)


def test_a_server_that_does_not_see_says_so_before_any_load() -> None:
    script = healthy("tiny")

    def blind(request: Document) -> Answer:
        if isinstance(request["messages"][0]["content"], str):  # type: ignore[index]
            return chat_answer(request, counted_words(request))
        return as_json({"error": {"message": "image input is not supported"}}, 400)

    script.answers[CHAT] = blind
    with pytest.raises(
        TargetError, match=r"it refuses a prompt with images with .*image input is not supported"
    ) as error:
        shown(script)
    assert error.value.kind == "ImagesRefused"
