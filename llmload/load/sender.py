"""One request from its due instant to its record. Nothing a server does makes this raise."""

from __future__ import annotations

import asyncio
import logging
import ssl
import traceback
from array import array
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from llmload.domain import Outcome, Phase, RequestRecord, TokenSource
from llmload.endpoint import Endpoint
from llmload.errors import UsageError
from llmload.frameworks.adapter import Dialect, Usage
from llmload.frameworks.address import join_url
from llmload.frameworks.error_body import LONGEST_TOLD
from llmload.frameworks.registry import adapter_for
from llmload.load.answer import Failure
from llmload.load.exchange import Exchange
from llmload.load.transport import Connection, Connector, address_of, now_ns

_LOG = logging.getLogger(__name__)
_NO_USAGE = Usage()
_SHORTEST_SECRET = 4
_DEAD_SHOWS_WITHIN_NS = 500_000_000  # a round trip to the other side of the world, and some


@dataclass(frozen=True, slots=True)
class Job:
    """One request, ready to be sent, and what its record must say of it."""

    seq: int
    look: int
    phase: Phase
    body: bytes
    input_tokens: int
    output_tokens: int
    keeps_text: bool


@dataclass(slots=True)
class _Attempt:
    """What is known of a job while it runs."""

    job: Job
    due_ns: int
    connect_ns: int = 0
    retried: bool = False
    exchange: Exchange | None = None
    failure: Failure | None = None


