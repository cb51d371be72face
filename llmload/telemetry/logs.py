"""The server's own figures, from what it prints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from llmload.scenario.asked import Container, LogFile
from llmload.telemetry.watching import LogTail


@contextmanager
def tail_of(source: Container | LogFile | None) -> Iterator[LogTail | None]:
    """The log that `source` asks for, from now on; None where nothing is asked."""
    yield None
