"""Trial requests: one real answer, read to its end as the load will read it, before any load."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from llmload.endpoint import Endpoint
from llmload.errors import TargetError
from llmload.frameworks.adapter import Dialect, Event, Usage
from llmload.planned import PlannedRequest
from llmload.target.models import unauthorized
from llmload.target.server import Disconnected, Reply, Server

ATTEMPTS = 6
_FIRST_PAUSE_S = 0.1
_TOO_LONG = "is too large to process"
"""Of llama.cpp, with status 500: the text to embed has more tokens than its batch (n_ubatch), which no wait changes."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A complete answer; `input_tokens` is the server's own count of the prompt, None where it tells none."""

    input_tokens: int | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The server does not take this request (HTTP 400, 413 or 422); `words` are its own."""

    words: str


@dataclass(frozen=True, slots=True)
class Trial:
    """One way of asking one server."""

    server: Server
    dialect: Dialect
    endpoint: Endpoint

    def ask(self, prompt: str) -> Answered | Refused:
        """As `send`, for a bare prompt."""
        return self.send(PlannedRequest(index=0, prompt=prompt, input_tokens=None, output_tokens=2))

    def send(self, request: PlannedRequest) -> Answered | Refused:
        """Send one request, for a short answer whatever it asks for.

        Failures that may pass (5xx but 501, 429, a broken stream) are tried again, five times.

        TargetError: no answer even so, or one that another try cannot mend (credentials, path, model).
        """
        body = self.dialect.body(self.endpoint, replace(request, output_tokens=self._short))
        trouble, pause = "", _FIRST_PAUSE_S
        give_up = time.monotonic() + self.endpoint.total_timeout_s
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(pause)
                pause *= 2
            try:
                reply = self.server.post(self.dialect.path_for(self.endpoint), body)
                if reply.is_success:
                    return self._read(reply)
            except Disconnected as error:
                trouble = str(error)
            else:
                trouble = self.server.words_of(reply)
                if reply.status in (400, 413, 422) or _TOO_LONG in trouble:
                    return Refused(trouble)
                if reply.status == 501 or (reply.status < 500 and reply.status not in (408, 425, 429)):
                    raise self._hopeless(reply)
            if time.monotonic() > give_up:
                break
        raise TargetError(
            self.server.name,
            f"a trial request failed {attempt + 1} times, last with {trouble}",
            "Send it one request by hand and read its log; no load was sent",
            kind="TrialFailed",
        )

    @property
    def _short(self) -> int:
        least = self.endpoint.sampling.get("min_tokens")
        return max(2, least) if isinstance(least, int) else 2  # min_tokens above max_tokens would be refused

    def _read(self, reply: Reply) -> Answered:
        if self.endpoint.stream:
            return self._read_stream(reply.body)
        try:
            event = self.dialect.read_answer(reply.body)
        except ValueError as error:
            raise Disconnected(self.server.scrub(f"an answer that is not the protocol's ({error})")) from None
        return _answered(event.error, event.usage)

    def _read_stream(self, body: bytes) -> Answered:
        usage: Usage | None = None
        is_finished = not self.dialect.tells_finish
        events = 0
        for event in self._events(body):
            events += 1
            usage = event.usage or usage
            is_finished = is_finished or event.finish_reason is not None or event.is_last
            if event.error is not None:
                raise Disconnected(self.server.scrub(f"an error inside the answer, {event.error!r}"))
        if not events:
            raise Disconnected("an answer without a stream; set workload.stream: false if the server has none")
        if not is_finished:
            raise Disconnected("a stream that ends before the answer does")
        return _answered(None, usage)

    def _events(self, body: bytes) -> list[Event]:
        lines = body.splitlines()
        if self.dialect.framing == "sse":
            lines = [line[5:] for line in lines if line.startswith(b"data:")]
        read_event = self.dialect.reader()
        try:
            return [read_event(payload) for line in lines if (payload := line.strip())]
        except ValueError as error:
            raise Disconnected(self.server.scrub(f"an event that is not the protocol's ({error})")) from None

    def _hopeless(self, reply: Reply) -> TargetError:
        words = self.server.words_of(reply)
        if reply.status in (401, 403):
            return unauthorized(self.server, reply)
        if reply.status == 404 and "model" in words.lower():
            return TargetError(
                self.server.name,
                f"it does not serve the model {self.endpoint.model!r} ({words})",
                "Correct target.model",
                kind="ModelNotServed",
            )
        if reply.location is not None:
            words += f", elsewhere: {self.server.scrub(reply.location)!r}"
        return TargetError(
            self.server.name,
            f"it does not take requests at {self.dialect.path_for(self.endpoint)} ({words})",
            self.dialect.needs or "Check target.url and target.api",
            kind="TrialFailed",
        )


def _answered(error: str | None, usage: Usage | None) -> Answered:
    if error is not None:
        raise Disconnected(f"an error inside the answer, {error!r}")
    tokens = usage.input_tokens if usage else None
    return Answered(tokens or None)


def settle_sampling(trial: Trial, prompt: str, optional: tuple[str, ...]) -> tuple[Trial, Answered, tuple[str, ...]]:
    """Find out which sampling fields the server takes; return the way of asking without the others, and their names.

    Only `optional` fields may go, since they change how a request is run rather than what it asks; each is tried by
    itself. TargetError with the server's words when it refuses the request without them too.
    """
    answer = trial.ask(prompt)
    if isinstance(answer, Answered):
        return trial, answer, ()
    sampling = trial.endpoint.sampling
    doubtful = [name for name in optional if name in sampling]
    kept = {name: value for name, value in sampling.items() if name not in doubtful}
    plain = replace(trial, endpoint=replace(trial.endpoint, sampling=kept))
    bare = plain.ask(prompt) if doubtful else answer
    if isinstance(bare, Refused):
        raise TargetError(
            trial.server.name,
            f"it refuses a plain request with {bare.words}",
            trial.dialect.needs
            or "Correct what it names, mostly a field of workload.sampling, target.api or target.model",
            kind="RequestRefused",
        )
    left_out = []
    for name in doubtful:
        more = replace(
            plain, endpoint=replace(plain.endpoint, sampling={**plain.endpoint.sampling, name: sampling[name]})
        )
        if isinstance(more.ask(prompt), Answered):
            plain = more
        else:
            left_out.append(name)
    return plain, bare, tuple(left_out)
