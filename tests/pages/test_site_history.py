"""The history in a browser: with and without scripts, by mouse and keyboard, on a phone."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.pages.served import OpenSite
from tests.recorded_runs import CLEAN, TROUBLE

pytestmark = pytest.mark.page


def picks(page: Page, *run_ids: str) -> None:
    for run_id in run_ids:
        page.get_by_label(f"Compare {run_id}").check()


def test_some_runs_are_picked_to_compare_and_not_too_many(open_site: OpenSite, site: str) -> None:
    page = open_site("")
    button, status = page.get_by_role("button", name="Compare"), page.locator("#compare [role=status]")
    assert button.is_disabled()
    picks(page, CLEAN.header.run_id)
    assert status.inner_text() == "Pick at least one more run."
    others = [f"202602{day:02}-080000-0000{day:04x}" for day in range(1, 6)]
    picks(page, *others)
    assert status.inner_text() == "6 runs are picked."
    assert page.get_by_label("Compare 20260206-080000-00000006").is_disabled()
    for run_id in others[1:]:
        page.get_by_label(f"Compare {run_id}").uncheck()
    button.click()
    page.wait_for_url(f"{site}compare?runs={CLEAN.header.run_id}&runs=20260201-080000-00000001")
    assert page.get_by_role("heading", level=1).count() == 1


def test_filters_and_comparisons_need_no_script(open_site: OpenSite, site: str) -> None:
    page = open_site("?lang=ko", java_script_enabled=False)
    page.get_by_label("시나리오").select_option("quickstart")
    page.get_by_role("button", name="보기").click()
    page.wait_for_url("**scenario=quickstart**")
    assert page.locator("html").get_attribute("lang") == "ko"
    assert page.locator("tbody tr").count() == 16
    page.locator(f'input[value="{CLEAN.header.run_id}"]').check()
    page.locator('input[value="20260201-080000-00000001"]').check()
    page.get_by_role("button", name="비교").click()
    page.wait_for_url(re.compile(re.escape(f"{site}compare?") + ".*lang=ko"))


def test_a_filter_leaves_a_short_address_and_is_removed_by_its_chip(open_site: OpenSite, site: str) -> None:
    page = open_site("")
    page.get_by_label("Verdict").select_option("fail")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url(f"{site}?verdict=fail")
    assert page.locator("tbody tr").count() == 2
    page.locator(".chip").click()
    page.wait_for_url(site)


def test_the_row_of_a_run_is_reached_and_picked_by_keys(open_site: OpenSite) -> None:
    page = open_site("")
    page.get_by_label(f"Compare {TROUBLE.header.run_id}").focus()
    page.keyboard.press("Space")
    assert page.get_by_label(f"Compare {TROUBLE.header.run_id}").is_checked()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == f"trends/{TROUBLE.header.scenario}"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == f"benchmark/{TROUBLE.header.run_id}"


def test_how_long_ago_is_told_in_the_language_of_the_page(open_site: OpenSite) -> None:
    for language, word in (("en", "ago"), ("ko", "전")):
        page = open_site(f"?lang={language}")
        assert word in page.locator("td.when .ago").last.inner_text()


@pytest.mark.parametrize("width", [320, 375, 800, 1200])
def test_no_width_hides_a_figure(open_site: OpenSite, width: int) -> None:
    page = open_site("", viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    row = page.locator("tr", has_text=CLEAN.header.run_id)
    for cell in row.locator("td, th").all():
        box = cell.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def test_looking_changes_nothing_in_the_store(open_site: OpenSite, site_store: Path) -> None:
    before = hashlib.sha256(site_store.read_bytes()).digest()
    page = open_site("?label=tier%3Dpr")
    page.get_by_role("link", name=CLEAN.header.run_id).click()
    page.wait_for_url(f"**/benchmark/{CLEAN.header.run_id}*")
    assert hashlib.sha256(site_store.read_bytes()).digest() == before
