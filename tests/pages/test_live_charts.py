"""Charts answer to the mouse and to the keyboard, and let pass who only scrolls by."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page

from llmload.reporters import html
from llmload.reporters.texts import Language, texts_in
from tests.pages.opened import OpenPage, draw_charts
from tests.recorded_runs import CLEAN

pytestmark = pytest.mark.page
CONTENT = html.render(CLEAN, texts_in(Language.EN))


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    opened = open_page(CONTENT, viewport={"width": 1200, "height": 900})
    draw_charts(opened)
    figure = opened.locator("#chart-throughput")
    figure.evaluate("each => each.scrollIntoView({block: 'center', behavior: 'instant'})")
    opened.wait_for_timeout(50)  # the scroll event of it
    return opened


def points(page: Page) -> Locator:
    return page.locator("#chart-throughput .mark-symbol.role-mark path")


def middle(locator: Locator) -> tuple[float, float]:
    box = locator.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def places(page: Page) -> list[float]:
    """Where the first series has its points, in pixels from the left."""
    return [round(middle(points(page).nth(place))[0], 1) for place in range(len(CLEAN.steps))]


def settled(page: Page, before: list[float]) -> list[float]:
    """Where they are after they have moved."""
    page.wait_for_function(
        """([before]) => {
            const first = document.querySelectorAll("#chart-throughput .mark-symbol.role-mark path")[1];
            const box = first.getBoundingClientRect();
            return Math.abs(box.x + box.width / 2 - before) > 1;
        }""",
        arg=[before[1]],
    )
    page.wait_for_timeout(100)
    return places(page)


def aim(page: Page) -> None:
    """Into the middle of the plot, by a way that a hand could take."""
    x, y = middle(page.locator("#chart-throughput .plot"))
    page.mouse.move(x - 60, y - 20)
    page.mouse.move(x, y)


def test_the_wheel_zooms(page: Page) -> None:
    before, top = places(page), page.evaluate("scrollY")
    aim(page)
    page.mouse.wheel(0, -300)
    after = settled(page, before)
    assert after[2] - after[1] > 1.2 * (before[2] - before[1])
    assert page.evaluate("scrollY") == top


def test_the_wheel_scrolls_on_for_those_who_only_pass_by(page: Page) -> None:
    aim(page)
    page.evaluate("scrollBy(0, 30)")
    page.wait_for_timeout(100)
    before, top = places(page), page.evaluate("scrollY")
    page.mouse.wheel(0, 60)
    page.wait_for_function("top => scrollY > top", arg=top)
    assert places(page) == before


def test_dragging_moves_the_load_axis(page: Page) -> None:
    before = places(page)
    aim(page)
    x, y = middle(page.locator("#chart-throughput .plot"))
    page.mouse.down()
    page.mouse.move(x - 60, y, steps=4)
    page.mouse.move(x - 120, y, steps=4)
    page.mouse.up()
    after = settled(page, before)
    assert all(earlier - later == pytest.approx(120, abs=8) for earlier, later in zip(before, after, strict=True))


def test_a_point_tells_its_figures(page: Page) -> None:
    x, y = middle(points(page).nth(2))
    page.mouse.move(x - 20, y)
    page.mouse.move(x, y)
    tooltip = page.locator("#vg-tooltip-element.visible")
    tooltip.wait_for()
    step = CLEAN.steps[2]
    words = tooltip.inner_text()
    assert f"{step.metrics.output_tps:,.0f}" in words
    assert f"{step.step.value:g}" in words
    assert "Output throughput (tok/s)" in words


def test_the_button_resets_what_the_wheel_did(page: Page) -> None:
    before = places(page)
    aim(page)
    page.mouse.wheel(0, -300)
    zoomed = settled(page, before)
    page.locator("#chart-throughput").get_by_role("button", name="Reset zoom").click()
    assert settled(page, zoomed) == before


def test_keys_zoom_move_and_reset(page: Page) -> None:
    before = places(page)
    page.locator("#chart-throughput .frame").focus()
    page.keyboard.press("+")
    zoomed = settled(page, before)
    assert zoomed[2] - zoomed[1] > 1.2 * (before[2] - before[1])
    page.keyboard.press("ArrowRight")
    moved = settled(page, zoomed)
    assert all(later < earlier for earlier, later in zip(zoomed, moved, strict=True))
    page.keyboard.press("-")
    page.keyboard.press("0")
    assert settled(page, moved) == before


def test_other_keys_stay_with_the_browser(page: Page) -> None:
    page.locator("#chart-throughput .frame").focus()
    page.evaluate("addEventListener('keydown', each => { window.taken = [each.key, each.defaultPrevented]; })")
    for keys, taken in (("PageDown", ["PageDown", False]), ("Control++", ["+", False]), ("+", ["+", True])):
        page.keyboard.press(keys)
        assert page.evaluate("window.taken") == taken


def test_every_chart_of_any_number_of_views_answers_to_keys(page: Page) -> None:
    for figure in page.locator("figure.chart:has(.reset)").all():
        labels = figure.locator(".stage .role-axis-label text")
        before = sorted(labels.all_text_contents())
        figure.locator(".frame").focus()
        page.keyboard.press("+")
        page.keyboard.press("+")
        page.wait_for_timeout(150)
        assert sorted(labels.all_text_contents()) != before, figure.get_attribute("id")
        page.keyboard.press("0")
        page.wait_for_timeout(150)
        assert sorted(labels.all_text_contents()) == before, figure.get_attribute("id")


def test_charts_of_several_views_follow_the_window(page: Page) -> None:
    for name in ("latency", "timeline", "gpu"):
        for width in (1200, 800):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_function(
                """([name, width]) => {
                    const drawn = document.querySelectorAll(`#chart-${name} .stage > svg`);
                    return drawn.length === 1 && Math.abs(drawn[0].getAttribute("width") - width + 110) < 70;
                }""",
                arg=[name, width],
            )
    figure = page.locator("#chart-gpu")
    labels = figure.locator(".stage .role-axis-label text")
    before = labels.all_text_contents()
    figure.locator(".frame").focus()
    page.keyboard.press("+")
    page.keyboard.press("+")
    page.wait_for_timeout(150)
    assert labels.all_text_contents() != before, "keys still work"
