"""What every test may ask for."""

from __future__ import annotations

import gc
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent

settings.register_profile("shared machine", deadline=None)  # how fast an example runs is a property of the machine
settings.load_profile("shared machine")


MEASURING = ("ci", "cli", "docs", "engines", "load", "simulator", "target")
"""Folders of tests marked `measuring`: `make test` and `make test-servers` collect no others for them."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Modules and tests stay: to look for garbage among them, again and again, costs each process seconds."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_itemcollected(item: pytest.Item) -> None:
    """No measuring test where `make test` would not find it."""
    folder = item.path.relative_to(ROOT).parts[0]
    if item.get_closest_marker("measuring") is not None and folder not in MEASURING:
        raise pytest.UsageError(
            f"{item.nodeid} is measuring: move it to one of {', '.join(MEASURING)}, or tell the Makefile"
        )


def pytest_addoption(parser: pytest.Parser) -> None:
    """`make golden` writes the expected outputs again."""
    parser.addoption("--update-goldens", action="store_true", help="write golden files instead of comparing")


@pytest.fixture
def update_goldens(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written."""
    return bool(request.config.getoption("--update-goldens"))
