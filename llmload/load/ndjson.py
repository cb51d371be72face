"""One JSON document a line: bytes in, payloads out. Pure; where the network cuts the stream does not matter."""

from __future__ import annotations

from llmload.load.sse import MAX_EVENT_BYTES, EventTooLargeError


class LineCutter:
    """Cuts one stream into payloads: its lines that are not blank. A line whose end never came is no payload."""

    __slots__ = ("_partial", "held")

    def __init__(self) -> None:
        self._partial: list[bytes] = []  # pieces of a line whose end has not come
        self.held = 0  # their bytes; 0 = the stream stands between two events

    def feed(self, chunk: bytes) -> list[bytes]:
        """Payloads of the events that `chunk` completes; EventTooLargeError above MAX_EVENT_BYTES."""
        *lines, rest = chunk.split(b"\n")
        if lines and self._partial:
            lines[0] = b"".join((*self._partial, lines[0]))
            self._partial.clear()
            self.held = 0
        if rest:
            self._partial.append(rest)
            self.held += len(rest)
            if self.held > MAX_EVENT_BYTES:
                raise EventTooLargeError(f"one event has more than {MAX_EVENT_BYTES} bytes")
        return [payload for line in lines if (payload := line.strip())]
