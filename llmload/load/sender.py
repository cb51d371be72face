"""One request from its due instant to its record. Nothing a server does makes this raise."""

from __future__ import annotations

import asyncio
import errno
import logging
import ssl
import traceback
from array import array
from base64 import b64encode
from collections.abc import Collection
from typing import assert_never
from urllib.parse import parse_qsl, unquote, urlsplit

from llmload.domain import Outcome, RequestRecord, TokenSource
from llmload.endpoint import Endpoint
from llmload.frameworks.adapter import Dialect, Usage
from llmload.frameworks.error_body import LONGEST_TOLD
from llmload.frameworks.registry import dialect_for
from llmload.load.answer import Answer, Failure
from llmload.load.attempt import Attempt, Job, Transport
from llmload.load.fast_transport import FastTransport
from llmload.load.transport import now_ns

_LOG = logging.getLogger(__name__)
_NO_USAGE = Usage()
_NO_COUNTS = (None, None, None)
_SHORTEST_SECRET = 4
_LONGEST_SAMPLE = 2**20  # characters of an answer whose text is kept; a longer one is none, not a part of it


class Sender:
    """Sends jobs to one endpoint and tells what became of each, whichever transport carries them."""

    def __init__(self, endpoint: Endpoint, dialect: Dialect, transport: Transport) -> None:
        self.dialect = dialect
        self._endpoint, self._transport = endpoint, transport
        self._secrets = _secrets_in(endpoint)
        self._seen: set[str] = set()

    @property
    def in_flight(self) -> Collection[Answer]:
        """The answers going on now."""
        return self._transport.in_flight

    @property
    def opened(self) -> int:
        """Connections opened so far."""
        return self._transport.opened

    async def open(self, count: int) -> None:
        """Open `count` connections ahead of the requests, where the transport can; OSError where none opens."""
        await self._transport.open(count)

    async def close(self) -> None:
        """Close every connection."""
        await self._transport.close()

    async def end_session(self, session: int) -> None:
        """Close the connection of a session that is over."""
        await self._transport.end_session(session)

    async def send(self, job: Job, due_ns: int) -> RequestRecord:
        """The record of `job`; cancelling the task hangs up and gives a `cancelled` record as well."""
        return self._record(await self._carried(job, due_ns))

    async def converse(self, job: Job, due_ns: int) -> tuple[RequestRecord, str]:
        """As `send`, with the text of the answer, which the next turn of its conversation sends back."""
        attempt = await self._carried(job, due_ns)
        return self._record(attempt), attempt.answer.said if attempt.answer else ""

    async def _carried(self, job: Job, due_ns: int) -> Attempt:
        attempt = Attempt(job, due_ns)
        try:
            await self._transport.carry(attempt)
        except asyncio.CancelledError:
            if attempt.answer is None:  # else the answer knows, which may have ended well just before
                attempt.failure = Failure(Outcome.CANCELLED, "CANCELLED", "cancelled by us")
        except TimeoutError:
            text = f"no connection within {self._endpoint.connect_timeout_s:g} s"
            attempt.failure = Failure(Outcome.TIMEOUT, "TIMEOUT_CONNECT", text)
        except ssl.SSLError as error:
            attempt.failure = Failure(Outcome.CONNECT_ERROR, "TLS_ERROR", str(error))
        except OSError as error:
            attempt.failure = Failure(Outcome.CONNECT_ERROR, _connect_error_type(error), str(error))
        except Exception as error:  # a defect of ours must not end the run: it is a record, and logged
            attempt.failure = Failure(Outcome.PROTOCOL_ERROR, f"UNEXPECTED:{type(error).__name__}", str(error))
            self._log_once(error)
        if attempt.answer is not None and attempt.answer.unforeseen is not None:
            self._log_once(attempt.answer.unforeseen)
        return attempt

    def _record(self, attempt: Attempt) -> RequestRecord:
        job, answer = attempt.job, attempt.answer
        failure = attempt.failure or (answer.failure if answer else None)
        usage = (answer.usage if answer else None) or _NO_USAGE
        is_counted = usage.output_tokens is not None
        is_short = answer is not None and answer.characters <= _LONGEST_SAMPLE
        is_wanted = (is_short and (job.keeps_text or not is_counted)) or not (failure or is_counted)
        reasoning, said, called = answer.kind_counts if answer else _NO_COUNTS
        return RequestRecord(
            seq=job.seq,
            look=job.look,
            phase=job.phase,
            outcome=failure.outcome if failure else Outcome.OK,
            due_ns=attempt.due_ns,
            sent_ns=answer.sent_ns if answer else None,
            done_ns=answer.done_ns if answer else now_ns(),
            event_ns=answer.event_ns if answer else array("q"),
            asked_input_tokens=job.input_tokens,
            asked_output_tokens=job.output_tokens,
            answer_ns=answer.answer_ns if answer else None,
            connect_ns=attempt.connect_ns,
            reads=answer.reads if answer else 0,
            is_streamed=answer.is_streamed if answer else self._endpoint.stream,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cached_tokens=usage.cached_tokens,
            token_source=TokenSource.USAGE if is_counted else None,
            finish_reason=answer.finish_reason if answer else None,
            http_status=answer.status or None if answer else None,
            error_type=failure.error_type if failure else None,
            error_text=self._scrubbed(failure.text) if failure else None,
            retried=attempt.retried,
            text=answer.text if answer and is_wanted else None,
            part=job.part,
            call_ns=answer.call_ns if answer else None,
            reasoning_events=reasoning,
            answer_events=said,
            call_events=called,
            reasoning_tokens=usage.reasoning_tokens,
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


def sender_for(endpoint: Endpoint) -> Sender:
    """The sender over the transport that `endpoint` names.

    UsageError where the endpoint cannot be sent to at all: its URL, a header, the CA file, the API.
    """
    dialect = dialect_for(endpoint)
    match endpoint.transport:
        case "fast":
            return Sender(endpoint, dialect, FastTransport(endpoint, dialect))
        case "httpx":
            from llmload.load.httpx_transport import HttpxTransport  # here, since most workers never need httpx

            return Sender(endpoint, dialect, HttpxTransport(endpoint, dialect))
        case _:
            assert_never(endpoint.transport)


def _connect_error_type(error: OSError) -> str:
    """Our own limits have types of their own: a server is not to blame for them."""
    match error.errno:
        case errno.EMFILE | errno.ENFILE:
            return "CLIENT_OUT_OF_FILES"
        case errno.EADDRNOTAVAIL:
            return "CLIENT_OUT_OF_PORTS"
        case _:
            return "CONNECTION_ERROR"


def _secrets_in(endpoint: Endpoint) -> tuple[str, ...]:
    parts = urlsplit(endpoint.url)
    words = [word for _, value in endpoint.headers for word in (value, *value.split())]
    words += [parts.password or "", *(value for _, value in parse_qsl(parts.query))]
    words += _login_of(endpoint.proxy) if endpoint.proxy is not None else ()
    return tuple(sorted({word for word in words if len(word) >= _SHORTEST_SECRET}, key=len, reverse=True))


def _login_of(proxy: str) -> tuple[str, ...]:
    """The secret part of a proxy's login, as written and decoded, and the login as it travels."""
    parts = urlsplit(proxy)
    user, password = parts.username or "", parts.password or ""
    login = f"{unquote(user)}:{unquote(password)}"
    secret = password or user  # some proxies take a token as the user
    return (secret, unquote(secret), b64encode(login.encode()).decode())
