"""The worker process as the runner sees it: started once, given one window after the other, stopped by its own id."""

from __future__ import annotations

import pickle
import queue
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import IO, Self, cast

from llmload.domain import Observation, Phase
from llmload.errors import LlmloadError
from llmload.load.handover import read_frame, read_observation, write_frame
from llmload.load.live import Cell, Live
from llmload.load.sender import sender_for
from llmload.load.window import Window
from llmload.progress import Progress

_READ_EVERY_S = 0.25
_RATE_OVER_S = 1.0
_EXIT_S = 2.0


class Pool:
    """One worker process, for any number of windows, one at a time.

    Not `multiprocessing`: its spawned children import the parent's main module again, and with it everything that
    a worker must not carry.
    """

    def __init__(self) -> None:
        self._worker: _Worker | None = None

    def __enter__(self) -> Self:
        self._worker = _Worker()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.stop()

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._running().pid

    def observe(self, window: Window, *, on_progress: Callable[[Progress], None], stop: threading.Event) -> Observation:
        """Everything that one window leaves behind; LlmloadError when the worker died, UsageError when the endpoint
        cannot be sent to at all.

        `on_progress` is called 4 times a second in the calling thread. Once `stop` is set, requests in flight are
        cancelled and what there is comes back, `interrupted`, within 2 s.
        """
        worker = self._running()
        sender_for(window.endpoint)  # what would end the worker is told here instead
        worker.live.reset()
        worker.send(window)
        display = _Display(window, worker.live)
        while (observation := worker.receive(_READ_EVERY_S)) is None:
            if stop.is_set():
                worker.live.cells[Cell.STOP] = 1
            on_progress(display.progress())
        on_progress(display.progress())
        return observation

    def _running(self) -> _Worker:
        if self._worker is None:
            raise LlmloadError("load.pool", "the pool is not open", "Use it in a `with` block")
        return self._worker


class _Worker:
    """The child process, the memory shared with it, and the thread that reads what it hands over."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="llmload-")
        path = Path(self._folder.name) / "live"
        self.live = Live.make(path)
        self._frames: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-m", "llmload.load.process", str(path)],
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

    def send(self, window: Window) -> None:
        """Hand a window over."""
        stdin = cast(IO[bytes], self._process.stdin)
        try:
            write_frame(stdin, pickle.dumps(window, protocol=pickle.HIGHEST_PROTOCOL))
            stdin.flush()
        except OSError:
            raise self._death() from None

    def receive(self, timeout_s: float) -> Observation | None:
        """The observation, or None while it is not there yet."""
        try:
            packed = self._frames.get(timeout=timeout_s)
        except queue.Empty:
            return None
        events = None if packed is None else self._frames.get()
        if packed is None or events is None:
            raise self._death()
        return read_observation(packed, events)

    def stop(self) -> None:
        """End the process, by force after 2 s, and let go of everything shared with it."""
        self.live.cells[Cell.STOP] = 1
        with suppress(OSError):  # its end of the pipe may be gone already
            cast(IO[bytes], self._process.stdin).close()
        try:
            self._process.wait(_EXIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        cast(IO[bytes], self._process.stdout).close()
        self.live.close()
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


class _Display:
    """Turns the shared numbers into what a person sees; rates are over the last second."""

    def __init__(self, window: Window, live: Live) -> None:
        self._window, self._live = window, live
        self._began = monotonic()
        self._recent: deque[tuple[float, int]] = deque([(self._began, 0)])

    def progress(self) -> Progress:
        """Where the window stands now."""
        live, now = self._live, monotonic()
        cells = live.cells
        return Progress(
            step=self._window.look.step.label,
            phase=Phase.MEASURED if cells[Cell.IS_MEASURING] else Phase.WARMUP,
            done=cells[Cell.DONE],
            planned=cells[Cell.PLANNED],
            in_flight=cells[Cell.IN_FLIGHT],
            output_events_per_s=self._rate(now, cells[Cell.EVENTS]),
            ttft_p50_ms=live.ttft_ms(0.50),
            ttft_p95_ms=live.ttft_ms(0.95),
            goodput=live.goodput(),
            elapsed_s=now - self._began,
        )

    def _rate(self, now: float, events: int) -> float:
        while len(self._recent) > 1 and now - self._recent[0][0] > _RATE_OVER_S:
            self._recent.popleft()
        then, before = self._recent[0]
        self._recent.append((now, events))
        return max(0.0, (events - before) / (now - then)) if now > then else 0.0
