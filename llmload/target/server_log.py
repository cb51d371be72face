"""What a launched server prints: into a file, without secrets, and its end in memory."""

from __future__ import annotations

import codecs
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from llmload.plain_text import plain

TAIL_CHARACTERS = 65_536
"""How much of the end is kept in memory; the file holds everything."""

_READ_BYTES = 65_536
_LONGEST_LINE = 65_536
_OVERLAP = 4_096  # longer than any secret: one that is cut in two by a read is whole in the next
_LAST_LINES = 5
_LAST_WORDS = 200  # of the 400 characters that a report quotes


class ServerLog:
    """A file that `copy` fills; OSError where it cannot be made."""

    def __init__(self, path: Path, scrub: Callable[[str], str]) -> None:
        self._path, self._scrub = path, scrub
        self._tail = ""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("wb", buffering=0)
        self._thread: threading.Thread | None = None

    def copy(self, source: IO[bytes]) -> None:
        """Read `source`, an unbuffered pipe, in a thread of its own until nobody holds its other end."""
        self._thread = threading.Thread(target=self._copy, args=(source,), daemon=True)
        self._thread.start()

    @property
    def path(self) -> Path:
        """Where all of it is written."""
        return self._path

    @property
    def tail(self) -> str:
        """The last `TAIL_CHARACTERS`, scrubbed."""
        return self._tail

    def last_words(self) -> str:
        """The last lines as one, safe for terminals and short enough for a report; "" where nothing was printed."""
        lines = [words for line in self._tail.splitlines() if (words := plain(line, _LAST_WORDS))]
        said = ""
        for line in reversed(lines[-_LAST_LINES:]):
            longer = f"{line} | {said}" if said else line
            if len(longer) > _LAST_WORDS and said:
                break
            said = longer
        return said

    def wait(self, within_s: float) -> None:
        """Until all that was printed is here: after the server's end, or `within_s` at most."""
        if self._thread is not None:
            self._thread.join(within_s)

    def _copy(self, source: IO[bytes]) -> None:
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        pending = ""
        with source, self._file:
            while raw := source.read(_READ_BYTES):
                pending = self._scrub(pending + decode(raw))
                ready = max(pending.rfind("\n"), pending.rfind("\r")) + 1
                if not ready and len(pending) > _LONGEST_LINE:
                    ready = len(pending) - _OVERLAP
                self._keep(pending[:ready])
                pending = pending[ready:]
            self._keep(self._scrub(pending + decode(b"", final=True)))

    def _keep(self, text: str) -> None:
        self._tail = (self._tail + text)[-TAIL_CHARACTERS:]
        with suppress(OSError):  # a full disk must neither stop the server nor hide its last words
            self._file.write(text.encode())
