"""Files on disk that are replaced whole, by one process at a time."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from glob import escape
from pathlib import Path

_RANDOM = 8
"""Characters that `tempfile` ends a name with."""


@contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """Hold the directory itself as a lock, which leaves no lock file behind."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def replace(path: Path, content: bytes) -> Path:
    """Put a whole file where a reader may look at any moment: it sees the old one or the new one. Raises OSError."""
    (written,) = replace_together(path.parent, {path.name: content})
    return written


def remove_partial(directory: Path, names: Iterable[str]) -> None:
    """Remove what writers that were killed left half-written of these files; only for who holds `alone_in`."""
    for name in names:
        for path in directory.glob(f".{escape(name)}.{'[a-z0-9_]' * _RANDOM}"):
            path.unlink(missing_ok=True)


def replace_together(directory: Path, contents: Mapping[str, bytes]) -> tuple[Path, ...]:
    """Put several whole files into a directory. Where one of them finds no room, none is put. Raises OSError."""
    partial: dict[str, Path] = {}
    try:
        for name, content in contents.items():
            descriptor, made = tempfile.mkstemp(dir=directory, prefix=f".{name}.")
            partial[name] = Path(made)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            partial[name].chmod(0o644)
        return tuple(path.replace(directory / name) for name, path in partial.items())
    except BaseException:
        for path in partial.values():
            path.unlink(missing_ok=True)
        raise
