"""What embeddings ask, and what counts as an answer to them."""

from __future__ import annotations

import orjson
import pytest

from llmload.endpoint import Endpoint
from llmload.frameworks.adapter import Event, Usage
from llmload.frameworks.embeddings import DIALECT, EMBEDDINGS
from llmload.frameworks.registry import REGISTRY
from llmload.planned import PlannedRequest

REQUEST = PlannedRequest(index=0, prompt="say it", input_tokens=2, output_tokens=0)
VECTOR = {"object": "list", "data": [{"index": 0, "object": "embedding", "embedding": [0.5, -1, 0.25]}]}


def _endpoint(**sampling: object) -> Endpoint:
    return Endpoint("http://127.0.0.1:1", "openai", EMBEDDINGS, "tiny", stream=False, sampling=sampling)


def test_a_text_is_asked_for_as_numbers_and_nothing_is_generated() -> None:
    sent = orjson.loads(DIALECT.body(_endpoint(dimensions=8, input="other"), REQUEST))
    assert sent == {"model": "tiny", "input": "say it", "encoding_format": "float", "dimensions": 8}
    assert DIALECT.path_for(_endpoint()) == "/v1/embeddings"


def test_fields_about_generating_have_no_place() -> None:
    assert DIALECT.unknown_sampling(_endpoint(temperature=0, dimensions=8, ignore_eos=True)) == (
        "temperature",
        "ignore_eos",
    )


@pytest.mark.parametrize(
    ("document", "event"),
    [
        pytest.param(
            {**VECTOR, "usage": {"prompt_tokens": 5, "total_tokens": 5}}, Event(usage=Usage(5, 0)), id="usage"
        ),
        pytest.param(VECTOR, Event(usage=Usage(None, 0)), id="nobody counts"),
        pytest.param({"error": {"message": "no\nroom"}}, Event(error="no room"), id="an error of status 200"),
    ],
)
def test_a_whole_answer(document: object, event: Event) -> None:
    assert DIALECT.read_answer(orjson.dumps(document)) == event


@pytest.mark.parametrize(
    "document",
    [
        pytest.param([], id="a list"),
        pytest.param({"choices": [{"message": {"content": "hello"}}]}, id="a chat"),
        pytest.param({"data": []}, id="no vector"),
        pytest.param({"data": [{"embedding": []}]}, id="an empty vector"),
        pytest.param({"data": [{"embedding": [0.5, None]}]}, id="a hole in it"),
        pytest.param({"data": [{"embedding": [True]}]}, id="no numbers"),
        pytest.param({"data": [{"embedding": "AAAAAA=="}]}, id="base64, which was not asked for"),
        pytest.param({"data": {"embedding": [0.5]}}, id="data is no list"),
    ],
)
def test_what_holds_no_embedding_is_not_the_protocol(document: object) -> None:
    with pytest.raises(ValueError, match=r"embedding|JSON object"):
        DIALECT.read_answer(orjson.dumps(document))


def test_no_framework_is_tested_by_embeddings_unless_asked() -> None:
    apis = {name: list(adapter.dialects) for name, adapter in REGISTRY.items()}
    assert {name for name, known in apis.items() if EMBEDDINGS in known} == {"ollama", "openai", "sglang", "vllm"}
    assert all(known[0] != EMBEDDINGS for known in apis.values())
