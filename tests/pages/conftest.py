"""Pages in a real browser that has no network: opened from disk, as the people do whom a report was sent to."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.pages.opened import Opened, OpenPage

_NAMES = ("chromium", "google-chrome", "chromium-browser", "chrome")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One for all tests; each page gets a context of its own."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    assert found is not None, "no chromium or google-chrome on the PATH; run `make browser`"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=[*_ARGUMENTS])
        yield started
        started.close()


@pytest.fixture(scope="session")
def write(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], Path]:
    """Puts a page on disk, the same one only once."""
    folder = tmp_path_factory.mktemp("pages")

    @cache
    def written(content: bytes) -> Path:
        path = folder / f"{len(list(folder.iterdir()))} 보고서.html"
        path.write_bytes(content)
        return path

    return written


@pytest.fixture
def open_page(browser: Browser, write: Callable[[bytes], Path]) -> Iterator[OpenPage]:
    """Opens a page from disk, offline. In the end no page may have complained or asked anyone for anything."""
    opened: list[Opened] = []

    def open_one(content: bytes, **options: object) -> Page:
        context = browser.new_context(offline=True, **options)  # type: ignore[arg-type]  # options of several types
        opened.append(Opened(context.new_page(), write(content).as_uri()))
        return opened[-1].page

    yield open_one
    for each in opened:
        each.page.context.close()
    for each in opened:
        assert each.complaints == []
        assert set(each.requests) == {each.address}
