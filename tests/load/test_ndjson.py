"""Lines of JSON, cut wherever the network likes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.load.ndjson import LineCutter
from llmload.load.sse import MAX_EVENT_BYTES, EventTooLargeError

LINES = st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1), max_size=6)


@given(LINES, st.data())
def test_where_the_stream_is_cut_does_not_matter(lines: list[str], data: st.DataObject) -> None:
    stream = "".join(line + "\n" for line in lines).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    cutter, payloads = LineCutter(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        payloads += cutter.feed(stream[start:end])
    assert payloads == [line.encode().strip() for line in lines if line.encode().strip()]
    assert cutter.held == 0


def test_a_line_whose_end_never_came_is_no_event() -> None:
    cutter = LineCutter()
    assert cutter.feed(b'{"a":1}\r\n\n{"b"') == [b'{"a":1}']
    assert cutter.held == len(b'{"b"')


def test_an_endless_line_is_given_up() -> None:
    cutter = LineCutter()
    for _ in range(MAX_EVENT_BYTES // 65536):
        assert cutter.feed(b"x" * 65536) == []
    with pytest.raises(EventTooLargeError):
        cutter.feed(b"x")
