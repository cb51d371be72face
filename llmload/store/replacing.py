"""Files on disk that are replaced whole, by one process at a time."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from secrets import token_hex

_RANDOM = 8
"""Characters that end the name of a file which is not whole yet."""


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
        for path in directory.glob(f".{escape(name)}.{'[0-9a-f]' * _RANDOM}"):
            path.unlink(missing_ok=True)


def replace_together(directory: Path, contents: Mapping[str, bytes]) -> tuple[Path, ...]:
    """Put several whole files into a directory. Where one of them finds no room, none is put. Raises OSError."""
    partial: dict[str, Path] = {}
    try:
        for name, content in contents.items():
            made = directory / f".{name}.{token_hex(_RANDOM // 2)}"
            descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)  # less what the umask takes
            partial[name] = made
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
        for name in contents:
            if (directory / name).is_dir():  # the only thing a rename would stumble over, and then half-way
                raise IsADirectoryError(errno.EISDIR, f"{os.strerror(errno.EISDIR)}: {name}")
        return tuple(path.replace(directory / name) for name, path in partial.items())
    except BaseException:
        for path in partial.values():
            path.unlink(missing_ok=True)
        raise
