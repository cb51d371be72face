"""A user's list of prices: what one hour of each GPU costs in USD, as YAML, JSON or CSV.

YAML and JSON hold one map, `NVIDIA H100: 2.49`; CSV has the columns `gpu` and `usd_per_hour`, others are passed over.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from llmload.errors import DataFileError
from llmload.scenario.document.capacity import MOST_USD, name_fault
from llmload.scenario.tree import MAX_BYTES as MOST_BYTES
from llmload.scenario.tree import Entries, Node, Scalar, read

MOST_PRICES = 1_000
_MOST_TOLD = 20
_COLUMNS = ("gpu", "usd_per_hour")
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)
_REMEDY = "Write a GPU's name and USD per hour of one, like NVIDIA H100: 2.49"

_Row = tuple[int, str, object]
"""The line it stands on (1-based), the GPU's name, and what is written as its price."""


def read_prices(file: str) -> Mapping[str, float]:
    """USD per hour of one GPU, by its name, in the order of the file.

    DataFileError where the file cannot be read, is too large or of another kind, or with all its bad rows.
    """
    text = _text(file)
    match Path(file).suffix.lower():
        case ".csv":
            rows = _csv_rows(text, file)
        case ".json":
            rows = _json_rows(text, file)
        case ".yaml" | ".yml":
            rows = _yaml_rows(text, file)
        case _:
            remedy = "Name a file that ends in .yaml, .json or .csv"
            raise DataFileError(file, "neither YAML nor JSON nor CSV by its name", remedy)
    return _judged(list(rows), file)


def _text(file: str) -> str:
    path = Path(file)
    try:
        if path.exists() and not path.is_file():
            raise DataFileError(file, "is not a file", "Name a YAML, JSON or CSV file with prices")
        with path.open("rb") as opened:
            raw = opened.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "unreadable").lower()
        remedy = "Name a file with prices; its path is relative to the scenario"
        raise DataFileError(file, f"cannot be read: {reason}", remedy) from None
    if len(raw) > MOST_BYTES:
        raise DataFileError(file, f"more than {MOST_BYTES // 1_000_000} MB", f"Keep the {MOST_PRICES:,} GPUs you use")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataFileError(f"{file}:{line}", "not UTF-8 text", "Save the file in UTF-8") from None


def _csv_rows(text: str, file: str) -> Iterator[_Row]:
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    places, columns = None, 0
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if places is None:
                places = _places([cell.strip().lower() for cell in cells], f"{file}:{reader.line_num}")
                columns = len(cells)
            elif any(cell.strip() for cell in cells[columns:]):  # a decimal comma would be cut: 1,50 is not 1
                problem = f"{len(cells)} cells under {columns} columns"
                raise DataFileError(
                    f"{file}:{reader.line_num}", problem, "Write a price like 1.50, and quote a name with a comma"
                )
            else:
                name, price = (cells[place].strip() if place < len(cells) else "" for place in places)
                yield reader.line_num, name, float(price) if _NUMBER.fullmatch(price) else price or None
    except csv.Error as error:
        raise DataFileError(f"{file}:{reader.line_num}", f"not CSV ({error})", "Correct the line") from None


def _places(header: list[str], where: str) -> list[int]:
    if not set(_COLUMNS) <= set(header):
        raise DataFileError(where, f"its columns are not {','.join(_COLUMNS)}", "Write them as the first line")
    return [header.index(column) for column in _COLUMNS]


def _json_rows(text: str, file: str) -> Iterator[_Row]:
    try:
        json.loads(text, parse_int=float)  # whole numbers have no end, and Python refuses to read the longest
    except json.JSONDecodeError as error:
        raise DataFileError(f"{file}:{error.lineno}", f"not JSON ({error.msg})", "Correct the line") from None
    except RecursionError:
        raise DataFileError(file, "nested too deep", _REMEDY) from None
    # JSON is YAML but for tabs, which only stand between its tokens; the tree knows lines, and keys that stand twice
    return _yaml_rows(text.replace("\t", " "), file)


def _yaml_rows(text: str, file: str) -> Iterator[_Row]:
    root, troubles = read(text, file)
    if troubles:
        first, *others = ((f"{each.place.file}:{each.place.line}", each) for each in troubles[:_MOST_TOLD])
        more = [f"{where}: {each.message}" for where, each in others]
        raise DataFileError(first[0], first[1].message, first[1].hint, more)
    if root is None:
        return
    if not isinstance(root, Entries):
        raise DataFileError(f"{file}:{root.place.line}", "not a map of prices", _REMEDY)
    for name, node in root.pairs:
        yield name.place.line, str(name.value), _price(node)


def _price(node: Node) -> object:
    return node.value if isinstance(node, Scalar) else "a map or a list"


def _judged(rows: list[_Row], file: str) -> Mapping[str, float]:
    if not rows:
        raise DataFileError(file, "has no prices", _REMEDY)
    if len(rows) > MOST_PRICES:
        raise DataFileError(f"{file}:{rows[MOST_PRICES][0]}", f"more than {MOST_PRICES:,} GPUs", "Keep those you use")
    prices: dict[str, float] = {}
    lines: dict[str, int] = {}
    bad: list[tuple[int, str]] = []
    for line, name, price in rows:
        first = lines.get(name.casefold())
        lines.setdefault(name.casefold(), line)
        if fault := name_fault(name):
            bad.append((line, fault))
        elif first is not None:
            bad.append((line, f"{_shown(name)} stands twice; the first is on line {first}"))
        elif isinstance(price, bool) or not isinstance(price, int | float) or not 0 <= price <= MOST_USD:
            bad.append((line, f"the price of {_shown(name)} is {_shown(price)}, not USD per hour (0 to {MOST_USD:,})"))
        else:
            prices[name] = float(price)
    if bad:
        (line, problem), *more = bad[:_MOST_TOLD]
        raise DataFileError(f"{file}:{line}", problem, _REMEDY, [f"{file}:{at}: {other}" for at, other in more])
    return prices


def _shown(value: object) -> str:
    text = "missing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
