"""Reading an event without parsing it gives what parsing it gives, or nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.frameworks.adapter import Event
from llmload.frameworks.openai import read_event
from llmload.load.sse import Cutter
from llmload.load.stencil import Stencil


def _chunk(text: str, *, model: str = "tiny", ascii_only: bool = False) -> bytes:
    document = {
        "id": "x-1",
        "model": model,
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}],
    }
    return b"data: " + json.dumps(document, ensure_ascii=ascii_only).encode() + b"\n\n"


def _learnt(text: str, **form: object) -> Stencil:
    stencil = Stencil()
    stencil.learn(_chunk(text, **form), text)  # type: ignore[arg-type]
    return stencil


@given(st.text(), st.text(max_size=30), st.booleans(), st.sampled_from(["tiny", "other"]))
def test_any_text_is_read_as_the_parser_reads_it_or_not_at_all(
    first: str, text: str, ascii_only: bool, model: str
) -> None:
    chunk = _chunk(text, model=model, ascii_only=ascii_only)
    assert _learnt(first).text_in(chunk) in ("", text)


@given(st.binary(max_size=40))
def test_any_bytes_between_the_frames_mean_what_they_mean_to_the_parser(middle: bytes) -> None:
    before, after = _chunk(" the").split(b" the")
    chunk = before + middle + after
    if text := _learnt(" the").text_in(chunk):
        assert [read_event(payload) for payload in Cutter().feed(chunk)] == [Event(text)]


def test_the_next_token_of_the_same_stream_is_read() -> None:
    assert _learnt(" the").text_in(_chunk(" né日本🙂")) == " né日本🙂"


@pytest.mark.parametrize(
    ("first", "chunk"),
    [
        pytest.param(" the", b'data: {"choices":[]}\n\n', id="another frame"),
        pytest.param("tiny", _chunk(" a"), id="learnt from a text that stands there twice"),
        pytest.param(" the", _chunk(""), id="no text"),
        pytest.param(" the", _chunk('say "x"'), id="an escaped text"),
        pytest.param(" the", _chunk(" a") + _chunk(" b"), id="two events"),
        pytest.param(" the", _chunk(" a")[:-1], id="an event without its end"),
        pytest.param(" the", _chunk(" the")[:40], id="a part of an event"),
    ],
)
def test_what_does_not_fit_is_left_to_the_parser(first: str, chunk: bytes) -> None:
    assert _learnt(first).text_in(chunk) == ""


def test_a_server_that_changes_the_frame_with_every_event_is_not_tried_for_ever() -> None:
    stencil = Stencil()
    for number in range(20):
        stencil.learn(_chunk(" a", model=f"m{number}"), " a")
    assert stencil.text_in(_chunk(" b", model="m19")) == ""
    assert stencil.text_in(_chunk(" b", model="m7")) == " b"


def test_a_field_that_happens_to_say_the_same_is_not_taken_for_the_text() -> None:
    stencil = Stencil()
    stencil.learn(b'data: {"id":"Hi","choices":[{"delta":{"content":"\\u0048i"}}]}\n\n', "Hi")
    assert not stencil.text_in(b'data: {"id":"No","choices":[{"delta":{"content":"\\u0048i"}}]}\n\n')
