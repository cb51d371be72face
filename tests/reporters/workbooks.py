"""What is in a workbook: its cells as openpyxl reads them, and its parts as they were written."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from zipfile import ZipFile

from lxml import etree
from openpyxl import Workbook, load_workbook
from openpyxl.worksheet.worksheet import Worksheet

_NAMES = {"c": "http://schemas.openxmlformats.org/drawingml/2006/chart"}


@dataclass(frozen=True, slots=True)
class Plot:
    """One chart as it was written: title, axis titles, and each series' name and cells by reference."""

    title: str
    axes: tuple[str, ...]
    series: Mapping[str, str]
    xml: etree._Element

    def every(self, path: str) -> list[str]:
        """The values of all elements there."""
        return [str(each) for each in self.xml.xpath(path, namespaces=_NAMES)]


def opened(content: bytes) -> Workbook:
    return load_workbook(io.BytesIO(content))


def parts(content: bytes) -> Mapping[str, bytes]:
    with ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def plots(content: bytes) -> list[Plot]:
    found = [each for each in parts(content).items() if re.fullmatch(r"xl/charts/chart\d+\.xml", each[0])]
    ordered = sorted(found, key=lambda each: int(re.sub(r"\D", "", each[0])))
    return [_plot(etree.fromstring(xml)) for _, xml in ordered]


def _plot(xml: etree._Element) -> Plot:
    names = xml.xpath("//c:ser/c:tx//c:f/text()", namespaces=_NAMES)
    cells = xml.xpath("//c:ser/*[self::c:val or self::c:yVal]//c:f/text()", namespaces=_NAMES)
    titles = ["".join(each.itertext()) for each in xml.xpath("//c:plotArea//c:title", namespaces=_NAMES)]
    (title,) = xml.xpath("/*/c:chart/c:title", namespaces=_NAMES)
    return Plot("\n".join(title.itertext()), tuple(titles), dict(zip(names, cells, strict=True)), xml)


def referred(book: Workbook, reference: str) -> list[object]:
    """The values of the cells that a chart refers to."""
    found = re.fullmatch(r"'([^']+)'!\$([A-Z]+)\$(\d+)(?::\$([A-Z]+)\$(\d+))?", reference)
    assert found is not None, reference
    sheet, first, last = book[found[1]], f"{found[2]}{found[3]}", f"{found[4] or found[2]}{found[5] or found[3]}"
    return [cell.value for row in sheet[f"{first}:{last}"] for cell in row]


def records(sheet: Worksheet) -> list[dict[str, object]]:
    """The rows of a sheet's table by its headings."""
    (table,) = sheet.tables.values()
    heading, *rows = sheet[table.ref]
    return [{str(name.value): cell.value for name, cell in zip(heading, row, strict=True)} for row in rows]


def texts_of(book: Workbook) -> Iterator[str]:
    for sheet in book.worksheets:
        yield from texts_of_sheet(sheet)


def texts_of_sheet(sheet: Worksheet) -> Iterator[str]:
    for row in sheet.iter_rows():
        yield from (cell.value for cell in row if isinstance(cell.value, str))
