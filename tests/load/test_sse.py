"""Cutting a stream of server-sent events."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.load.sse import MAX_EVENT_BYTES, Cutter, EventTooLargeError


def _cut(*chunks: bytes) -> list[bytes]:
    cutter = Cutter()
    return [payload for chunk in chunks for payload in cutter.feed(chunk)]


@pytest.mark.parametrize(
    ("stream", "payloads"),
    [
        pytest.param(b"data: a\n\n", [b"a"], id="one event"),
        pytest.param(b"data:a\n\ndata:  b\n\n", [b"a", b" b"], id="one space is the format's, a second one the data's"),
        pytest.param(b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"], id="CRLF"),
        pytest.param(b"data: a\r\rdata: b\r\r", [b"a", b"b"], id="CR"),
        pytest.param(b": ping\n\ndata: a\n\n", [b"a"], id="comment"),
        pytest.param(b"event: x\nid: 1\nretry: 5\ndata: a\n\n", [b"a"], id="other fields"),
        pytest.param(b"data: a\ndata: b\n\n", [b"a\nb"], id="data in two lines"),
        pytest.param(b"data:\ndata: b\n\n", [b"\nb"], id="the first line empty"),
        pytest.param(b"data\ndata: b\n\n", [b"\nb"], id="a field name alone"),
        pytest.param(b"data:\n\ndata: \n\n", [], id="no data"),
        pytest.param(b"\n\n\ndata: a\n\n\n\n", [b"a"], id="more blank lines than needed"),
        pytest.param(b"data: a\n\ndata: unfinished", [b"a"], id="an event without an end is dropped"),
        pytest.param(b"dataset: a\n\n", [], id="a field that only begins like data"),
        pytest.param("data: héllo→\n\n".encode(), ["héllo→".encode()], id="UTF-8"),
    ],
)
def test_payloads_of_a_stream_wherever_it_is_cut(stream: bytes, payloads: list[bytes]) -> None:
    assert _cut(stream) == payloads
    assert _cut(*(bytes([byte]) for byte in stream)) == payloads
    for at in range(len(stream)):
        assert _cut(stream[:at], stream[at:]) == payloads


_LINES = st.sampled_from(
    [b"data: x", b"data:", b"data", b": c", b"", b"event: e", b'data: {"a":1}', "data: é".encode(), b"datum: 1"]
)
_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(st.lists(st.tuples(_LINES, _ENDS), max_size=30), st.lists(st.integers(0, 300), max_size=20))
def test_where_the_network_cuts_the_stream_does_not_matter(lines: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    stream = b"".join(line + end for line, end in lines)
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    pieces = [stream[a:b] for a, b in pairwise(places)]
    assert _cut(*pieces) == _cut(stream) == _cut(*(bytes([byte]) for byte in stream))


def _feed_many(chunk: bytes) -> None:
    cutter = Cutter()
    for _ in range(MAX_EVENT_BYTES // len(chunk) + 2):
        cutter.feed(chunk)


@pytest.mark.parametrize(
    "chunk",
    [
        pytest.param(b"x" * 65536, id="a line without an end"),
        pytest.param(b"data: x\n" * 8000, id="lines without an end"),
    ],
)
def test_an_endless_event_is_refused_before_it_fills_the_memory(chunk: bytes) -> None:
    with pytest.raises(EventTooLargeError):
        _feed_many(chunk)
