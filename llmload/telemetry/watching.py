"""The watch over a server and its GPUs while a run goes on: samples by timers, the server's counters at quiet edges."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Protocol

from llmload.samples import UNWATCHED, ServerWork, Watched
from llmload.telemetry.gpu import GpuReader
from llmload.telemetry.recorder import Recorder
from llmload.telemetry.ticker import Ticker, ticking

GPU_EVERY_S, GPU_SHARE = 1.0, 0.25
METRICS_EVERY_S, METRICS_SHARE = 1.0, 0.02
LOG_EVERY_S, LOG_SHARE = 0.25, 0.25
"""How often, and how much of the time it may take: a driver waits elsewhere, but a page costs the server under test."""

_EDGE_S = 0.5
"""What a look at the edge of a window may take; a driver or an exporter that hangs must not hold the load up."""


class Watch(Protocol):
    """What the runner does with a watch: one call on each side of a window."""

    def begin(self) -> None:
        """A window is about to begin, and nothing of ours is in flight."""

    def end(self) -> Watched:
        """The window is over: everything since the last one."""


class Unwatched:
    """Nobody looks."""

    def begin(self) -> None:
        """Nothing to do."""

    def end(self) -> Watched:
        """Nothing was seen."""
        return UNWATCHED


class PageReader(Protocol):
    """The server's metrics page: read on a timer, and whole at the edges of a window."""

    def read(self, recorder: Recorder) -> None:
        """Take one sample of every gauge and counter that it has a name for; never raises."""

    def begin(self, recorder: Recorder) -> None:
        """Remember every counter and histogram as they are before a window."""

    def end(self, recorder: Recorder) -> ServerWork | None:
        """How far they went since; None, with a note in the recorder, where the page does not tell."""


LogTail = Callable[[Recorder], None]
"""Takes what a log has gained since it was last asked; never raises."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What is watched. A metrics page or a log that there is none of is None."""

    gpus: GpuReader
    page: PageReader | None = None
    log: LogTail | None = None


class _Watching:
    """The watch of one server, from its opening to its end."""

    def __init__(self, sources: Sources, recorder: Recorder, looking: Sequence[Ticker]) -> None:
        self._sources, self._recorder, self._looking = sources, recorder, looking

    def begin(self) -> None:
        self._look_now()
        if self._sources.page is not None:
            self._sources.page.begin(self._recorder)

    def end(self) -> Watched:
        self._look_now()
        page = self._sources.page
        work = None if page is None else page.end(self._recorder)
        series, notes = self._recorder.take()
        return Watched(self._sources.gpus.gpus, series, work, notes)

    def _look_now(self) -> None:
        """A sample on each side of the window, so that what was used within can be told."""
        for ticker in self._looking:
            ticker.look_now(_EDGE_S)


@contextmanager
def watching(sources: Sources) -> Iterator[Watch]:
    """Watch for as long as the block takes."""
    recorder = Recorder()
    if sources.gpus.note:
        recorder.note(sources.gpus.note)
    with ExitStack() as threads:

        def start(look: Callable[[Recorder], None], every_s: float, name: str, share: float) -> Ticker:
            return threads.enter_context(ticking(lambda: look(recorder), every_s, name, share))

        edges, others = [], []
        if sources.gpus.gpus:
            edges.append(start(sources.gpus.read, GPU_EVERY_S, "gpus", GPU_SHARE))
        if sources.log is not None:
            edges.append(start(sources.log, LOG_EVERY_S, "server log", LOG_SHARE))
        if sources.page is not None:
            others.append(start(sources.page.read, METRICS_EVERY_S, "server metrics", METRICS_SHARE))
        try:
            yield _Watching(sources, recorder, edges)
        finally:
            for ticker in (*edges, *others):  # all at once: those that hang are waited for together
                ticker.stop()
