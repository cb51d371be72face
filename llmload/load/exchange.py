"""One answer over HTTP/1.1, read as it comes: reads of a socket in, pieces of the body out.

`transport.Connection.data_received` knows most events by themselves; every other read comes here.
"""

from __future__ import annotations

from collections.abc import Callable

import httptools

from llmload.domain import Outcome
from llmload.frameworks.adapter import Dialect
from llmload.load.answer import Answer, TooLargeError
from llmload.load.transport import Connection, now_ns

MAX_HEAD_BYTES = 64 * 1024


class Exchange(Answer):
    """The answer to one request on one connection. `is_reusable`: the connection may carry another request after it.

    A kind of Answer, and not the owner of one, since that would be one more call for every event (tests/bench). The
    parser calls the `on_...` methods. None of them may raise for what a server did: that is a `failure`.
    """

    __slots__ = (
        "_connection",
        "_feed",
        "_has_length",
        "_head_bytes",
        "_is_between_chunks",
        "_is_head_done",
        "_parser",
        "is_reusable",
        "was_lost",
    )

    def __init__(self, dialect: Dialect, first_token_s: float | None, total_s: float) -> None:
        super().__init__(dialect, first_token_s, total_s)
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._connection: Connection | None = None
        self._head_bytes = 0
        self._has_length = self._is_head_done = False
        self._feed: Callable[[bytes], None] = self._feed_head
        self._is_between_chunks = False
        self.is_reusable = self.was_lost = False

    # ------------------------------------------------------------ the life of an exchange

    def begin(self, connection: Connection, request: bytes) -> None:
        """Send `request`; from here on the deadlines run."""
        self._connection = connection
        self.start_clock()
        connection.send(request, self)

    def lose(self) -> None:
        """The connection ended before the answer did, unless the end of the connection is the end of the body."""
        self.was_lost = True
        if self._is_head_done and (self.status >= 300 or not self._has_length):
            self.stamp = now_ns()
            self.finish()
        else:
            super().lose()

    def break_off(self, error: Exception) -> None:
        """Bytes came that cannot be read: a broken protocol, or what Answer knows of."""
        if isinstance(error, httptools.HttpParserCallbackError) and isinstance(error.__context__, Exception):
            error = error.__context__
        if isinstance(error, httptools.HttpParserError | httptools.HttpParserUpgrade):
            self.fail(Outcome.PROTOCOL_ERROR, "HTTP_PARSE_ERROR", f"not HTTP as we know it: {error}")
        else:
            super().break_off(error)

    def fail(self, outcome: Outcome, error_type: str, text: str) -> None:
        """It ends here, and not well: nobody knows what else would come on this connection."""
        if not self.is_over:
            self.is_reusable = False
            super().fail(outcome, error_type, text)

    def _end(self) -> None:
        """Breaks the cycle with the parser, since nobody collects garbage in a window."""
        if self.is_over:
            return
        self._parser = None
        connection, self._connection = self._connection, None
        if connection is not None:
            if self.is_reusable:
                connection.release()
            else:
                connection.close()
        self._feed = _ignore
        super()._end()

    def take(self, data: bytes, stamp: int) -> None:
        """What one read of the socket gave, where the connection could not tell what it is."""
        self.stamp = stamp
        try:
            self._feed(data)
        except Exception as error:  # becomes the record of this request; anything unforeseen is logged there
            self.break_off(error)
        if self._is_between_chunks and data.endswith(b"\n") and self.is_between_events and self._connection is not None:
            self._connection.expect(self.stencil)

    # ------------------------------------------------------------ called by the parser

    on_body = Answer.read

    def _feed_head(self, data: bytes) -> None:
        self.is_unanswered = False
        self._head_bytes += len(data)
        parser = self._parser
        if parser is None:
            return
        parser.feed_data(data)
        if self._is_head_done and self._parser is not None:
            self._feed = parser.feed_data  # from now on straight into C
        elif not self._is_head_done and self._head_bytes > MAX_HEAD_BYTES:
            raise TooLargeError(f"the head of the answer has more than {MAX_HEAD_BYTES} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Three fields matter: whether the body has an end of its own, its type, and its coding."""
        match name.lower():
            case b"content-length" | b"transfer-encoding":
                self._has_length = True
            case b"content-type" if value.strip().lower().startswith(b"application/json"):
                self.is_streamed = False
            case b"content-encoding" if value.strip().lower() not in (b"", b"identity"):
                self.fail(Outcome.PROTOCOL_ERROR, "CONTENT_ENCODING", "the server compressed an answer unasked")

    def on_headers_complete(self) -> None:
        """The status is known."""
        if self._parser is not None:
            self.status = self._parser.get_status_code()
            self._is_head_done = not 100 <= self.status < 200
            if self._is_head_done:
                self.start_body(self.status)

    def on_chunk_header(self) -> None:
        """The size of a chunk is known."""
        self._is_between_chunks = False

    def on_chunk_complete(self) -> None:
        """What comes next is the size of another chunk."""
        self._is_between_chunks = True

    def on_message_complete(self) -> None:
        """The end of the body, or of an interim 1xx answer, which says nothing."""
        if self._parser is None:
            return
        if not self._is_head_done:
            self._head_bytes = 0
            return
        self.is_reusable = self._parser.should_keep_alive()
        self.finish()

    def on_message_begin(self) -> None:
        """A second answer to one request: nobody can tell whose the next bytes are."""
        if self.is_over:
            self.is_reusable = False


def _ignore(_data: bytes) -> None:
    """Bytes behind the end of an answer."""
