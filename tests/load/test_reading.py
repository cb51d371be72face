"""Whatever way a stream is framed and cut, it is read as a plain reading of the same bytes has it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from time import monotonic_ns

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmload.frameworks.adapter import Dialect, Usage
from llmload.frameworks.openai import DIALECTS
from llmload.frameworks.registry import REGISTRY
from llmload.load.exchange import Exchange
from llmload.load.transport import Connection
from tests.load.test_captures import CAPTURES, NATIVE, STREAMS, api_of, captured
from tests.scripted_server import chunk, head

DONE = b"data: [DONE]\n\n"
END = b"0\r\n\r\n"


@pytest.fixture(scope="module", autouse=True)
def runner() -> Iterator[asyncio.Runner]:
    """One loop for the timers of all answers; nothing here waits for one."""
    with asyncio.Runner() as running:
        _LOOPS.append(running.get_loop())
        yield running
        _LOOPS.clear()


_LOOPS: list[asyncio.AbstractEventLoop] = []


class Nowhere(asyncio.Transport):
    """The socket of a connection whose reads are given to it by hand."""

    def write(self, data: object) -> None: ...

    def abort(self) -> None: ...

    def is_closing(self) -> bool:
        return False


@dataclass
class Told:
    """What became of an answer: its texts by the read that completed them, and how it ended."""

    texts: list[list[str]] = field(default_factory=list)
    usage: Usage | None = None
    finish: str | None = None
    failure: str | None = None

    @property
    def whole(self) -> tuple[str, Usage | None, str | None, str | None, int]:
        """The same, wherever the reads were cut."""
        flat = [text for read in self.texts for text in read]
        return "".join(flat), self.usage, self.finish, self.failure, len(flat)


def read_by_us(reads: Sequence[bytes], kind: type[Exchange] = Exchange, dialect: Dialect = DIALECTS["chat"]) -> Told:
    """What an exchange makes of `reads`. Each text must carry an instant of its own read."""

    async def read() -> Told:
        exchange = kind(dialect, 5, 10)
        connection = Connection(set())
        connection.connection_made(Nowhere())
        exchange.begin(connection, b"")
        told = Told()
        for data in reads:
            before_ns, known = monotonic_ns() // 1000 * 1000, len(exchange.texts)
            connection.data_received(data)
            assert all(before_ns <= instant <= monotonic_ns() for instant in exchange.event_ns[known:])
            told.texts.append(exchange.texts[known:])
        if not exchange.is_over:
            exchange.lose()
        assert len(exchange.event_ns) == len(exchange.texts)
        assert exchange.reads == sum(map(bool, told.texts))
        told.usage, told.finish = exchange.usage, exchange.finish_reason
        told.failure = exchange.failure.error_type if exchange.failure else None
        return told

    return _LOOPS[0].run_until_complete(read())


def read_plainly(body: bytes) -> tuple[list[tuple[int, str]], Usage | None, str | None, str | None]:
    """The texts of a body with the place where each event ends, and how it went; by split, json and if."""
    texts, usage, finish, at = [], None, None, 0
    for block in body.split(b"\n\n")[:-1]:
        at += len(block) + 2
        data = [line[5:].removeprefix(b" ") for line in block.split(b"\n") if line.startswith(b"data:")]
        if not data:
            continue
        payload = b"\n".join(data)
        if payload == b"[DONE]":
            return texts, usage, finish, None
        try:
            document = json.loads(payload)
        except ValueError:
            return texts, usage, finish, "JSON_PARSE_ERROR"
        if told := document.get("usage"):
            cached = (told.get("prompt_tokens_details") or {}).get("cached_tokens")
            usage = Usage(told["prompt_tokens"], told["completion_tokens"], cached, told.get("reasoning_tokens"))
        for choice in document["choices"][:1]:
            delta = choice.get("delta", choice)
            text = (delta.get("reasoning_content") or "") + (delta.get("content") or delta.get("text") or "")
            if text:
                texts.append((at, text))
            finish = choice.get("finish_reason") or finish
    return texts, usage, finish, None if finish else "TRUNCATED"


def expected(body: bytes, chunks: Sequence[bytes], places: Sequence[int]) -> Told:
    """What a plain reading says of `body`, where the read ends at `places` of the stream that has `chunks`."""
    texts, usage, finish, failure = read_plainly(body)
    found: list[list[str]] = [[] for _ in places[1:]]
    on_the_wire = _wire_places(chunks)
    for at, text in texts:
        place = on_the_wire[at - 1]
        found[next(number for number, end in enumerate(places[1:]) if place < end)].append(text)
    return Told(found, usage, finish, failure)


def _wire_places(chunks: Sequence[bytes]) -> list[int]:
    """For each byte of the body, its place in the stream."""
    places, start = [], len(head())
    for each in chunks:
        line = each.index(b"\r\n") + 2
        size = int(each[:line].split(b";")[0], 16)
        places += range(start + line, start + line + size)
        start += len(each)
    return places


# ---------------------------------------------------------------- streams

_TEXTS = st.one_of(
    st.sampled_from([" the", " a", "né", "日本🙂", 'say "x"', "\\", "\n", "", " ", "x" * 40, "data: {", "}\n\n"]),
    st.text(max_size=12),
)
_RAW = st.sampled_from(  # between the quotes of a text, as no JSON encoder would write it
    [b"\xff", b"\xc3", b"\xa9", b'a","x":"b', b'a"},"finish_reason":"stop","x":{"y":"', b"\x00", b"\x7f", b"a\nb", b'"']
)


def _event(document: object, ascii_only: bool = False) -> bytes:
    return b"data: " + json.dumps(document, ensure_ascii=ascii_only, separators=(",", ":")).encode() + b"\n\n"


def _delta(delta: object, finish: str | None = None, **more: object) -> bytes:
    return _event({"id": "x-1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more})


def _raw(written: bytes) -> bytes:
    before, after = _delta({"content": " the"}).split(b" the")
    return before + written + after


_CONTENT = st.builds(lambda text: _delta({"content": text}), _TEXTS)
_EVENTS = st.one_of(
    _CONTENT,
    _CONTENT,
    st.builds(lambda text: _delta({"reasoning_content": text}), _TEXTS),
    st.builds(lambda text: _delta({"content": text, "extra": 1}), _TEXTS),
    st.builds(lambda text: _delta({"content": text}, extra=text), _TEXTS),
    st.builds(lambda text: _delta({"role": "assistant", "content": text}), _TEXTS),
    st.builds(lambda text: _event({"choices": [{"delta": {"content": text}}]}, ascii_only=True), _TEXTS),
    st.builds(
        lambda n: _delta({"content": " a"}, usage={"prompt_tokens": 3, "completion_tokens": n}), st.integers(0, 9)
    ),
    st.sampled_from([b": ping\n\n", b"event: x\nid: 1\n", b"\n", _delta({"content": ""}, "stop"), DONE]),
)
_BODIES = st.builds(
    lambda first, events, end: first + b"".join(events) + end,
    _CONTENT,
    st.lists(_EVENTS, max_size=20),
    st.sampled_from([_delta({"content": ""}, "length") + DONE, DONE, b"", b"data: {"]),
)
_SIZES = st.sampled_from(["%x", "%X", "%04x", "%x;ext=1", "%x;e"])


@dataclass(frozen=True)
class Sent:
    """A body in chunks, and where its reads are cut."""

    body: bytes
    chunks: list[bytes]
    trailers: bytes
    places: list[int]

    @property
    def wire(self) -> bytes:
        """Everything that goes over the socket."""
        return head() + b"".join(self.chunks) + self.trailers

    @property
    def reads(self) -> list[bytes]:
        """What each read of the socket gives."""
        return [self.wire[a:b] for a, b in pairwise(self.places)]


def _cut_at(whole: bytes, places: Sequence[int]) -> list[bytes]:
    ends = sorted({0, len(whole), *(place for place in places if place < len(whole))})
    return [whole[a:b] for a, b in pairwise(ends)]


@st.composite
def sent(draw: st.DrawFn, bodies: st.SearchStrategy[bytes] = _BODIES) -> Sent:
    """Mostly an event a chunk and a chunk a read, as servers do, with some other cuts of both."""
    body = draw(bodies)
    events = list(accumulate(len(part) + 2 for part in body.split(b"\n\n")))
    some = st.lists(st.integers(1, max(len(body) - 1, 1)), max_size=3)
    kept = [end for end in events if draw(st.integers(0, 9))]
    pieces = _cut_at(body, kept + draw(some))
    usual = draw(st.booleans())
    chunks = [((b"%x" if usual else draw(_SIZES).encode()) % len(p)) + b"\r\n" + p + b"\r\n" for p in pieces]
    trailers = draw(st.sampled_from([END, END, b"0\r\nx-sum: 1\r\n\r\n", b"0;last\r\n\r\n"]))
    ends = list(accumulate([len(head()), *map(len, chunks)]))
    total = ends[-1] + len(trailers)
    cuts = [end for end in ends if draw(st.integers(0, 9))] + draw(st.lists(st.integers(1, total - 1), max_size=4))
    return Sent(body, chunks, trailers, sorted({0, total, *cuts}))


def _by_byte(wire: bytes) -> list[bytes]:
    return [wire[at : at + 1] for at in range(len(wire))]


# ---------------------------------------------------------------- what must hold


@settings(max_examples=400, deadline=None)
@given(sent())
def test_any_stream_however_cut_is_read_as_a_plain_reading_has_it(stream: Sent) -> None:
    assert read_by_us(stream.reads) == expected(stream.body, stream.chunks, stream.places)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_stream_with_any_bytes_in_it_is_read_as_byte_by_byte(data: st.DataObject) -> None:
    odd = st.builds(
        lambda first, events: first + b"".join(events),
        _CONTENT,
        st.lists(st.one_of(_EVENTS, st.builds(_raw, st.one_of(_RAW, st.binary(max_size=6)))), max_size=12),
    )
    stream = data.draw(sent(odd))
    assert read_by_us(stream.reads).whole == read_by_us(_by_byte(stream.wire)).whole


@settings(max_examples=300, deadline=None)
@given(sent(), st.data())
def test_a_stream_with_a_wrong_byte_is_read_as_byte_by_byte(stream: Sent, data: st.DataObject) -> None:
    """A wrong chunk size above all: the places before and in the size lines are tried most."""
    ends = list(accumulate([len(head()), *map(len, stream.chunks)]))
    place = data.draw(st.one_of(st.sampled_from(ends), st.integers(len(head()), len(stream.wire) - 1)))
    place = min(place + data.draw(st.integers(0, 1)), len(stream.wire) - 1)
    wrong = data.draw(st.sampled_from([b"0", b"1", b"a", b"\r", b"\n", b";", b" ", b"z"]))
    wire = stream.wire[:place] + wrong + stream.wire[place + data.draw(st.integers(0, 1)) :]
    reads = [wire[a:b] for a, b in pairwise([*stream.places[:-1], len(wire)])]
    assert read_by_us(reads).whole == read_by_us(_by_byte(wire)).whole


def _body_of(name: str) -> bytes:
    text = (CAPTURES / name).read_bytes()
    return text[text.index(b"HTTP/1.1 ") :].replace(b"\r\n", b"\n").partition(b"\n\n")[2]


@pytest.mark.parametrize("name", [row[0] for row in STREAMS])
def test_a_captured_stream_however_cut_is_read_as_a_plain_reading_has_it(name: str) -> None:
    body = _body_of(name)

    @settings(max_examples=15, deadline=None)
    @given(sent(st.just(body)))
    def check(stream: Sent) -> None:
        assert read_by_us(stream.reads) == expected(body, stream.chunks, stream.places)

    check()


@pytest.mark.parametrize("name", [row[0] for row in NATIVE])
def test_a_captured_stream_of_a_native_api_however_cut_is_read_as_byte_by_byte(name: str) -> None:
    framework, api = api_of(name)
    dialect = REGISTRY[framework].dialects[api]
    text, events = next((row[1], row[2]) for row in NATIVE if row[0] == name)

    @settings(max_examples=30, deadline=None)
    @given(sent(st.just(_body_of(name))))
    def check(stream: Sent) -> None:
        told = read_by_us(stream.reads, dialect=dialect).whole
        assert told == read_by_us(_by_byte(stream.wire), dialect=dialect).whole
        assert (told[0], told[3], told[4]) == (text, None, events)

    check()


WHOLE = sorted(
    f"{path.parent.name}/{path.name}"
    for path in CAPTURES.glob("*/*.txt")
    if path.read_bytes().startswith(b"# POST ") and "repository" not in path.name
)


@pytest.mark.parametrize("name", [*WHOLE, "triton/error-in-stream.sse", "llama.cpp/completion-native-stream.sse"])
def test_a_captured_answer_or_error_however_cut_is_read_as_byte_by_byte(name: str) -> None:
    top, body = captured(name)
    framework, api = api_of(name)
    dialect = REGISTRY[framework].dialects[api]
    whole = read_by_us([top + chunk(body) + END], dialect=dialect).whole

    @settings(max_examples=15, deadline=None)
    @given(st.lists(st.integers(1, len(body) - 1), max_size=4), st.data())
    def check(places: list[int], data: st.DataObject) -> None:
        wire = top + b"".join(map(chunk, _cut_at(body, places))) + END
        cuts = data.draw(st.lists(st.integers(1, len(wire) - 1), max_size=6))
        assert read_by_us(_cut_at(wire, cuts), dialect=dialect).whole == whole
        assert read_by_us(_by_byte(wire), dialect=dialect).whole == whole

    check()


class Counting(Exchange):
    """An exchange that counts the pieces its parser finds."""

    __slots__ = ("pieces",)

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.pieces = 0

    def on_body(self, piece: bytes) -> None:
        self.pieces += 1
        _PIECES.append(piece)
        super().on_body(piece)


_PIECES: list[bytes] = []


def _parsed(*events: bytes) -> list[bytes]:
    return _parsed_by(DIALECTS["chat"], *events)


def _parsed_by(dialect: Dialect, *events: bytes) -> list[bytes]:
    _PIECES.clear()
    read_by_us([head(), *map(chunk, events), chunk(DONE), END], Counting, dialect)
    return list(_PIECES)


def test_events_like_an_earlier_one_never_reach_the_parser() -> None:
    first, *more = (_delta({"content": f" w{number}"}) for number in range(300))
    assert _parsed(first, *more) == [first, DONE]


def test_reasoning_like_an_earlier_one_does_not_either_and_the_turn_to_the_answer_is_parsed() -> None:
    thoughts = [_delta({"reasoning_content": f" t{number}"}) for number in range(5)]
    answers = [_delta({"content": f" a{number}"}) for number in range(5)]
    assert _parsed(*thoughts, *answers) == [thoughts[0], answers[0], DONE]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(_delta({"content": "a\nb"}), id="an escape"),
        pytest.param(_delta({"content": ""}), id="no text"),
        pytest.param(_delta({"content": " a"}, "stop"), id="a finish reason"),
        pytest.param(_delta({"content": " a", "extra": 1}), id="a field behind the text"),
        pytest.param(_delta({"content": " a"}) * 2, id="two events"),
        pytest.param(_raw(b'a","content":"b'), id="a text that ends early"),
    ],
)
def test_whatever_is_not_like_it_does(other: bytes) -> None:
    first = _delta({"content": " the"})
    assert _parsed(first, other)[:2] == [first, other]


def test_an_unlike_read_between_two_chunks_leaves_the_parser_where_it_was() -> None:
    first = _delta({"content": " the"})
    size, rest = chunk(first)[:1], chunk(first)[1:]
    told = read_by_us([head(), chunk(first), size, rest, chunk(first), chunk(first) + size, rest, chunk(DONE), END])
    assert told.texts == [[], [" the"], [], [" the"], [" the"], [" the"], [" the"], [], []]


def test_a_size_line_in_two_reads_is_no_chunk_of_its_own() -> None:
    """Behind `1` the next read says 0x1.. bytes, however much it looks like a chunk of the usual size."""
    first = _delta({"content": " the"})
    told = read_by_us([head(), chunk(first) + b"1", chunk(first), chunk(first)])
    assert told.texts[:3] == [[], [" the"], [" the"]]
    assert told.whole[:4] == read_by_us(_by_byte(head() + chunk(first) + b"1" + chunk(first) * 2)).whole[:4]


def test_responses_of_triton_like_an_earlier_one_do_not_either() -> None:
    first, *more = (_event({"model_name": "m", "model_version": "1", "text_output": f" w{n}"}) for n in range(50))
    assert _parsed_by(REGISTRY["triton"].dialects["generate"], first, *more)[0] == first
    assert len(_PIECES) == 2


def test_events_that_repeat_all_text_are_parsed_every_time() -> None:
    events = [_event({"text": " a" * n, "meta_info": {}}) for n in range(1, 6)]
    assert _parsed_by(REGISTRY["sglang"].dialects["generate"], *events) == [*events, DONE]


@pytest.mark.parametrize("framework", REGISTRY)
@pytest.mark.parametrize("body", [b"", b"<html>Sign in</html>", b": ping\n\n"], ids=["empty", "a page", "a comment"])
def test_a_body_without_an_event_is_no_answer_even_where_nothing_tells_the_end(framework: str, body: bytes) -> None:
    for dialect in REGISTRY[framework].dialects.values():
        reads = [head(), *([chunk(body)] if body else []), END]
        failure = read_by_us(reads, dialect=dialect).failure
        assert failure in ("TRUNCATED", "JSON_PARSE_ERROR")


def test_a_body_that_ends_within_an_event_is_truncated_even_where_nothing_tells_the_end() -> None:
    triton = REGISTRY["triton"].dialects["generate"]
    whole = _event({"text_output": " a"})
    assert read_by_us([head(), chunk(whole), END], dialect=triton).failure is None
    assert read_by_us([head(), chunk(whole), chunk(whole[:-6]), END], dialect=triton).failure == "TRUNCATED"
