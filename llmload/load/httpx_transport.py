"""The other transport: httpx, for proxies and HTTP/2. Slower, and the only module of the load that imports it.

What counts is told by the same `Answer` as on the fast transport, from what httpx lets us see: `trace` events for
connections and for the instant a request goes out, and the pieces of the body. What it does not let us see or do is
listed in docs/performance.md, and tested beside what both do alike.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Collection, Iterator
from importlib.util import find_spec

import httpx

from llmload.domain import Outcome
from llmload.endpoint import Endpoint
from llmload.frameworks.adapter import Dialect
from llmload.frameworks.address import join_url
from llmload.load.answer import Answer, Failure, TooLargeError
from llmload.load.attempt import DEAD_SHOWS_WITHIN_NS, Attempt
from llmload.load.transport import address_of, now_ns
from llmload.tls import tls_context

_ENDED = ("Server disconnected", "peer closed connection")
"""How the messages of httpcore and h11 begin when the connection ended; they have no type of their own for it."""

if find_spec("sniffio") is None:
    # httpcore asks for it whenever it closes, and where there is none that takes a look into folders: in a worker whose
    # open files are used up, the look fails with another error than "no such module", and the close with it.
    sys.modules["sniffio"] = None  # type: ignore[assignment]  # Python's way to say so: importing it fails at once


class HttpxTransport:
    """Carries attempts over httpx: through a proxy, and over HTTP/2 where the server offers it and `h2` is here."""

    def __init__(self, endpoint: Endpoint, dialect: Dialect) -> None:
        self._endpoint, self._dialect = endpoint, dialect
        address = address_of(endpoint, join_url(endpoint.url, dialect.path_for(endpoint)))
        self._url = httpx.URL(address.url)
        self._fields = [(name.encode(), value.encode()) for name, value in address.fields]
        self._tls = tls_context(endpoint) if address.is_tls else False
        self._http = self._new_http()
        self._of_sessions: dict[int, httpx.AsyncHTTPTransport] = {}
        self._in_flight: set[Answer] = set()
        self._opened = 0

    @property
    def in_flight(self) -> Collection[Answer]:
        """The answers going on now."""
        return self._in_flight

    @property
    def opened(self) -> int:
        """Connections opened so far, those to a proxy included."""
        return self._opened

    async def open(self, count: int) -> None:
        """Nothing: httpx opens a connection when a request needs it. Warm-up requests open them."""

    async def close(self) -> None:
        """Close every connection."""
        for session in tuple(self._of_sessions):
            await self.end_session(session)
        await self._http.aclose()

    async def end_session(self, session: int) -> None:
        """Close the connection of a session that is over."""
        if (http := self._of_sessions.pop(session, None)) is not None:
            await http.aclose()

    async def carry(self, attempt: Attempt) -> None:
        """One try, and another one wherever a kept-alive connection turns out to be dead already."""
        began_ns = now_ns()
        while (await self._exchange(attempt, began_ns)).shows_dead_connection:  # never true of a fresh one
            attempt.retried = True
            attempt.answer = None

    async def _exchange(self, attempt: Attempt, began_ns: int) -> _Exchange:
        exchange = _Exchange(attempt, self._answer(), began_ns, self._in_flight)
        request = httpx.Request(
            "POST",
            self._url,
            headers=self._fields,
            content=attempt.job.body,
            extensions={"trace": exchange.trace},
        )
        try:
            async with asyncio.timeout(self._endpoint.connect_timeout_s) as patience:
                exchange.patience = patience
                await exchange.run(self._http_of(attempt.job.part.session), request)
        except TimeoutError:
            if attempt.answer is None:
                raise  # no connection in time; else the answer was over before its last byte
        finally:
            self._in_flight.discard(exchange.answer)
            self._opened += exchange.opened
            if attempt.answer is not None:
                exchange.answer.cancel()  # no effect on one that is over
        return exchange

    def _http_of(self, session: int | None) -> httpx.AsyncHTTPTransport:
        """A session has a pool of its own, in which there is never more than one connection."""
        if session is None:
            return self._http
        if session not in self._of_sessions:
            self._of_sessions[session] = self._new_http()
        return self._of_sessions[session]

    def _new_http(self) -> httpx.AsyncHTTPTransport:
        return httpx.AsyncHTTPTransport(  # the layer below its clients, which add cookies and redirects
            verify=self._tls,
            http2=find_spec("h2") is not None,
            trust_env=False,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=None),
            proxy=self._endpoint.proxy,
        )

    def _answer(self) -> Answer:
        endpoint = self._endpoint
        first_token_s = endpoint.first_token_timeout_s if endpoint.stream else None
        return Answer(self._dialect, first_token_s, endpoint.total_timeout_s)


class _RefusedError(Exception):
    """The head of an answer says that its body is not what we can read: error type, and words for a person."""


class _Exchange:
    """One request over httpx, and its answer."""

    def __init__(self, attempt: Attempt, answer: Answer, began_ns: int, in_flight: set[Answer]) -> None:
        self.attempt, self.answer = attempt, answer
        self.patience = asyncio.timeout(None)
        self.opened = 0
        self._began_ns, self._in_flight = began_ns, in_flight
        self._is_reading = True
        self._was_lost = self._ends_with_connection = False

    @property
    def shows_dead_connection(self) -> bool:
        """Whether a kept-alive connection took the request and ended at once, without a byte of an answer."""
        answer = self.answer
        is_prompt = answer.done_ns - answer.sent_ns <= DEAD_SHOWS_WITHIN_NS
        return not self.opened and self._was_lost and answer.is_unanswered and is_prompt

    async def trace(self, event: str, info: dict[str, object]) -> None:
        """Told by httpcore as it goes along."""
        match event:
            case "connection.connect_tcp.complete":
                self.opened += 1
            case "http11.send_request_headers.started" | "http2.send_request_headers.started":
                if getattr(info["request"], "method", None) != b"CONNECT":  # a proxy's: still connecting
                    self._begin()
            case "http11.send_request_headers.complete" | "http2.send_request_headers.complete":
                self.answer.sent_ns = now_ns()  # the loop may have turned to others before the first byte went out

    def _begin(self) -> None:
        """A connection is ready: from here on the deadlines of the answer run, and its end ends the exchange."""
        if self.opened:
            self.attempt.connect_ns = now_ns() - self._began_ns
        self.patience.reschedule(None)
        self.answer.ended.add_done_callback(self._hang_up)
        self.answer.start_clock()
        self._in_flight.add(self.answer)
        self.attempt.answer = self.answer

    def _hang_up(self, _ended: object) -> None:
        if self._is_reading:
            self.patience.reschedule(0)

    async def run(self, http: httpx.AsyncBaseTransport, request: httpx.Request) -> None:
        """Send, and read until the answer is over; OSError or ssl.SSLError where no connection was to be had."""
        try:
            await self._read(await http.handle_async_request(request))
        except httpx.ProxyError as refusal:
            text = f"the proxy opens no tunnel: {refusal}"
            self.attempt.failure = Failure(Outcome.CONNECT_ERROR, "PROXY_ERROR", text)
        except httpx.HTTPError as error:
            if self.attempt.answer is None:
                raise _network_error(error) from None
            self._fail(error)
        finally:
            self._is_reading = False

    async def _read(self, response: httpx.Response) -> None:
        answer = self.answer
        try:
            answer.stamp = now_ns()
            self._read_head(response)
            async for piece in response.aiter_raw():
                answer.stamp = now_ns()
                answer.read(piece)
                if answer.is_over:
                    break
            answer.stamp = now_ns()
        except httpx.HTTPError:
            raise
        except _RefusedError as refused:
            answer.fail(Outcome.PROTOCOL_ERROR, *refused.args)
        except Exception as error:  # becomes the record of this request; anything unforeseen is logged there
            answer.break_off(error)
        finally:
            self._is_reading = False  # a connection that is being given back is not to be torn down
            await response.aclose()
        answer.finish()

    def _read_head(self, response: httpx.Response) -> None:
        answer, fields = self.answer, response.headers
        answer.is_unanswered = False
        if response.status_code == 101:
            answer.status = 101
            raise _RefusedError("HTTP_PARSE_ERROR", "the server changes to another protocol unasked")
        if fields.get("content-encoding", "").strip().lower() not in ("", "identity"):
            raise _RefusedError("CONTENT_ENCODING", "the server compressed an answer unasked")
        if fields.get("content-type", "").strip().lower().startswith("application/json"):
            answer.is_streamed = False
        has_length = "content-length" in fields or "transfer-encoding" in fields
        is_http2 = response.extensions.get("http_version") == b"HTTP/2"
        self._ends_with_connection = response.status_code >= 300 or not (has_length or is_http2)
        answer.start_body(response.status_code)

    def _fail(self, error: httpx.HTTPError) -> None:
        """What httpx says of a broken answer, in our words."""
        answer = self.answer
        answer.stamp = now_ns()
        if isinstance(error, httpx.NetworkError) or str(error).startswith(_ENDED) or _is_http2_event(error):
            self._lose()
        elif isinstance(error, httpx.RemoteProtocolError):
            if any(getattr(cause, "error_status_hint", None) == 431 for cause in _causes(error)):
                answer.break_off(TooLargeError("the head of the answer is larger than any honest server sends"))
            else:
                answer.fail(Outcome.PROTOCOL_ERROR, "HTTP_PARSE_ERROR", f"not HTTP as we know it: {error}")
        else:
            answer.break_off(error)

    def _lose(self) -> None:
        self._was_lost = True
        if self._ends_with_connection:
            self.answer.finish()
        else:
            self.answer.lose()


def _network_error(error: httpx.HTTPError) -> OSError:
    """The error of the socket or of TLS behind what httpx tells; it says which of our limits was met."""
    found = [cause for cause in _causes(error) if isinstance(cause, OSError)]
    return next(
        (cause for cause in found if isinstance(cause, ssl.SSLError) or cause.errno is not None), OSError(str(error))
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    yield error
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else (error.__cause__ or error.__context__,)
    for cause in inner:
        if cause is not None:
            yield from _causes(cause)


def _is_http2_event(error: httpx.HTTPError) -> bool:
    """A reset stream or a closed connection of HTTP/2: httpcore raises the event itself, which is no text."""
    cause = error.__cause__
    return cause is not None and bool(cause.args) and not isinstance(cause.args[0], str | Exception)
