"""What every test may ask for."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("shared machine", deadline=None)  # how fast an example runs is a property of the machine
settings.load_profile("shared machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`make golden` writes the expected outputs again."""
    parser.addoption("--update-goldens", action="store_true", help="write golden files instead of comparing")


@pytest.fixture
def update_goldens(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written."""
    return bool(request.config.getoption("--update-goldens"))
