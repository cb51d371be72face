"""A server that sends one token to each of its streams every 20 ms and writes down when: `URL` on stdout first.

    python -m tests.bench.paced_server TRUTH_FILE FIRST_MS TOKENS GAP_MS

With GAP_MS 0 it sends as fast as the socket takes, and keeps no truth. On SIGTERM the truth (instants per prompt) goes
to TRUTH_FILE. It knows as much of the API as load tools ask for before they begin: models, health, plain answers.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import pickle
import signal
import sys
from array import array
from contextlib import suppress
from functools import cache
from pathlib import Path
from random import Random
from time import monotonic_ns

import uvloop

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_EVENT = (
    b'data: {"id":"chatcmpl-9d282316a9ff6c61","object":"chat.completion.chunk","created":1795219612,"model":"tiny",'
    b'"choices":[{"index":0,"delta":{"content":"%b"},"logprobs":null,"finish_reason":null,"token_ids":null}]}\n\n'
)
_FINISH = (
    b'data: {"choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}]}\n\n',
    b'data: {"choices":[],"usage":{"prompt_tokens":24,"total_tokens":65,"completion_tokens":%d}}\n\n',
    b"data: [DONE]\n\n",
)


_WHOLE = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1795219612,"model":"tiny","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":" the"},"finish_reason":"length"}],'
    b'"usage":{"prompt_tokens":24,"total_tokens":25,"completion_tokens":1}}'
)
_PAGES = {
    b"/health": b"{}",
    b"/v1/models": b'{"object":"list","data":[{"id":"tiny","object":"model","created":1795219612,"owned_by":"us"}]}',
    b"/version": b'{"version":"paced"}',
}


def _document(status: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % (status, len(body)) + body


def _page(request: bytes) -> bytes:
    """The answer to a request that wants no stream, by its first line."""
    method, path, *_ = request.split(b" ", 2)
    if method == b"POST" and path.endswith(b"/completions"):
        return _document(b"200 OK", _WHOLE)
    known = _PAGES.get(path) if method == b"GET" else None
    return _document(b"404 Not Found", b"{}") if known is None else _document(b"200 OK", known)


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"content-length: ")
    return int(rest.partition(b"\r\n")[0]) if found else 0


def _is_streamed(body: bytes) -> bool:
    return b'"stream":true' in body or b'"stream": true' in body


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _words(count: int) -> list[bytes]:
    """Words of one to nine letters, most behind a space: nothing may be quick because it saw the same one again."""
    draw = Random(1)
    lengths = (draw.randint(1, 9) for _ in range(count))
    return [draw.choice([b"", b" ", b" "]) + bytes(draw.choices(range(97, 123), k=length)) for length in lengths]


TOKENS = [_chunk(_EVENT % word) for word in _words(512)]
TOKEN = TOKENS[0]


@cache
def end_of(tokens: int) -> bytes:
    """What follows the last token of an answer of so many."""
    return b"".join(_chunk(part) for part in (_FINISH[0], _FINISH[1] % tokens, _FINISH[2])) + b"0\r\n\r\n"


_BURST = 64  # events per write when there is no pace


def key_of(body: bytes) -> bytes:
    """What a request is known by on both sides."""
    return hashlib.blake2b(body, digest_size=8).digest()


class Paced:
    """The streams that go on, in one slot per millisecond of the gap: a tick serves one slot."""

    def __init__(self, first_ms: int, tokens: int, gap_ms: int) -> None:
        self.first_ms, self.tokens, self.gap_ms = first_ms, tokens, gap_ms
        self.slots: list[list[Stream]] = [[] for _ in range(max(gap_ms, 1))]
        self.truth: dict[bytes, array[int]] = {}
        self.late_ns = array("q")

    def tokens_for(self, key: bytes) -> int:
        """Half to one and a half times the mean, so that streams do not all end in the same instant."""
        return self.tokens // 2 + self.tokens * key[0] // 256 if self.gap_ms else self.tokens

    async def tick(self) -> None:
        """Every millisecond, on a schedule that does not drift."""
        now_ms = monotonic_ns() // 1_000_000
        while True:
            due = now_ms * 1_000_000
            if (wait := due - monotonic_ns()) > 0:
                await asyncio.sleep(wait / 1e9)
                continue
            if self.slots[now_ms % self.gap_ms]:
                self.late_ns.append(monotonic_ns() - due)
                self._serve(now_ms)
            now_ms += 1

    def _serve(self, now_ms: int) -> None:
        going = []
        for stream in self.slots[now_ms % self.gap_ms]:
            if stream.is_lost:
                continue
            stream.truth.append(monotonic_ns())
            with suppress(OSError):  # hung up a moment ago
                os.write(
                    stream.descriptor, TOKENS[(len(stream.truth) + stream.tokens) % 512]
                )  # uvloop's own write costs three times as much
            if len(stream.truth) <= stream.tokens:  # the first instant is the request's arrival
                going.append(stream)
            else:
                stream.transport.write(end_of(stream.tokens))
        self.slots[now_ms % self.gap_ms] = going

    def begin(self, stream: Stream) -> None:
        """Its first token comes after `first_ms` and up to one gap, so that the streams are spread over the gap."""
        if self.gap_ms:
            asyncio.get_running_loop().call_later(self.first_ms / 1000, self._place, stream)
        else:
            stream.pump()

    def _place(self, stream: Stream) -> None:
        self.slots[stream.slot].append(stream)


class Stream(asyncio.Protocol):
    """One connection."""

    def __init__(self, paced: Paced) -> None:
        self.paced = paced
        self.truth = array("q")
        self.received = b""
        self.left = self.tokens = self.slot = 0
        self.is_paused = self.is_lost = False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert hasattr(transport, "write")
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # uvloop's own class
        self.descriptor = transport.get_extra_info("socket").fileno()

    def data_received(self, data: bytes) -> None:
        arrived = monotonic_ns()
        self.received += data
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        self.received = b""
        if not _is_streamed(body):
            self.transport.write(_page(head))
            return
        key = key_of(body)
        self.truth = array("q", [arrived])
        if self.paced.gap_ms:
            self.paced.truth[key] = self.truth
        self.left = self.tokens = self.paced.tokens_for(key)
        self.slot = key[1] % len(self.paced.slots)
        self.transport.write(HEAD)
        self.paced.begin(self)

    def pump(self) -> None:
        """Without a pace: bursts until the socket is full."""
        while self.left > 0 and not self.is_paused and not self.is_lost:
            burst = TOKEN * min(_BURST, self.left)
            self.left -= _BURST
            self.transport.write(burst if self.left > 0 else burst + end_of(self.tokens))

    def pause_writing(self) -> None:
        self.is_paused = True

    def resume_writing(self) -> None:
        self.is_paused = False
        self.pump()


async def main() -> None:
    """Serve until SIGTERM."""
    truth_file, *numbers = sys.argv[1:]
    paced = Paced(*(int(number) for number in numbers))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Stream(paced), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    gc.disable()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    ticking = asyncio.create_task(paced.tick()) if paced.gap_ms else None
    await stopped.wait()
    if ticking is not None:
        ticking.cancel()
    Path(truth_file).write_bytes(pickle.dumps((paced.truth, paced.late_ns)))


if __name__ == "__main__":
    uvloop.run(main())
