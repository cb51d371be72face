"""What was measured, against its bar: as a table for people and as JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One number to reach: at most `bar`, or at least where `is_floor`. Without a bar it is only told."""

    what: str
    bar: float | None
    measured: float
    unit: str
    note: str = ""
    is_floor: bool = False

    @property
    def is_reached(self) -> bool:
        """Whether the measured figure keeps to the bar."""
        if self.bar is None:
            return True
        return self.measured >= self.bar if self.is_floor else self.measured <= self.bar

    def cells(self) -> tuple[str, ...]:
        """The columns of the table."""
        sign = ">=" if self.is_floor else "<="
        bar = "none" if self.bar is None else f"{sign} {_told(self.bar)} {self.unit}"
        reached = "" if self.bar is None else "yes" if self.is_reached else "not yet"
        return self.what, bar, f"{_told(self.measured)} {self.unit}", reached, self.note


def _told(number: float) -> str:
    return f"{number:,.4g}" if number < 1000 else f"{number:,.0f}"


def show(rows: Sequence[Row]) -> str:
    """The table as text."""
    lines = [("what", "bar", "measured", "reached", "note"), *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    texts = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join(text.rstrip() for text in texts)


def write(rows: Sequence[Row], path: Path) -> None:
    """The same figures as JSON."""
    told = [
        {
            "what": row.what,
            "bar": row.bar,
            "measured": row.measured,
            "unit": row.unit,
            "reached": row.is_reached,
            "note": row.note,
        }
        for row in rows
    ]
    path.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
