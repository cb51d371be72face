"""What every adapter has: where requests go, and readers that remember."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from llmload.endpoint import Endpoint
from llmload.frameworks.adapter import Event, Unrepeated, fill_path
from llmload.frameworks.openai import DIALECTS

ENDPOINT = Endpoint("http://h", "openai", "chat", "org/model one", True, {})


def test_the_name_of_the_model_is_one_part_of_the_path() -> None:
    assert fill_path("/v2/models/{model}/generate", "org/model one?") == "/v2/models/org%2Fmodel%20one%3F/generate"


def test_whole_answers_may_be_asked_for_elsewhere() -> None:
    dialect = replace(DIALECTS["chat"], path="/{model}/stream", whole_path="/{model}/whole")
    assert dialect.path_for(ENDPOINT) == "/org%2Fmodel%20one/stream"
    assert dialect.path_for(replace(ENDPOINT, stream=False)) == "/org%2Fmodel%20one/whole"
    assert DIALECTS["chat"].path_for(replace(ENDPOINT, stream=False)) == "/v1/chat/completions"


@given(st.lists(st.text(max_size=5), max_size=12))
def test_a_text_that_is_repeated_with_every_event_is_told_once(parts: list[str]) -> None:
    read = Unrepeated(lambda payload: Event(payload.decode("utf-8", "surrogatepass")))
    so_far = ["".join(parts[: count + 1]) for count in range(len(parts))]
    told = [read(text.encode("utf-8", "surrogatepass")).answer for text in so_far]
    assert told == parts


def test_an_end_that_is_written_anew_is_told_anew() -> None:
    read = Unrepeated(lambda payload: Event(payload.decode()))
    told = [read(text.encode()).answer for text in ("ab\ufffd", "ab日", "", "ab日c")]
    assert told == ["ab\ufffd", "日", "", "c"]


def test_every_answer_has_a_reader_of_its_own() -> None:
    repeating = replace(DIALECTS["chat"], read_event=lambda payload: Event(payload.decode()), memory=Unrepeated)
    first, second = repeating.reader(), repeating.reader()
    assert [first(b"a").answer, second(b"ab").answer, first(b"ab").answer] == ["a", "ab", "b"]
