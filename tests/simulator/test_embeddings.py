"""Embeddings as a client sees them: vectors that the text decides, counted as prompts and as nothing else."""

from __future__ import annotations

import math
import struct
from base64 import b64decode

import pytest

from tests.simulator.asking import ask, look

PATH = "/v1/embeddings"


def embedded(quick, words: object, **fields: object) -> dict:
    got = ask(quick.url, PATH, {"model": "simulated", "input": words, **fields})
    assert got.status_code == 200, got.text
    return got.json()


def test_equal_texts_have_equal_vectors_of_length_one_and_others_do_not(quick):
    first, again, other = (embedded(quick, words)["data"][0]["embedding"] for words in ("a b", "a b", "a c"))
    assert first == again != other
    assert math.hypot(*first) == pytest.approx(1, abs=1e-5)


def test_its_tokens_are_those_of_the_prompt_and_none_of_an_answer(quick):
    assert embedded(quick, "one two three")["usage"] == {
        "prompt_tokens": 3,
        "total_tokens": 3,
        "completion_tokens": 0,
    }
    truth = quick.truth()["requests"][-1]
    assert (truth["outcome"], truth["prompt_tokens"], truth["output_tokens"]) == ("ok", 3, 0)


def test_the_page_of_metrics_counts_no_generated_token(quick):
    def told(name: str) -> float:
        lines = look(quick.url, "/metrics").text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"vllm:{name}{{"))

    names = ("generation_tokens_total", "prompt_tokens_total", "time_to_first_token_seconds_count")
    before = [told(name) for name in names]
    embedded(quick, "one two three")
    assert [told(name) - was for name, was in zip(names, before, strict=True)] == [0, 3, 0]


def test_several_texts_have_a_vector_each(quick):
    found = embedded(quick, ["one", "two words"])
    assert [each["index"] for each in found["data"]] == [0, 1]
    assert found["usage"]["prompt_tokens"] == 3


def test_base64_is_the_same_vector(quick):
    plain = embedded(quick, "one", dimensions=100)["data"][0]["embedding"]
    coded = b64decode(embedded(quick, "one", dimensions=100, encoding_format="base64")["data"][0]["embedding"])
    assert struct.unpack("<100f", coded) == pytest.approx(plain, abs=1e-6)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"input": ""}, "the input is empty", id="empty"),
        pytest.param({}, "input must be a text", id="nothing"),
        pytest.param({"input": [1, 2]}, "input must be a text", id="token ids"),
        pytest.param({"input": "a " * 3000}, "maximum context length is 2048", id="too long"),
        pytest.param({"input": "a", "dimensions": 0}, "dimensions must be", id="no dimension"),
        pytest.param({"input": "a", "encoding_format": "xml"}, "encoding_format", id="a format it does not know"),
    ],
)
def test_what_it_refuses(quick, fields, words):
    got = ask(quick.url, PATH, {"model": "simulated", **fields})
    assert got.status_code == 400
    assert words in got.json()["error"]["message"]
