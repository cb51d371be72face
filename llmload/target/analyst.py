"""A model of an OpenAI-compatible server that is asked to write, its answer taken as it comes: bounded, cleaned.

No part of a measurement: what the model writes is display, and how long it takes is not told.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import httpx
import orjson

from llmload.endpoint import Endpoint
from llmload.errors import TargetError, UsageError
from llmload.frameworks.adapter import Event, ServedModel
from llmload.frameworks.error_body import LONGEST_TOLD, error_message
from llmload.frameworks.openai import ADAPTER, read_event
from llmload.frameworks.reasoning import Unreasoned
from llmload.plain_text import plain, plain_lines
from llmload.scenario.asked import Target, Tls
from llmload.target.models import choose_model, list_models
from llmload.target.patience import Patience
from llmload.target.route import route_to, without_login
from llmload.target.server import Disconnected, Server, connected
from llmload.written_analysis import Close

LONGEST_ANSWER = 16_000
"""Characters that are kept: with all of them Korean, a report stays within its size."""

_CHAT = "/v1/chat/completions"
_LONGEST_EVENT, _LONGEST_STREAM, _LONGEST_REFUSAL = 4 * 2**20, 64 * 2**20, 2**16  # bytes
_TOO_LONG = ("context", "too long", "maximum", "too large", "max_model_len")
_REMEDIES = {
    "Unauthorized": "Name the variable that holds its key: --api-key-env NAME",
    "ModelNotServed": "Name one that it serves: --analyst-model MODEL",
    "ServerNotReady": "Start that server, or ask another one: --analyst-url http://host:8000",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """How long an answer may take, in seconds, and how many tokens it may have."""

    connect_s: float = 5.0
    listing_s: float = 15.0  # of models
    first_text_s: float = 60.0
    between_s: float = 60.0
    total_s: float = 600.0
    max_tokens: int = 1024


@dataclass(frozen=True, slots=True)
class Written:
    """How an answer ended, `because` of what where it broke off; its text was told while it came.

    `prompt` is which of the prompts was answered, from 0.
    """

    close: Close
    because: str = ""
    prompt: int = 0


def analyst_endpoint(
    url: str, key: str | None, env: Mapping[str, str], *, target: Target | None = None, limits: Limits
) -> Endpoint:
    """How `url` is asked: with that key, through the proxy that the environment names for it.

    `target` is the server of the run where that one is asked: it says how certificates are checked, and whether it is
    reached directly. UsageError: the key cannot be sent, or the proxy is of a kind that nobody here speaks to.
    """
    bare_url, login = without_login(url)
    headers: list[tuple[str, str]] = []
    if key is not None:
        headers.append(("Authorization", f"Bearer {key}"))
    elif login is not None:
        headers.append(("Authorization", f"Basic {base64.b64encode(login).decode()}"))
    if key is not None and not key.isascii():
        raise UsageError("--api-key-env", "the key has characters that no header carries", "Use printable ASCII")
    tls = Tls() if target is None else target.tls
    return Endpoint(
        url=bare_url,
        framework="openai",
        api="chat",
        model="",
        stream=True,
        sampling={},
        headers=tuple(headers),
        transport="httpx",
        proxy=route_to(bare_url, "auto" if target is None else target.transport, env).proxy,
        tls_verify=tls.verify,
        tls_ca_file=tls.ca_file,
        connect_timeout_s=limits.connect_s,
    )


def choose_writer(endpoint: Endpoint, asked: str | None, usual: str | None, limits: Limits) -> ServedModel:
    """The model to ask: the one that was `asked` for, else the `usual` one where it is served, else the only one.

    TargetError: the server cannot be used, does not serve it, or serves several others.
    """
    impatient = replace(endpoint, first_token_timeout_s=limits.listing_s, total_timeout_s=limits.listing_s)
    with _readdressed(), connected(impatient) as server:
        served, _ = list_models(server, ADAPTER)
        if asked is None and usual is not None and (not served or any(usual in model.names for model in served)):
            asked = usual
        return choose_model(server, asked, served)


def write(
    endpoint: Endpoint, prompts: Sequence[str], tell: Callable[[str], None], limits: Limits, model: str
) -> Written:
    """Let `model` answer a prompt, a shorter one where the server has no room for it; `tell` gets clean text at once.

    TargetError when no text comes at all. Text that came is never lost: an answer that breaks off says so at its end.
    """
    patient = replace(endpoint, first_token_timeout_s=limits.total_s)  # `Patience` is what hangs up
    with _readdressed(), connected(patient) as server:
        for number, prompt in enumerate(prompts):
            try:
                return replace(_Answer(server, tell, limits).write(model, prompt), prompt=number)
            except _TooLong as refusal:
                words = str(refusal)
        raise TargetError(
            server.name,
            f"its context has no room for the briefing ({words})",
            "Lower --max-tokens, or ask a model with a longer context: --analyst-url URL",
            kind="ContextTooShort",
        )


class _TooLong(Exception):  # noqa: N818 - a reason to ask again with less
    """The server has no room for the prompt; the text says so in its words."""


@contextmanager
def _readdressed() -> Iterator[None]:
    """Errors of the target with remedies for an analyst, who is named by options rather than in a scenario."""
    try:
        yield
    except TargetError as error:
        remedy = _REMEDIES.get(error.kind, error.remedy)
        raise TargetError(error.where, error.problem, remedy, kind=error.kind) from None


@dataclass(slots=True)
class _Answer:
    """One answer while it comes."""

    server: Server
    tell: Callable[[str], None]
    limits: Limits
    told: int = 0  # characters
    is_thinking: bool = False

    def write(self, model: str, prompt: str) -> Written:
        body = orjson.dumps(
            {
                "model": model,
                "messages": [{"role": "user", "content": prompt}],
                "temperature": 0,
                "max_tokens": self.limits.max_tokens,
                "stream": True,
            }
        )
        begun = time.monotonic()
        with Patience(min(self.limits.first_text_s, self.limits.total_s)) as patience:
            try:
                with self.server.asking("POST", _CHAT, body, patience) as response:
                    if not response.is_success:
                        raise self._refusal(response)
                    return self._read(response, patience, begun + self.limits.total_s)
            except Disconnected as trouble:
                return self._broken(self._late(begun) if patience.is_over else str(trouble))

    def _read(self, response: httpx.Response, patience: Patience, until_s: float) -> Written:
        unreasoned = Unreasoned()
        for event in self._events(response):
            if event.error is not None:
                return self._broken(f"it says {plain(self.server.scrub(event.error))!r}")
            if event.answer or event.thought or event.call:
                self.is_thinking = self.is_thinking or bool(event.thought or event.call)
                patience.put_off(min(time.monotonic() + self.limits.between_s, until_s))
            is_end = event.is_last or event.finish_reason is not None
            text = unreasoned.feed(event.answer) + (unreasoned.rest() if is_end else "")
            self.is_thinking = self.is_thinking or unreasoned.is_thinking
            if self._tell(text) or event.finish_reason == "length":
                return self._ended(Close.AT_LIMIT)
            if is_end:
                return self._ended(Close.WHOLE)
        self._tell(unreasoned.rest())
        if not response.headers.get("content-type", "").startswith("text/event-stream") and not self.told:
            kind = plain(response.headers.get("content-type", "no content type"), 60)
            raise self._failed(f"it answers without a stream of events ({kind})")
        return self._broken("the stream ends before the answer does")

    def _events(self, response: httpx.Response) -> Iterator[Event]:
        """The events of the stream; Disconnected where it is none, or too much."""
        rest, received = b"", 0
        for piece in response.iter_bytes():
            received += len(piece)
            *lines, rest = (rest + piece).split(b"\n")
            if len(rest) > _LONGEST_EVENT or received > _LONGEST_STREAM:
                raise Disconnected("it sends more than an answer can be")
            for line in lines:
                if line.startswith(b"data:") and (payload := line[5:].strip()):
                    yield self._event(payload)

    def _event(self, payload: bytes) -> Event:
        try:
            return read_event(payload)
        except ValueError:
            raise Disconnected("it sends an event that is no JSON of the chat API") from None

    def _tell(self, text: str) -> bool:
        """Hand the text on as far as it may go; whether there is no room for more."""
        clean = plain_lines(text)
        if not self.told:
            clean = clean.lstrip()
        room = LONGEST_ANSWER - self.told
        if clean:
            self.tell(clean[:room])
            self.told += min(len(clean), room)
        return len(clean) > room

    def _ended(self, close: Close) -> Written:
        if self.told:
            return Written(close)
        if self.is_thinking:
            raise TargetError(
                self.server.name,
                f"the model wrote nothing but its reasoning within {self.limits.max_tokens:,} tokens",
                "Allow more: --max-tokens 4096",
                kind="NoAnswer",
            )
        raise self._failed("the model wrote nothing")

    def _late(self, begun: float) -> str:
        if time.monotonic() >= begun + self.limits.total_s:
            return f"the answer did not end within {self.limits.total_s:g} s"
        if not self.told and not self.is_thinking:
            return f"no text came within {self.limits.first_text_s:g} s"
        return f"no more text came within {self.limits.between_s:g} s"

    def _broken(self, because: str) -> Written:
        """The answer ends here; TargetError where there is none."""
        if self.told:
            return Written(Close.BROKEN_OFF, because)
        raise self._failed(f"no answer came: {because}")

    def _refusal(self, response: httpx.Response) -> Exception:
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > _LONGEST_REFUSAL:
                break
        status, said = response.status_code, plain(self.server.scrub(error_message(bytes(body))), LONGEST_TOLD)
        words = f"HTTP {status}" + (f", {said!r}" if said else "")
        if status in (401, 403):
            return TargetError(self.server.name, f"it refuses our credentials ({words})", "", kind="Unauthorized")
        if status in (400, 413, 422) and any(word in said.lower() for word in _TOO_LONG):
            return _TooLong(words)
        if status == 404 and "model" in said.lower():
            return TargetError(self.server.name, f"it does not serve the model ({words})", "", kind="ModelNotServed")
        if location := response.headers.get("location"):
            place = plain(self.server.scrub(location), 200)
            problem = f"it points to {place!r} (HTTP {status}), which is not followed"
            return TargetError(self.server.name, problem, "Name that server yourself: --analyst-url", kind="Elsewhere")
        return self._failed(f"it does not answer POST {_CHAT} ({words})")

    def _failed(self, problem: str) -> TargetError:
        return TargetError(
            self.server.name,
            problem,
            "Look into its log and try again, or ask another server: --analyst-url URL, its address without a path",
            kind="NoAnswer",
        )
