"""A short soak: windows of many requests through one pool leave nothing behind. `make bench-soak` sends a million."""

from __future__ import annotations

import pytest

from tests.bench.soak import growth, soak

_WIDE_MARGIN_BYTES = 30_000_000


@pytest.mark.measuring
@pytest.mark.parametrize("workers", [1, 2])
def test_windows_leave_neither_memory_nor_files_behind(workers: int) -> None:
    soaked = soak(20_000, 2_000, concurrency=32, workers=workers)
    first, last = soaked.marks[0], soaked.marks[-1]
    assert soaked.requests >= 20_000
    assert soaked.failed == 0
    assert (last.worker_files, last.parent_files) == (first.worker_files, first.parent_files)
    assert last.server_files == soaked.server_files_before, "a connection is still open"
    assert growth([mark.worker_bytes for mark in soaked.warm]) < _WIDE_MARGIN_BYTES
    assert growth([mark.parent_bytes for mark in soaked.warm]) < _WIDE_MARGIN_BYTES
