"""What a data file beside a scenario is, before its rows are read; files of another kind are told by name."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO

from llmload.errors import DataFileError
from llmload.scenario.corpus import Stamp
from llmload.scenario.row_spans import Spans, element_spans, line_spans

_CHANGED = "Start again, and leave it alone while it is read"
_FOREIGN = (
    (b"\x1f\x8b", "gzip", "Unpack it"),
    (b"PK\x03\x04", "a ZIP archive", "Unpack it"),
    (b"\x28\xb5\x2f\xfd", "Zstandard", "Unpack it"),
    (b"PAR1", "Parquet", "Write it as JSON lines: llmload dataset"),
    (b"ARROW1", "Arrow", "Write it as JSON lines: llmload dataset"),
    (b"\xff\xfe", "UTF-16", "Save it in UTF-8"),
    (b"\xfe\xff", "UTF-16", "Save it in UTF-8"),
)


def ordinary(path: str, remedy: str) -> Stamp:
    """What the file system says of an ordinary file; DataFileError with `remedy` for any other. Raises OSError."""
    found = Path(path).stat()
    if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait for whoever writes it
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "no ordinary file"
        raise DataFileError(path, f"is {kind}", remedy)
    return stamp_of(found)


def open_ordinary(path: str | Path) -> IO[bytes]:
    """A file that was `ordinary`, to be read: were it a pipe by now, opening it would wait for whoever writes it."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")


def stamp_of(found: os.stat_result) -> Stamp:
    """What tells a changed file from the same one, short of reading it."""
    return Stamp(found.st_ino, found.st_size, found.st_mtime_ns)


def changed(path: str) -> DataFileError:
    """The file is another one than was checked."""
    return DataFileError(path, "changed since the scenario was read", _CHANGED)


def reason_of(error: OSError) -> str:
    """Why the system refused."""
    return (error.strerror or "unreadable").lower()


def check_kind(path: str, head: bytes) -> None:
    """DataFileError where a file that begins with `head` is empty, packed, or not text in UTF-8."""
    if not head:
        raise DataFileError(path, "is empty", "Write at least one row")
    for sign, kind, remedy in _FOREIGN:
        if head.startswith(sign):
            raise DataFileError(path, f"is {kind}, not text in UTF-8", remedy)


def spans_of(head: bytes) -> Spans:
    """How JSON is cut into rows: one a line, or the elements of one array where the file begins with a bracket."""
    return element_spans if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[") else line_spans
