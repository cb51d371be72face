"""How these tests talk to the simulator: plain requests, and streams with the instant of every event."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx
import orjson

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
DIRECT = {"trust_env": False, "verify": False}  # loading certificates takes longer than any of these tests


@dataclass
class Streamed:
    """One streamed answer as the client saw it; `events` are payloads, `at_ns` when each was read."""

    status: int
    events: list[bytes] = field(default_factory=list)
    at_ns: list[int] = field(default_factory=list)
    sent_ns: int = 0

    @property
    def documents(self) -> list[dict]:
        return [orjson.loads(event) for event in self.events if event != b"[DONE]"]

    @property
    def text(self) -> str:
        return "".join(
            choice.get("text") or choice.get("delta", {}).get("content") or ""
            for document in self.documents
            for choice in document["choices"]
        )

    @property
    def finish_reasons(self) -> list[str]:
        return [
            choice["finish_reason"]
            for document in self.documents
            for choice in document["choices"]
            if choice["finish_reason"]
        ]

    @property
    def usage(self) -> dict:
        return self.documents[-1]["usage"]


def chat(words: str = "hello there", **fields: object) -> dict:
    """The body of a chat request."""
    return {"model": "simulated", "messages": [{"role": "user", "content": words}], "max_tokens": 5, **fields}


def ask(url: str, path: str, body: object, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """One request with a JSON body."""
    return httpx.post(url + path, json=body, headers=headers, timeout=10, **DIRECT)


def look(url: str, path: str) -> httpx.Response:
    """One GET."""
    return httpx.get(url + path, timeout=10, **DIRECT)


def stream(url: str, body: dict, path: str = CHAT, headers: Mapping[str, str] | None = None) -> Streamed:
    """One streamed answer, read to its end; raises httpx.RemoteProtocolError when it breaks off."""
    whole = {**body, "stream": True, "stream_options": {"include_usage": True, **body.get("stream_options", {})}}
    got = Streamed(0, sent_ns=time.monotonic_ns())
    with httpx.stream("POST", url + path, json=whole, headers=headers, timeout=10, **DIRECT) as response:
        got.status = response.status_code
        for line in response.iter_lines():
            if line.startswith("data: "):
                got.at_ns.append(time.monotonic_ns())
                got.events.append(line[6:].encode())
    return got


def read_raw(url: str, body: dict, timeout_s: float) -> tuple[bytes, httpx.TransportError | None]:
    """What came of a chat, and what ended it, None being its proper end."""
    got = b""
    try:
        with httpx.stream("POST", url + CHAT, json=body, timeout=timeout_s, **DIRECT) as response:
            for part in response.iter_raw():
                got += part
    except httpx.TransportError as error:
        return got, error
    return got, None


@dataclass(frozen=True)
class Received:
    """What came of one request, as bytes; `broken_by` is what ended it, None being its proper end."""

    status: int
    content_type: str
    body: bytes
    broken_by: httpx.TransportError | None

    @property
    def payloads(self) -> list[bytes]:
        """The events of a stream, server-sent or one a line."""
        lines = self.body.splitlines()
        if self.content_type.startswith("text/event-stream"):
            return [line.removeprefix(b"data: ") for line in lines if line.startswith(b"data: ")]
        return [line for line in lines if line]

    @property
    def documents(self) -> list[dict]:
        """Those of them that are JSON."""
        return [document for payload in self.payloads if (document := parsed(payload)) is not None]


def parsed(payload: bytes) -> dict | None:
    """The JSON of one event; None where it is none."""
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None


def receive(url: str, path: str, body: object, timeout_s: float = 10) -> Received:
    """One POST, read to whatever end it has."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    got, status, kind = b"", 0, ""
    try:
        with httpx.stream("POST", url + path, content=content, timeout=timeout_s, **DIRECT) as response:
            status, kind = response.status_code, response.headers.get("content-type", "")
            for part in response.iter_raw():
                got += part
    except httpx.TransportError as error:
        return Received(status, kind, got, error)
    return Received(status, kind, got, None)
