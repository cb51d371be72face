"""The worker process: `python -m llmload.load.process LIVE_FILE PARENT_PID`.

Windows come on stdin, observations go to stdout.
A process of its own, so that nothing else the tool does can delay a stamp, and one that imports next to nothing.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import sys
from asyncio import AbstractEventLoop, Runner, new_event_loop
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from llmload.load.handover import read_frame, write_observation
from llmload.load.limits import raise_file_limit
from llmload.load.live import Live
from llmload.load.window import Window
from llmload.load.worker import observe_window


def main() -> None:
    """Observe one window after the other until stdin ends, which it also does when the parent dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides what it means
    logging.basicConfig(format="llmload worker: %(message)s", level=logging.ERROR)
    raise_file_limit()
    parent = int(sys.argv[2])
    with os.fdopen(os.dup(1), "wb") as replies, closing(Live(Path(sys.argv[1]))) as live:
        os.dup2(2, 1)  # whatever prints by mistake must not end up between two frames
        with Runner(loop_factory=_loop_factory()) as runner:
            while (packed := read_frame(sys.stdin.buffer)) is not None:
                window: Window = pickle.loads(packed)  # noqa: S301 - from our own parent
                if os.getppid() != parent:
                    break  # it died after it had handed the window over: nobody wants the load, or could end it
                write_observation(replies, runner.run(observe_window(window, live)))


def _loop_factory() -> Callable[[], AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:  # no wheel for this platform: plain asyncio measures as truly, at a higher price per event
        return new_event_loop
    return uvloop.new_event_loop


if __name__ == "__main__":
    main()
