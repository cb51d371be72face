"""docs/telemetry.md: its names are those that are read."""

from __future__ import annotations

from tests.docs.metric_tables import PAGE, written


def test_its_names_of_metrics_are_those_that_are_read() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page), "run `make docs`"