class Sender:
    """Sends jobs to one endpoint and tells what became of each. `in_flight` are the exchanges going on now.

    UsageError where the endpoint cannot be sent to at all: its URL, a header, the CA file, the API.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.dialect = _dialect(endpoint)
        self._address = address_of(endpoint, join_url(endpoint.url, self.dialect.path))
        self.connector = Connector(endpoint, self._address)
        self._endpoint = endpoint
        self._secrets = _secrets_in(endpoint)
        self._seen: set[str] = set()
        self.in_flight: set[Exchange] = set()

    async def send(self, job: Job, due_ns: int) -> RequestRecord:
        """The record of `job`; cancelling the task hangs up and gives a `cancelled` record as well."""
        attempt = _Attempt(job, due_ns)
        try:
            await self._try(attempt)
        except asyncio.CancelledError:
            if attempt.exchange is None:  # else the exchange knows, which may have ended well just before
                attempt.failure = Failure(Outcome.CANCELLED, "CANCELLED", "cancelled by us")
        except TimeoutError:
            text = f"no connection within {self._endpoint.connect_timeout_s:g} s"
            attempt.failure = Failure(Outcome.TIMEOUT, "TIMEOUT_CONNECT", text)
        except ssl.SSLError as error:
            attempt.failure = Failure(Outcome.CONNECT_ERROR, "TLS_ERROR", str(error))
        except OSError as error:
            attempt.failure = Failure(Outcome.CONNECT_ERROR, "CONNECTION_ERROR", str(error))
        except Exception as error:  # a defect of ours must not end the run: it is a record, and logged
            attempt.failure = Failure(Outcome.PROTOCOL_ERROR, f"UNEXPECTED:{type(error).__name__}", str(error))
            self._log_once(error)
        return self._record(attempt)

    async def _try(self, attempt: _Attempt) -> None:
        """One attempt, and a second one where a kept-alive connection turns out to be dead already.

        llama.cpp closes after every stream while promising keep-alive. That is no error of the answer's, so the
        request goes out again on a fresh connection, once, as long as no byte of an answer has come. A dead
        connection shows at once: a server that first sat on the request has failed it.
        """
        began_ns = now_ns()
        connection = self.connector.take()
        if connection is None:
            connection = await self.connector.open()
            attempt.connect_ns = now_ns() - began_ns
        is_reused = connection.uses > 0
        exchange = await self._exchange(attempt, connection)
        is_prompt = exchange.done_ns - exchange.sent_ns <= _DEAD_SHOWS_WITHIN_NS
        if is_reused and exchange.is_unanswered and exchange.was_lost and is_prompt:
            attempt.retried = True
            attempt.exchange = None
            fresh = await self.connector.open()
            attempt.connect_ns = now_ns() - began_ns
            await self._exchange(attempt, fresh)

    async def _exchange(self, attempt: _Attempt, connection: Connection) -> Exchange:
        endpoint = self._endpoint
        first_token_s = endpoint.first_token_timeout_s if endpoint.stream else None
        exchange = Exchange(self.dialect, first_token_s, endpoint.total_timeout_s)
        attempt.exchange = exchange
        body = attempt.job.body
        self.in_flight.add(exchange)
        try:
            exchange.begin(connection, b"%b%d\r\n\r\n%b" % (self._address.head, len(body), body))
            await exchange.ended
        finally:
            self.in_flight.discard(exchange)
            exchange.cancel()  # no effect on one that is over
            if exchange.is_reusable:
                self.connector.put_back(connection)
        if exchange.unforeseen is not None:
            self._log_once(exchange.unforeseen)
        return exchange

    def _record(self, attempt: _Attempt) -> RequestRecord:
        job, exchange = attempt.job, attempt.exchange
        failure = attempt.failure or (exchange.failure if exchange else None)
        usage = (exchange.usage if exchange else None) or _NO_USAGE
        is_counted = usage.output_tokens is not None
        return RequestRecord(
            seq=job.seq,
            look=job.look,
            phase=job.phase,
            outcome=failure.outcome if failure else Outcome.OK,
            due_ns=attempt.due_ns,
            sent_ns=exchange.sent_ns if exchange else None,
            done_ns=exchange.done_ns if exchange else now_ns(),
            event_ns=exchange.event_ns if exchange else array("q"),
            asked_input_tokens=job.input_tokens,
            asked_output_tokens=job.output_tokens,
            answer_ns=exchange.answer_ns if exchange else None,
            connect_ns=attempt.connect_ns,
            reads=len(set(exchange.event_ns)) if exchange else 0,  # a read has one instant
            is_streamed=exchange.is_streamed if exchange else self._endpoint.stream,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cached_tokens=usage.cached_tokens,
            token_source=TokenSource.USAGE if is_counted else None,
            finish_reason=exchange.finish_reason if exchange else None,
            http_status=exchange.status or None if exchange else None,
            error_type=failure.error_type if failure else None,
            error_text=self._scrubbed(failure.text) if failure else None,
            retried=attempt.retried,
            text=exchange.text.getvalue() if exchange and (job.keeps_text or not is_counted) else None,
        )

    def _log_once(self, error: Exception) -> None:
        name = type(error).__name__
        if name not in self._seen:
            self._seen.add(name)
            frames = "".join(traceback.format_tb(error.__traceback__))  # not its text, which may hold a secret
            _LOG.error("unforeseen %s in the load; further ones are only counted\n%s", name, frames)

    def _scrubbed(self, text: str) -> str:
        """Servers repeat what they were sent; our secrets end here."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text[:LONGEST_TOLD]


def _dialect(endpoint: Endpoint) -> Dialect:
    dialects = adapter_for(endpoint.framework).dialects
    if endpoint.api not in dialects:
        known = f"Use one of: {', '.join(dialects)}" if dialects else "A later version will speak its protocol"
        raise UsageError("target.api", f"{endpoint.framework} has no API {endpoint.api!r} that we speak", known)
    return dialects[endpoint.api]


def _secrets_in(endpoint: Endpoint) -> tuple[str, ...]:
    parts = urlsplit(endpoint.url)
    words = [word for _, value in endpoint.headers for word in (value, *value.split())]
    words += [parts.password or "", *(value for _, value in parse_qsl(parts.query))]
    return tuple(sorted({word for word in words if len(word) >= _SHORTEST_SECRET}, key=len, reverse=True))
