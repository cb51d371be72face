"""The log of a container as `docker logs --follow` prints it, in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import suppress
from typing import IO, cast

from llmload.plain_text import plain
from llmload.telemetry.log_file import MOST
from llmload.telemetry.log_text import LineBuffer
from llmload.telemetry.recorder import Recorder

_LEAVE_S = 1.0
_PIPE_BYTES = 1_048_576
_DRAINED = 16 * MOST
"""Bytes that one look takes out of a pipe, to let them go: what is read late lies at a false instant."""
_WORDS = re.compile(
    r"Error response from daemon: |Error: |Cannot connect to the Docker daemon|error during connect: "
    r"|permission denied while trying to connect|Got permission denied|failed to connect to the docker API"
)
"""How Docker's own complaints begin: the container's errors come by the same stream, and are nobody's business."""


class CommandLog:
    """Follows a container from now on; the process ends with `close`."""

    def __init__(self, command: str, name: str) -> None:
        self._name = name
        self._complaint = ""
        self._is_over = False
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the user's docker, and a name that is no option
                [command, "logs", "--follow", "--tail", "0", name],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for llmload
            )
        except OSError as error:
            self._complaint = f"docker cannot be started ({error.strerror or type(error).__name__})"
            return
        self._streams = [_Stream(pipe) for pipe in (self._process.stdout, self._process.stderr) if pipe is not None]

    def read(self, recorder: Recorder) -> list[str]:
        """The lines that both of its streams gained."""
        if self._is_over:
            return []
        if self._process is None:
            return self._end(recorder, self._complaint)
        lines = [line for stream in self._streams for line in stream.lines()]
        if any(stream.is_behind for stream in self._streams):
            recorder.note(
                f"Server log of container {self._name}: it grows faster than it is read; parts of it are left out"
            )
        self._complaint = next((line for line in lines if _WORDS.match(line)), self._complaint)
        if all(stream.is_over for stream in self._streams) and (code := self._process.poll()) is not None:
            self._end(recorder, self._ending(code))
        return lines

    def close(self) -> None:
        """End the process and all that it started."""
        if self._process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, number)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(_LEAVE_S)
        for stream in self._streams:
            stream.close()

    def _ending(self, code: int) -> str:
        if self._complaint:
            return f"docker says: {plain(self._complaint)}"
        return f"docker ended with code {code}" if code else "the container has ended"

    def _end(self, recorder: Recorder, told: str) -> list[str]:
        recorder.note(f"Server log of container {self._name}: {told}")
        self._is_over = True
        return []


class _Stream:
    """One of the pipes of the process, read without ever waiting."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._buffer = LineBuffer()
        self.is_over = False
        self.is_behind = False
        os.set_blocking(pipe.fileno(), False)
        _widen(pipe.fileno())

    def lines(self) -> list[str]:
        """The lines that came; none, and `is_behind`, where there were too many to be read."""
        found: list[str] = []
        size = 0
        while size < _DRAINED and not self.is_over:
            try:
                data = os.read(self._pipe.fileno(), 65_536)
            except BlockingIOError:
                break
            self.is_over = not data
            size += len(data)
            if size <= MOST:
                found += self._buffer.feed(data)
        self.is_behind = size > MOST
        if self.is_behind:
            self._buffer.skip()
        return [] if self.is_behind else found

    def close(self) -> None:
        self._pipe.close()


def _widen(pipe: int) -> None:
    """Let the pipe hold what comes between two looks, so that nobody waits for us."""
    import fcntl

    if (widen := getattr(fcntl, "F_SETPIPE_SZ", None)) is not None:  # Linux
        with suppress(OSError):  # the user's share of such memory is used up
            fcntl.fcntl(pipe, cast(int, widen), _PIPE_BYTES)
