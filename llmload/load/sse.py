"""Server-sent events: bytes in, payloads out. Pure; where the network cuts the stream does not matter."""

from __future__ import annotations

MAX_EVENT_BYTES = 4 * 1024 * 1024
_LF = ord("\n")
_LINE_COST = 40  # what Python adds to a line that it keeps


class EventTooLargeError(ValueError):
    """One event is larger than any honest server sends; we stop before it fills our memory."""


class Cutter:
    """Cuts one stream into payloads: the joined `data` lines of each event, as the WHATWG standard has it.

    Lines end with LF, CRLF or CR. Comments, other fields and events without data are left out. What an event
    without its closing blank line held at the end of the stream is dropped, as the standard demands.
    """

    __slots__ = ("_after_cr", "_data", "_data_bytes", "_partial", "held")

    def __init__(self) -> None:
        self._partial: list[bytes] = []  # pieces of a line whose end has not come
        self._data: list[bytes] = []  # data lines of an event whose end has not come
        self.held = 0  # what both cost in bytes; 0 = the stream stands between two events
        self._data_bytes = 0
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Payloads of the events that `chunk` completes; EventTooLargeError above MAX_EVENT_BYTES."""
        # The usual chunk is exactly one event of one line: one search in C instead of a loop (tests/bench).
        if not self.held and len(lines := chunk.splitlines()) == 2:
            line, blank = lines
            if not blank and line[:6] == b"data: " and chunk[-1] == _LF and (payload := line[6:]):
                return [payload]
        return self._feed_lines(chunk)

    def _feed_lines(self, chunk: bytes) -> list[bytes]:
        if self._after_cr and chunk:  # a CRLF cut in two: the CR has ended the line already
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        payloads: list[bytes] = []
        if b"\n" in chunk:
            first, *lines = chunk.split(b"\n")
            lines.insert(0, b"".join((*self._partial, first)))
            self._partial.clear()
            chunk = lines.pop()
            payloads = self._dispatch(lines)
        if chunk:
            self._partial.append(chunk)
            self.held += len(chunk)
        if self.held > MAX_EVENT_BYTES:
            raise EventTooLargeError(f"one event has more than {MAX_EVENT_BYTES} bytes")
        return payloads

    def _dispatch(self, lines: list[bytes]) -> list[bytes]:
        payloads = []
        data, held = self._data, self._data_bytes
        for line in lines:
            if not line:
                if data:
                    payload = data[0] if len(data) == 1 else b"\n".join(data)
                    if payload:
                        payloads.append(payload)
                    data.clear()
                    held = 0
            elif line.startswith(b"data:"):
                data.append(line[6:] if line[5:6] == b" " else line[5:])
                held += len(line) + _LINE_COST
            elif line == b"data":
                data.append(b"")
                held += _LINE_COST
        self._data_bytes = self.held = held
        return payloads
