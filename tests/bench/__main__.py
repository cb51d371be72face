"""`python -m tests.bench`: about half an hour; prints the table and writes bench.json beside it."""

from __future__ import annotations

from pathlib import Path

from tests.bench import capacity, figures, gates, planning, reports, scale, site, streams, telemetry
from tests.bench.table import show, write


def main() -> None:
    """Every row, the streams first."""
    rows = [
        *(*streams.rows(), *telemetry.rows(), *scale.rows()),
        *(*figures.rows(), *planning.rows(), *reports.rows(), *site.rows(), *gates.rows(), *capacity.rows()),
    ]
    print(show(rows))
    write(rows, Path("bench.json"))


if __name__ == "__main__":
    main()
