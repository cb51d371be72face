"""Where the `ci` verbs write: stdout, a file that is replaced whole, or the summary of a job, which is added to."""

from __future__ import annotations

from pathlib import Path

from llmload.cli import stored
from llmload.errors import UsageError

STEP_LIMIT = 2**20
"""Bytes that GitHub keeps of the summary of one step; of a larger one it shows nothing.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits
"""

_BETWEEN = b"\n\n"
"""A paragraph of another program is never part of ours."""


def put(rendered: bytes, output: Path | None) -> None:
    """To stdout, or in place of a file: who reads it sees the old one or the new one. UsageError where it cannot be."""
    from llmload.store.replacing import replace

    if output is None:
        stored.print_bytes(rendered)
        return
    if output.exists() and not output.is_file():  # such as /dev/stdout, which no file can take the place of
        stored.write_file(output, rendered)
        return
    try:
        replace(output, rendered)
    except OSError as error:
        raise _unwritable(output, error, "Name another --output") from error


def room_in(summary: Path) -> int:
    """Bytes of our own that may still be added to the summary of a step."""
    try:
        return STEP_LIMIT - summary.stat().st_size - len(_BETWEEN)
    except OSError:  # there is none yet
        return STEP_LIMIT - len(_BETWEEN)


def append(rendered: bytes, summary: Path) -> None:
    """Add to the summary of a step, whatever other programs wrote there before. UsageError where it cannot be."""
    try:
        with summary.open("ab") as file:
            file.write((_BETWEEN if file.tell() else b"") + rendered)
    except OSError as error:
        raise _unwritable(summary, error, "Name a file: --output") from error


def _unwritable(path: Path, error: OSError, remedy: str) -> UsageError:
    return UsageError(str(path), f"cannot be written ({error.strerror})", remedy)
