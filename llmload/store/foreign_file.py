"""Files that others may have written: read in bounds, so that none of them can hang or fill the memory."""

from __future__ import annotations

from pathlib import Path

from llmload.errors import DataFileError
from llmload.plain_text import plain


def bytes_of(path: Path, largest: int, remedy: str) -> bytes:
    """All bytes of a file; DataFileError with `remedy` where it is none, cannot be read, or has more than `largest`."""
    name = plain(str(path))
    if path.exists() and not path.is_file():  # a pipe or a device might never end
        raise DataFileError(name, "is not a file", remedy)
    try:
        with path.open("rb") as file:
            raw = file.read(largest + 1)
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise DataFileError(name, f"cannot be read: {reason}", remedy) from None
    if len(raw) > largest:
        raise DataFileError(name, f"is larger than {largest:,} bytes", remedy)
    return raw
