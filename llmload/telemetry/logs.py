"""The server's own figures, from what it prints: a file or the log of a container.

Only numbers leave this module; no text of a log is kept. A sample lies at the instant at which its line was read, since
the clocks of logs tell neither zone nor year.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, assert_never

from llmload.samples import Source
from llmload.scenario.asked import Container, LogFile
from llmload.telemetry.docker import container_log
from llmload.telemetry.log_engines import Engines
from llmload.telemetry.log_file import FileLog
from llmload.telemetry.log_lines import read_line
from llmload.telemetry.recorder import Recorder
from llmload.telemetry.watching import LogTail


class LogText(Protocol):
    """Where the lines of a log come from."""

    def read(self, recorder: Recorder) -> list[str]:
        """The lines since the last time, each with its end; what is to be said is noted. Never raises, never waits."""

    def close(self) -> None:
        """Let go of it."""


@contextmanager
def tail_of(source: Container | LogFile | None) -> Iterator[LogTail | None]:
    """The log that `source` asks for, from now on; None where nothing is asked."""
    if source is None:
        yield None
        return
    log = _text_of(source)
    try:
        yield _tail(log)
    finally:
        log.close()


def _text_of(source: Container | LogFile) -> LogText:
    match source:
        case Container(name=name):
            return container_log(name)
        case LogFile(path=path):
            return FileLog(path)
        case _:
            assert_never(source)


def _tail(log: LogText) -> LogTail:
    engines = Engines()

    def look(recorder: Recorder) -> None:
        lines = log.read(recorder)
        now_ns = time.monotonic_ns()
        for line in lines:
            if (told := read_line(line)) is not None:
                engines.hear(told, now_ns / 1e9)
        for name, value in engines.tell(now_ns / 1e9).items():
            recorder.add(Source.LOG, name, value, now_ns)

    return look
