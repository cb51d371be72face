"""Bytes of a log as lines, in a bounded amount of memory."""

from __future__ import annotations

LONGEST_LINE = 65_536
"""Bytes of a line that has not ended; longer ones are left out, since no line that we read is nearly as long."""


class LineBuffer:
    """Takes bytes as they come and gives whole lines, each with its end, as text; what is no UTF-8 is replaced.

    A carriage return ends a line too: progress bars end with one, and lines follow on them.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._is_skipping = False

    def skip(self) -> None:
        """Leave out everything up to the next line end: the beginning of this line was not seen."""
        self._rest, self._is_skipping = b"", True

    def restart(self) -> None:
        """Forget the line that has begun: what comes is another text."""
        self._rest, self._is_skipping = b"", False

    def feed(self, data: bytes) -> list[str]:
        """The lines that end in `data`."""
        *lines, rest = data.replace(b"\r", b"\n").split(b"\n")
        if lines:
            lines[0] = self._rest + lines[0]
            whole = lines[1:] if self._is_skipping else lines
            self._rest, self._is_skipping = rest, False
        else:
            whole = []
            self._rest = b"" if self._is_skipping else self._rest + rest
        if len(self._rest) > LONGEST_LINE:
            self.skip()
        return [f"{line.decode('utf-8', 'replace')}\n" for line in whole if line]
