"""From the check boxes of the history to runs side by side; trends and recommendations in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.pages.opened import draw_charts
from tests.pages.served import OpenSite
from tests.recorded_runs import CLEAN

pytestmark = pytest.mark.page
FIRST, SECOND, THIRD = (f"202602{day:02}-080000-0000{day:04x}" for day in (1, 2, 3))
PHONE = {"viewport": {"width": 375, "height": 800}}


def assert_it_fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_three_runs_of_the_history_are_compared_by_bars_and_words(open_site: OpenSite) -> None:
    page = open_site("")
    for run in (FIRST, SECOND, THIRD):
        page.locator(f'input[name="runs"][value="{run}"]').check()
    page.locator('button[form], form button[type="submit"]').get_by_text("Compare").first.click()
    page.wait_for_url("**/compare?**")
    expect(page.locator("h1")).to_contain_text("Comparison")
    opened = page.locator("details[open] .panel")
    assert opened.count() >= 9
    bars = opened.first.locator("svg.bar-of .length")
    assert [bar.evaluate("each => each.getBoundingClientRect().width > 20") for bar in bars.all()] == [True] * 3
    colors = {bar.evaluate("each => getComputedStyle(each).fill") for bar in bars.all()}
    assert len(colors) == 3
    expect(opened.first.locator(".badge").first).to_be_visible()
    assert draw_charts(page) == 1
    assert page.locator("#chart-comparison svg .mark-rect path").count() >= 3


def test_another_run_is_made_the_first_without_any_script(open_site: OpenSite) -> None:
    page = open_site(f"compare?runs={FIRST},{SECOND}&lang=en", java_script_enabled=False)
    page.get_by_text("Choose other runs").click()
    page.get_by_label(f"reference: {SECOND}").check()
    page.locator(f'input[name="runs"][value="{THIRD}"]').check()
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url(f"**runs={THIRD}**")
    rows = page.locator('[aria-labelledby="runs"] tbody tr')
    assert [row.locator("a").inner_text() for row in rows.all()] == [SECOND, FIRST, THIRD]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "path",
    [
        pytest.param(f"compare?runs={FIRST},{SECOND},{THIRD}&lang=ko", id="comparison"),
        pytest.param(f"recommend/{CLEAN.header.run_id}?lang=ko", id="recommendation"),
        pytest.param("recommend?lang=en", id="recommendations"),
    ],
)
def test_on_a_phone_a_page_never_scrolls_sideways(open_site: OpenSite, path: str, scheme: str) -> None:
    page = open_site(path, color_scheme=scheme, **PHONE)
    draw_charts(page)
    for details in page.locator("details").all():
        details.evaluate("each => { each.open = true; }")
    assert_it_fits(page)


def test_a_trend_shows_every_run_and_leads_to_it(open_site: OpenSite) -> None:
    page = open_site("trends/regression?lang=en", **PHONE)
    assert draw_charts(page) >= 1
    assert_it_fits(page)
    page.get_by_label("Figure", exact=True).select_option("goodput")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**metric=goodput**")
    assert page.locator("figure.chart").count() == 1
    page.locator('[aria-labelledby="runs"] tbody a').first.click()
    page.wait_for_url("**/benchmark/**")
