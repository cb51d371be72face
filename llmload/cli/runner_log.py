"""stdout and stderr inside a job of GitHub Actions, whose runner obeys commands that it reads in what is printed.

Names of files, and what servers and documents say, are printed too: nothing of them may be such a command. Commands of
our own are written as bytes, past this, as is every rendering (`cli.stored.print_bytes`).
"""

from __future__ import annotations

import io
import os
import sys

from llmload.reporters.workflow_commands import inert


def keep_commands_out() -> None:
    """From now on, text that is printed is no command to the runner; nothing changes outside of a job."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            setattr(sys, name, _around(stream))


def _around(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    stream.flush()
    return _Inert(
        stream.buffer,
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _Inert(io.TextIOWrapper):
    def write(self, text: str, /) -> int:
        super().write(inert(text))
        return len(text)
