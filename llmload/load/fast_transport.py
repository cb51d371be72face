"""The fast transport: HTTP/1.1 over connections of our own, stamped at the read."""

from __future__ import annotations

from collections.abc import Collection

from llmload.endpoint import Endpoint
from llmload.frameworks.adapter import Dialect
from llmload.frameworks.address import join_url
from llmload.load.answer import Answer
from llmload.load.attempt import DEAD_SHOWS_WITHIN_NS, Attempt
from llmload.load.exchange import Exchange
from llmload.load.transport import Connection, Connector, address_of, now_ns
from llmload.planned import Part


class FastTransport:
    """Carries attempts over HTTP/1.1, each on a connection of its own while it lasts."""

    def __init__(self, endpoint: Endpoint, dialect: Dialect) -> None:
        self._endpoint, self._dialect = endpoint, dialect
        address = address_of(endpoint, join_url(endpoint.url, dialect.path_for(endpoint)))
        self._head = address.head
        self._connector = Connector(endpoint, address)
        self._of_sessions: dict[int, Connection] = {}  # of those that go on, while nothing is in flight on them
        self._in_flight: set[Exchange] = set()

    @property
    def in_flight(self) -> Collection[Answer]:
        """The answers going on now."""
        return self._in_flight

    @property
    def opened(self) -> int:
        """Connections opened so far."""
        return self._connector.opened

    async def open(self, count: int) -> None:
        """Open `count` idle connections, so that no measured request pays for one."""
        await self._connector.fill(count)

    async def close(self) -> None:
        """Close every connection, and wait until the loop has noticed."""
        self._of_sessions.clear()
        await self._connector.close()

    async def end_session(self, session: int) -> None:
        """Close the connection of a session that is over."""
        if (connection := self._of_sessions.pop(session, None)) is not None:
            connection.close()

    async def carry(self, attempt: Attempt) -> None:
        """One try, and a second one where a kept-alive connection turns out to be dead already.

        llama.cpp closes after every stream while promising keep-alive. That is no error of the answer's, so the
        request goes out again on a fresh connection, once, as long as no byte of an answer has come. A dead
        connection shows at once: a server that first sat on the request has failed it.
        """
        began_ns = now_ns()
        connection = self._take(attempt.job.part)
        if connection is None:
            connection = await self._connector.open()
            attempt.connect_ns = now_ns() - began_ns
        is_reused = connection.uses > 0
        exchange = await self._exchange(attempt, connection)
        is_prompt = exchange.done_ns - exchange.sent_ns <= DEAD_SHOWS_WITHIN_NS
        if is_reused and exchange.is_unanswered and exchange.was_lost and is_prompt:
            attempt.retried = True
            attempt.answer = None
            fresh = await self._connector.open()
            attempt.connect_ns = now_ns() - began_ns
            await self._exchange(attempt, fresh)

    def _take(self, part: Part) -> Connection | None:
        """A connection for a request: of a session, its own one from its second turn on, and then no other's."""
        if part.session is None or not part.turn:
            return self._connector.take()
        connection = self._of_sessions.pop(part.session, None)
        return connection if connection is not None and connection.is_open else None

    def _keep(self, part: Part, connection: Connection) -> None:
        if part.session is None:
            self._connector.put_back(connection)
        elif connection.is_written:
            self._of_sessions[part.session] = connection
        else:
            connection.close()

    async def _exchange(self, attempt: Attempt, connection: Connection) -> Exchange:
        endpoint = self._endpoint
        first_token_s = endpoint.first_token_timeout_s if endpoint.stream else None
        exchange = Exchange(self._dialect, first_token_s, endpoint.total_timeout_s)
        attempt.answer = exchange
        body = attempt.job.body
        self._in_flight.add(exchange)
        try:
            exchange.begin(connection, b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
            await exchange.ended
        finally:
            self._in_flight.discard(exchange)
            exchange.cancel()  # no effect on one that is over
            if exchange.is_reusable:
                self._keep(attempt.job.part, connection)
            else:
                connection.close()
        return exchange
