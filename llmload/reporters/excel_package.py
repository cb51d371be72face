"""A workbook as bytes: the same workbook gives the same ones, whenever and wherever they are made.

Neither the clock nor the order of a dictionary reaches the archive. A sheet too large to build in memory is streamed
into the place that the workbook keeps for it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from openpyxl import Workbook
from openpyxl.writer.excel import ExcelWriter

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first instant that a ZIP archive can tell
_RANGE = re.compile(rb"<dimension [^>]*/>")
"""The range of a sheet that it was drafted with: nobody knows that of rows still to come, and it may be left out."""
_DATA = re.compile(rb"<sheetData\s*/>|<sheetData>.*</sheetData>", re.DOTALL)
_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Streamed:
    """Rows to stream into the sheet of this index (from 1): from its XML the chunks that take its rows' place."""

    sheet: int
    rows: Callable[[bytes], Iterable[bytes]]


def packed(book: Workbook, streamed: Streamed | None = None) -> bytes:
    """The workbook as an .xlsx file."""
    drafted = io.BytesIO()
    with ZipFile(drafted, "w") as archive:
        ExcelWriter(book, archive).save()  # `Workbook.save` would write the clock into the document's properties
    final = io.BytesIO()
    with ZipFile(drafted) as draft, ZipFile(final, "w", ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name in sorted(draft.namelist(), key=_rank):
            with archive.open(_entry(name), "w") as target:
                for chunk in _content(name, draft.read(name), streamed):
                    target.write(chunk)
    return final.getvalue()


def _rank(name: str) -> tuple[bool, str]:
    return name != "[Content_Types].xml", name  # readers that sniff the type look at the first entry


def _entry(name: str) -> ZipInfo:
    entry = ZipInfo(name, _EPOCH)
    entry.compress_type, entry.create_system, entry.external_attr = ZIP_DEFLATED, 3, 0o600 << 16
    return entry


def _content(name: str, draft: bytes, streamed: Streamed | None) -> Iterator[bytes]:
    if streamed is None or name != f"xl/worksheets/sheet{streamed.sheet}.xml":
        yield draft
        return
    found = _DATA.search(draft)
    if found is None:
        raise ValueError(f"{name} has no place for rows")
    yield _RANGE.sub(b"", draft[: found.start()])
    yield b"<sheetData>"
    yield from streamed.rows(found[0])
    yield b"</sheetData>"
    yield draft[found.end() :]
