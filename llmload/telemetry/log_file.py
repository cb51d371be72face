"""A log file, followed from its end as it is at the beginning."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from llmload.telemetry.log_text import LineBuffer
from llmload.telemetry.recorder import Recorder

MOST = 1_048_576
"""Bytes that one look reads; with four looks a second, more than the log of a busy server."""
_KEPT = 262_144  # of a log that grew by more
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOCTTY", 0)


class FileLog:
    """Gives what a file gained, through rotation and truncation; a file that comes later is read from its beginning.

    The file that was rotated away is read once more, since its writer goes over to the new one a little later.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: int | None = None
        self._position = 0
        self._lines = LineBuffer()
        self._is_awaited = False
        self._is_left = False
        with suppress(OSError):  # told by the first look
            self._open()

    def read(self, recorder: Recorder) -> list[str]:
        """The lines since the last time; why there are none is noted."""
        try:
            if self._file is None:
                self._open()
            return [] if self._file is None else self._read(self._file, recorder)
        except FileNotFoundError:
            told = "there is no such file yet; it is read from its beginning when it comes"
        except PermissionError:
            told = "it may not be read (permission denied)"
        except OSError as error:
            told = f"it cannot be read ({error.strerror or type(error).__name__})"
        recorder.note(f"Server log {self._path}: {told}")
        return []

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> None:
        try:
            file = os.open(self._path, _FLAGS)
        except FileNotFoundError:
            self._is_awaited = True
            raise
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(0, "not a plain file")
            self._position = 0 if self._is_awaited else status.st_size
            self._lines.restart()
            if self._position and os.pread(file, 1, self._position - 1) not in (b"\n", b"\r"):
                self._lines.skip()
        except OSError:
            os.close(file)
            raise
        self._file, self._is_awaited, self._is_left = file, False, False

    def _read(self, file: int, recorder: Recorder) -> list[str]:
        size = os.fstat(file).st_size
        if size < self._position:  # emptied, and written anew
            self._position = 0
            self._lines.restart()
        if size - self._position > MOST:
            recorder.note(f"Server log {self._path}: it grows faster than it is read; parts of it are left out")
            self._position = size - _KEPT
            self._lines.skip()
        data = os.pread(file, size - self._position, self._position)
        self._position += len(data)
        lines = self._lines.feed(data)
        self._follow(file)
        return lines

    def _follow(self, file: int) -> None:
        """Go over to the file that has the name now, one look after it came."""
        try:
            now = Path(self._path).stat()
        except OSError:  # moved away, and nothing in its place yet
            return
        was = os.fstat(file)
        if (now.st_dev, now.st_ino) == (was.st_dev, was.st_ino):
            return
        if not self._is_left:  # its writer may not have gone over yet: once more
            self._is_left = True
            return
        self.close()
        self._is_awaited = True
        with suppress(OSError):  # gone again: told by the next look
            self._open()
