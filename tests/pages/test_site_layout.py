"""What is around every page of the site: where it leads, its languages, its theme, and what a refusal looks like."""

from __future__ import annotations

import pytest

from tests.pages.served import OpenSite
from tests.recorded_runs import TROUBLE

pytestmark = pytest.mark.page
RUN = f"benchmark/{TROUBLE.header.run_id}"


def test_the_other_language_is_the_same_page_and_is_kept_along_the_way(open_site: OpenSite, site: str) -> None:
    page = open_site(f"{RUN}?shared=true")
    assert page.locator("html").get_attribute("lang") == "en"
    page.get_by_role("link", name="한국어").click()
    page.wait_for_url(f"{site}{RUN}?shared=true&lang=ko")
    assert page.locator("html").get_attribute("lang") == "ko"
    assert page.locator(".languages [aria-current]").inner_text() == "한국어"
    assert page.get_by_role("link", name="실행 기록").get_attribute("href") == "../?lang=ko"


def test_the_dark_theme_is_kept_from_page_to_page(open_site: OpenSite) -> None:
    page = open_site(RUN, color_scheme="light")
    button = page.get_by_role("button", name="Dark theme")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    page.reload()
    assert button.get_attribute("aria-pressed") == "true"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before


@pytest.mark.parametrize("width", [320, 375, 1200])
def test_no_width_needs_scrolling_sideways(open_site: OpenSite, width: int) -> None:
    page = open_site(RUN, viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.get_by_role("link", name="New scenario").is_visible()
    assert page.get_by_role("link", name="한국어").is_visible()


def test_a_refusal_says_what_is_wrong_and_leads_back(open_site: OpenSite) -> None:
    page = open_site("benchmark/nobody?lang=ko")
    assert page.locator("h1").inner_text() == "그런 실행이 없습니다."
    assert page.get_by_role("link", name="모든 실행").get_attribute("href") == "../?lang=ko"
