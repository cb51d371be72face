"""A run followed while it goes on: by what this process writes into the store, and by a real `llmload apply`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from llmload.domain import RunHeader
from llmload.reporters.texts import Language, texts_in
from llmload.reporters.wording import status_word
from llmload.store.database import Store, open_store
from llmload.verdict import Status
from tests.cli.stored_runs import scenario_of
from tests.cli.watching import rows, slow_ladder, wait_for
from tests.command import start
from tests.pages.opened import Opened
from tests.pages.served import served
from tests.recorded_runs import CLEAN
from tests.store.observations import GPUS_NOW, PROGRESS, window

pytestmark = pytest.mark.page
WITHIN_MS = 1_000
"""What the site promises, from the write into the store to the figure on the page."""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("live") / "llmload.db"


@pytest.fixture(scope="module")
def store(path: Path) -> Iterator[Store]:
    with open_store(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def live(store: Store) -> Iterator[str]:
    with served(store.path, store.path.parent) as address:
        yield address


@pytest.fixture
def opened(browser: Browser) -> Iterator[list[Opened]]:
    """Pages of this test; none may complain or ask anyone else for anything."""
    pages: list[Opened] = []
    yield pages
    for each in pages:
        each.page.context.close()
        assert each.unexpected() == []
        root = each.address.partition("/benchmark/")[0]
        assert [asked for asked in each.requests if not asked.startswith(root)] == []


def begun(store: Store, run_id: str) -> RunHeader:
    """A run of two steps that this process has begun."""
    resolved = scenario_of(load="[1, 8]").document.resolved
    header = replace(CLEAN.header, run_id=run_id, resolved=resolved)
    store.begin(header)
    store.progress(run_id, PROGRESS)
    return header


def show(browser: Browser, opened: list[Opened], address: str, **options: object) -> Page:
    context = browser.new_context(**options)  # type: ignore[arg-type]  # options of several types
    opened.append(Opened(context.new_page(), address))
    return opened[-1].page


def figure(page: Page, name: str) -> str:
    return page.locator(f"[data-told={name}]").inner_text()


def test_a_page_follows_the_store_within_a_second_to_the_result(
    browser: Browser, opened: list[Opened], store: Store, live: str
) -> None:
    header = begun(store, "20261121-100000-aaaaaaaa")
    page = show(browser, opened, f"{live}benchmark/{header.run_id}")
    bar = page.get_by_role("progressbar")
    expect(page.locator("#step")).to_have_text("Step 2 of 2: concurrency 8", timeout=WITHIN_MS)
    for done in (50, 75, 100):
        store.progress(header.run_id, replace(PROGRESS, done=done, planned=100))
        expect(page.locator("[data-told=done]")).to_have_text(f"{done} / 100", timeout=WITHIN_MS)
        expect(bar).to_have_attribute("aria-valuenow", str(done), timeout=WITHIN_MS)
    expect(page.locator("#spoken")).to_contain_text("concurrency 8, measuring")
    expect(page.locator("#gpus-now")).to_be_hidden()
    store.progress(header.run_id, replace(PROGRESS, gpus=GPUS_NOW))
    now = page.get_by_role("region", name="GPUs now").get_by_role("row")
    expect(now).to_have_count(1 + len(GPUS_NOW), timeout=WITHIN_MS)
    expect(now.nth(1)).to_contain_text("0 NVIDIA H100 80GB HBM3")
    expect(now.nth(1).get_by_role("cell")).to_have_text(["97%", "71 / 80 GiB", "66 °C", "640 W"])
    store.remember(header.run_id, window(), CLEAN.steps[0].metrics)
    row = page.locator("tbody tr", has_text="concurrency 1")
    expect(row.locator("td").first).to_have_text(str(CLEAN.steps[0].metrics.attempts), timeout=WITHIN_MS)
    expect(page.locator("tbody tr", has_text="concurrency 8").locator("td").first).to_have_text("n/a")
    store.finish(header.run_id, replace(CLEAN, header=header), "finished")
    expect(page.locator(".verdict.is-pass")).to_be_visible(timeout=3 * WITHIN_MS)
    assert page.locator("#live").count() == 0


def test_what_is_read_out_comes_every_ten_seconds_at_most(
    browser: Browser, opened: list[Opened], store: Store, live: str
) -> None:
    header = begun(store, "20261121-100001-aaaaaaaa")
    page = show(browser, opened, f"{live}benchmark/{header.run_id}")
    spoken = page.locator("#spoken")
    expect(spoken).not_to_be_empty()
    first = spoken.inner_text()
    store.progress(header.run_id, replace(PROGRESS, done=77, planned=100))
    expect(page.locator("[data-told=done]")).to_have_text("77 / 100", timeout=WITHIN_MS)
    assert spoken.inner_text() == first
    store.finish(header.run_id, replace(CLEAN, header=header), "finished")


def test_a_run_whose_process_dies_becomes_a_page_that_says_so(
    browser: Browser, opened: list[Opened], store: Store, live: str
) -> None:
    header = begun(store, "20261121-100002-aaaaaaaa")
    page = show(browser, opened, f"{live}benchmark/{header.run_id}?lang=ko")
    expect(page.get_by_role("progressbar")).to_be_visible()
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("UPDATE progress SET process_started = 'long ago', seen_s = seen_s - 60")
    expect(page.locator(".verdict .word")).to_contain_text("비정상 종료", timeout=3 * WITHIN_MS)
    assert f"--resume={header.run_id}" in page.locator("#command-1").inner_text()


def test_a_page_that_lost_its_server_says_so_and_comes_back(browser: Browser, store: Store, live: str) -> None:
    header = begun(store, "20261121-100003-aaaaaaaa")
    with browser.new_context() as context:
        page = context.new_page()
        page.route("**/events", lambda route: route.fulfill(status=503, body="full"))
        page.clock.install()
        page.goto(f"{live}benchmark/{header.run_id}")
        expect(page.locator("#connection")).to_have_text("No connection to the server; trying again")
        page.unroute("**/events")
        store.progress(header.run_id, replace(PROGRESS, done=42, planned=100))
        page.clock.run_for(5_000)
        expect(page.locator("[data-told=done]")).to_have_text("42 / 100", timeout=2 * WITHIN_MS)
        expect(page.locator("#connection")).to_be_hidden()
    store.finish(header.run_id, replace(CLEAN, header=header), "finished")


def test_without_a_script_the_page_shows_how_it_stood_and_can_be_loaded_again(
    browser: Browser, opened: list[Opened], store: Store, live: str
) -> None:
    header = begun(store, "20261121-100004-aaaaaaaa")
    page = show(browser, opened, f"{live}benchmark/{header.run_id}", java_script_enabled=False)
    assert figure(page, "done") == f"{PROGRESS.done} / {PROGRESS.planned}"
    store.progress(header.run_id, replace(PROGRESS, done=99, planned=100))
    page.get_by_role("link", name="Reload").click()
    expect(page.locator("[data-told=done]")).to_have_text("99 / 100", timeout=WITHIN_MS)
    store.finish(header.run_id, replace(CLEAN, header=header), "finished")


def test_a_real_run_is_followed_to_its_result(
    browser: Browser, opened: list[Opened], store: Store, live: str, tmp_path: Path
) -> None:
    scenario = slow_ladder(tmp_path, name="followed")
    running = "SELECT run_id FROM runs JOIN progress USING (run) WHERE scenario = 'followed' AND progress.done > 0"
    with start("apply", scenario.name, "--store", str(store.path), "--no-progress", cwd=tmp_path) as process:
        try:
            wait_for(lambda: rows(store.path, running))
            ((run_id,),) = rows(store.path, running)
            page = show(browser, opened, f"{live}benchmark/{run_id}")
            seen: set[str] = set()
            wait_for(lambda: len(seen) >= 4 or _is_level(page, store.path, str(run_id), seen))
            expect(page.locator("#step")).to_contain_text("of 3")
            measured = page.locator("tbody tr").first.locator("td").first
            expect(measured).not_to_have_text("n/a", timeout=10_000)
            ended = f"SELECT verdict FROM runs WHERE run_id = '{run_id}' AND status = 'finished'"
            wait_for(lambda: rows(store.path, ended))
            ((verdict,),) = rows(store.path, ended)  # on a busy machine: could not measure
            words = status_word(Status(verdict), texts_in(Language.EN))
            expect(page.locator("h1 .word")).to_contain_text(words, ignore_case=True, timeout=3 * WITHIN_MS)
            expect(page.get_by_role("link", name="CSV")).to_be_visible()
        finally:
            process.terminate()
            process.communicate(timeout=30)


def _is_level(page: Page, store: Path, run_id: str, seen: set[str]) -> bool:
    """Wait until the page has come as far as the store is now, a second at most; what it shows is remembered."""
    query = f"SELECT step, done FROM progress JOIN runs USING (run) WHERE run_id = '{run_id}'"
    ((step, done),) = rows(store, query)
    page.wait_for_function(REACHED, arg=[step, done], timeout=WITHIN_MS)
    seen.add(figure(page, "done"))
    return False


REACHED = """([step, done]) => {
    const told = document.querySelector("#step").textContent;
    const now = parseInt(document.querySelector("[data-told=done]").textContent.replaceAll(",", ""));
    return !told.endsWith(step) || now >= done;
}"""
