"""Pages in a real browser: reports opened from disk, without a network, as the people do whom they were sent to, and
the site as a server on this machine gives it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.pages.opened import Opened, OpenPage
from tests.pages.served import OpenSite, served
from tests.site.stores import fill

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


@pytest.fixture(scope="session")
def site_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store that the site of these tests is made of; nobody writes into it."""
    return fill(tmp_path_factory.mktemp("site") / "llmload.db")


@pytest.fixture(scope="session")
def site(site_store: Path) -> Iterator[str]:
    """The address of a served site: its root, with a slash at the end. In the end the store is what it was."""
    before = _digest(site_store)
    with served(site_store, site_store.parent) as address:
        yield address
    assert _digest(site_store) == before, "a page has written into the store"


def _digest(store: Path) -> str:
    """Of the file, and of a log beside it that has anything in it."""
    log = store.with_name(f"{store.name}-wal")
    return hashlib.sha256(store.read_bytes() + (log.read_bytes() if log.exists() else b"")).hexdigest()


@pytest.fixture
def open_site(browser: Browser, site: str) -> Iterator[OpenSite]:
    """Opens a page of the site. In the end no page may have complained, or asked anyone else for anything.

    A content security policy that is violated is told on the console, and so is a file that is not there.
    """
    opened: list[Opened] = []

    def open_one(path: str, **options: object) -> Page:
        context = browser.new_context(**options)  # type: ignore[arg-type]  # options of several types
        opened.append(Opened(context.new_page(), site + path))
        return opened[-1].page

    yield open_one
    for each in opened:
        each.page.context.close()
    for each in opened:
        assert each.unexpected() == []
        assert [request for request in each.requests if not request.startswith(site)] == []
