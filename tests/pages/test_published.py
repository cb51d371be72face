"""The site as files, as people meet it: on a disk without a network, and below some folder of a plain web server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from llmload.reporters import steps_csv
from llmload.site.links import file_name
from tests.command import here
from tests.pages.opened import draw_charts
from tests.recorded_runs import CLEAN, TROUBLE

pytestmark = pytest.mark.page

RUN = f"benchmark/{file_name(CLEAN.header.run_id)}.html"


class _Silent(SimpleHTTPRequestHandler):
    """What `python -m http.server` answers, without a line for each request."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def web(site_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a web server, in which a site lies some folders down."""
    folder = tmp_path_factory.mktemp("web")
    done = here("publish", "team a/벤치/site", "--store", str(site_store), cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def addresses(web: Path) -> Iterator[dict[str, str]]:
    """Where the site is to be found: on the disk, and on a server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Silent, directory=str(web)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    site = web / "team a/벤치/site"
    path = site.as_uri().removeprefix(web.as_uri())
    try:
        yield {"disk": f"{site.as_uri()}/", "server": f"http://127.0.0.1:{server.server_port}{path}/"}
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Reader:
    """Somebody at a browser, and what went wrong meanwhile."""

    context: BrowserContext
    root: str
    troubles: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        page = self.context.new_page()
        page.on("console", lambda message: self.troubles.append(f"{path}: {message.text}"))
        page.on("pageerror", lambda error: self.troubles.append(f"{path}: {error}"))
        page.on("requestfailed", lambda request: self._miss(path, request.url, request.failure))
        page.on("request", lambda request: self._look(path, request.url))
        page.on("response", lambda response: self._judge(path, response.status, response.url))
        page.goto(f"{self.root}{path}")
        return page

    def _look(self, path: str, address: str) -> None:
        if not address.startswith((self.root, "blob:", "data:")):
            self.troubles.append(f"{path}: asks {address}")

    def _miss(self, path: str, address: str, failure: str | None) -> None:
        if failure != "net::ERR_ABORTED":  # as of a page that becomes a download
            self.troubles.append(f"{path}: {address} {failure}")

    def _judge(self, path: str, status: int, address: str) -> None:
        if status >= 400:
            self.troubles.append(f"{path}: {status} of {address}")


@pytest.fixture(params=["disk", "server"])
def reader(request: pytest.FixtureRequest, browser: Browser, addresses: dict[str, str]) -> Iterator[Reader]:
    where = str(request.param)
    context = browser.new_context(offline=where == "disk", viewport={"width": 375, "height": 780})
    yield (found := Reader(context, addresses[where]))
    context.close()
    assert found.troubles == []


def test_every_page_that_a_way_leads_to_opens_and_fits_a_phone(reader: Reader) -> None:
    page = reader.open("index.html")
    waiting, seen = [page.url], set[str]()
    while waiting:
        address = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, address
        links = page.evaluate("[...document.querySelectorAll('a[href]:not([download])')].map(each => each.href)")
        waiting += [each for link in links if (each := link.partition("#")[0]).startswith(reader.root)]
    paths = {address.removeprefix(reader.root) for address in seen}
    assert {"index.html", "new.html", "recommend.html", RUN} <= paths


def test_charts_are_drawn(reader: Reader) -> None:
    assert draw_charts(reader.open(RUN)) > 3


def test_dark_is_kept_from_page_to_page(reader: Reader) -> None:
    page = reader.open("index.html")
    page.get_by_role("button", name="Dark").click()
    page.get_by_role("link", name=CLEAN.header.run_id).first.click()
    page.wait_for_url(f"**/{RUN}")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_foreign_text_does_nothing(reader: Reader) -> None:
    page = reader.open(f"benchmark/{file_name(TROUBLE.header.run_id)}.html")
    assert page.locator("main script, main iframe, main img").count() == 0


def test_nothing_that_needs_a_server_is_offered(reader: Reader) -> None:
    page = reader.open("index.html")
    assert page.locator("form").count() == 0
    page = reader.open(RUN)
    assert page.locator("form").count() == 0


def test_the_builder_writes_a_scenario(reader: Reader, tmp_path: Path) -> None:
    page = reader.open("new.html")
    page.locator("#s-framework").select_option("sglang")
    with page.expect_download() as caught:
        page.get_by_role("button", name="Download").click()
    path = tmp_path / caught.value.suggested_filename
    caught.value.save_as(path)
    assert here("validate", str(path), cwd=tmp_path).returncode == 0


def test_a_download_is_saved(reader: Reader, tmp_path: Path) -> None:
    page = reader.open(RUN)
    with page.expect_download() as caught:
        page.get_by_role("link", name="CSV").click()
    caught.value.save_as(tmp_path / "run.csv")
    assert (tmp_path / "run.csv").read_bytes() == steps_csv.render(CLEAN)


def test_no_script_of_somebody_else_would_run(reader: Reader) -> None:
    page = reader.open("index.html")
    page.evaluate("""() => {
        const script = document.createElement('script');
        script.textContent = 'document.title = "owned"';
        document.body.append(script);
    }""")
    assert page.title() != "owned"
    assert any("Content Security Policy" in each for each in reader.troubles)
    reader.troubles.clear()
