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


class FastTransport:
    """Carries attempts over HTTP/1.1, each on a connection of its own while it lasts."""

    def __init__(self, endpoint: Endpoint, dialect: Dialect) -> None:
        self._endpoint, self._dialect = endpoint, dialect
        address = address_of(endpoint, join_url(endpoint.url, dialect.path_for(endpoint)))
        self._head = address.head
        self._connector = Connector(endpoint, address)
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
        await self._connector.close()

    async def carry(self, attempt: Attempt) -> None:
        """One try, and a second one where a kept-alive connection turns out to be dead already.

        llama.cpp closes after every stream while promising keep-alive. That is no error of the answer's, so the
        request goes out again on a fresh connection, once, as long as no byte of an answer has come. A dead
        connection shows at once: a server that first sat on the request has failed it.
        """
        began_ns = now_ns()
        connection = self._connector.take()
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
                self._connector.put_back(connection)
            else:
                connection.close()
        return exchange
