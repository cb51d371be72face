"""One filled store for all tests of the site, which only read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.site.stores import fill


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with some of everything; nobody may write into it."""
    return fill(tmp_path_factory.mktemp("site") / "llmload.db")
