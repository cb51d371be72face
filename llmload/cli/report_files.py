"""Reports on disk. The files of one run are replaced together, so that two runs at once never mix theirs."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from llmload.domain import RunResult
from llmload.errors import StoreError
from llmload.reporters.registry import REPORTERS, Render


def write_reports(
    result: RunResult,
    directory: Path,
    formats: Sequence[str],
    reporters: Mapping[str, tuple[str, Render]] = REPORTERS,
) -> tuple[Path, ...]:
    """Render `result` in each format into `directory`; StoreError when the disk says no, old files then stay."""
    rendered = {name: render(result) for name, render in (reporters[form] for form in formats)}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _alone_in(directory):
            return tuple(_replace(directory / name, content) for name, content in rendered.items())
    except OSError as error:
        raise StoreError(
            str(directory),
            f"the reports cannot be written ({error.strerror})",
            f"Make room or choose another --out, then: llmload report {result.header.run_id}",
        ) from error


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Hold the directory itself as a lock, which leaves no lock file behind."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, content: bytes) -> Path:
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(partial).chmod(0o644)
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
    return path
