"""A worker on this machine: a child process, the memory shared with it, and the thread that reads its answers.

Not `multiprocessing`: its spawned children import the parent's main module again, and with it everything that a
worker must not carry.
"""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

from llmload.domain import Observation
from llmload.errors import LlmloadError
from llmload.load.clock import SAME, Clock
from llmload.load.handover import read_frame, read_observation, write_frame
from llmload.load.limits import check, limits_here
from llmload.load.live import Cell, Live
from llmload.load.window import Window
from llmload.machine import usable_cpus
from llmload.verdict import Caveat

_EXIT_S = 2.0


class Here:
    """The machine that we run on, as a place for workers."""

    @property
    def cpus(self) -> int:
        """CPUs that this process may use."""
        return usable_cpus()

    @property
    def about(self) -> str:
        """Nothing that a reader would not expect."""
        return ""

    def hire(self) -> Child:
        """One more worker process."""
        return Child()

    def check(self, connections: int, workers: int) -> Caveat | None:
        """Whether this machine lets so many workers hold so many connections; ClientError where it does not."""
        return check(connections, workers, limits_here())


class Child:
    """One worker process of ours."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="llmload-")
        path = Path(self._folder.name) / "live"
        self._live = Live.make(path)
        self._frames: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._packed: bytes | None = None
        self._process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-P", "-m", "llmload.load.process", str(path), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,  # out of reach of the terminal's Ctrl-C, from its first instant
        )
        self._reader = threading.Thread(target=self._read_frames, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def node(self) -> str:
        """No other machine."""
        return ""

    @property
    def clock(self) -> Clock:
        """Monotonic time is the machine's, not a process's."""
        return SAME

    def send(self, window: Window) -> None:
        """Hand a window over; LlmloadError when the process is dead."""
        self._live.reset()
        stdin = cast(IO[bytes], self._process.stdin)
        try:
            write_frame(stdin, pickle.dumps(window, protocol=pickle.HIGHEST_PROTOCOL))
            stdin.flush()
        except OSError:
            raise self._death() from None

    def read(self) -> Sequence[int]:
        """Its live numbers now."""
        return self._live.cells.tolist()

    def write(self, cell: Cell, value: int) -> None:
        """Set one of its live numbers."""
        self._live.cells[cell] = value

    def receive(self) -> Observation | None:
        """The observation, or None while it is not there yet; LlmloadError when the process died."""
        frames = self.receive_packed()
        return None if frames is None else read_observation(*frames)

    def receive_packed(self) -> tuple[bytes, bytes] | None:
        """As `receive`, in the two frames of `handover`, for whoever hands them on."""
        try:
            if self._packed is None:
                self._packed = self._next_frame()
            packed, events = self._packed, self._next_frame()
        except queue.Empty:
            return None
        self._packed = None
        return packed, events

    def _next_frame(self) -> bytes:
        frame = self._frames.get_nowait()
        if frame is None:
            raise self._death()
        return frame

    def stop(self) -> None:
        """End the process, by force after 2 s, and let go of everything shared with it."""
        self._live.cells[Cell.STOP] = 1
        with suppress(OSError):  # its end of the pipe may be gone already
            cast(IO[bytes], self._process.stdin).close()
        try:
            self._process.wait(_EXIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        cast(IO[bytes], self._process.stdout).close()
        self._live.close()
        self._folder.cleanup()

    def _read_frames(self) -> None:
        stdout = cast(IO[bytes], self._process.stdout)
        while (frame := read_frame(stdout)) is not None:
            self._frames.put(frame)
        self._frames.put(None)

    def _death(self) -> LlmloadError:
        code = self._process.wait()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        remedy = "Its last words are on stderr; after signal 9, look for a lack of memory"
        return LlmloadError("load.pool", f"the worker process died ({how})", remedy)
