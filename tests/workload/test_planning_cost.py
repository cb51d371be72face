"""What planning costs for each source of prompts; `make bench` plans a whole million (docs/performance.md)."""

from __future__ import annotations

import pytest

from tests.bench.planning import SOURCES, planned_apart

REQUESTS = 20_000


@pytest.mark.parametrize("source", SOURCES)
def test_a_request_is_planned_in_microseconds_and_none_is_kept(source: str) -> None:
    """10 s for a million are 10 us each; three times that, and half a second to begin, for a machine that is slow."""
    planned = planned_apart(source, REQUESTS)
    assert planned.cpu_s < 0.5 + REQUESTS * 30e-6
    assert planned.bytes < 100 * 2**20  # a million may have 500 MB
