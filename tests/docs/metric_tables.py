"""The table of names in docs/telemetry.md, written from what our adapters know.

`python -m tests.docs.metric_tables` writes it (`make docs`); a test keeps it current.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from llmload.frameworks.metric_names import EVERY, Alias
from llmload.samples import MetricName

PAGE = Path(__file__).parents[2] / "docs" / "telemetry.md"
_TABLE = re.compile(r"(<!-- metrics[^\n]*-->\n)(?:\|[^\n]*\n)*")


def table() -> str:
    """One row for each of our names, in their order, with the families of all servers."""
    rows = [f"| `{name}` | {'<br>'.join(map(_told, EVERY[name]))} |" for name in get_args(MetricName)]
    return "\n".join(["| figure | on the page |", "| --- | --- |", *rows])


def _told(alias: Alias) -> str:
    if isinstance(alias, str):
        return f"`{alias}`"
    told = " + ".join(f"`{family}`" for family in (alias.family, *alias.also))
    if alias.only:
        told += f" with {alias.label} {' or '.join(alias.only)}"
    if alias.never:
        told += f" without {alias.label} {' and '.join(alias.never)}"
    told += "" if alias.per is None else f" by `{alias.per}`"
    return f"{told}, of answers that are not streamed" if alias.unstreamed else told


def written(page: str) -> str:
    """The page with the table in its place; ValueError where it has none."""
    found, count = _TABLE.subn(lambda mark: f"{mark[1]}{table()}\n", page)
    if count != 1:
        raise ValueError(f"{count} places for the table of metrics")
    return found


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
