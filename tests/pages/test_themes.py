"""Light and dark: as the system has it, as the reader wants it, and light on paper."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from llmload.reporters import html
from llmload.reporters.texts import Language, texts_in
from tests.pages.opened import OpenPage, draw_charts
from tests.recorded_runs import TROUBLE

pytestmark = pytest.mark.page
CONTENT = html.render(TROUBLE, texts_in(Language.EN))

DENY_STORAGE = """
Object.defineProperty(window, "localStorage", { get() { throw new DOMException("denied", "SecurityError"); } });
"""


def brightness(page: Page, part: str, name: str) -> float:
    """Of a computed colour, 0 black to 255 white."""
    colour = page.evaluate("([part, name]) => getComputedStyle(document.querySelector(part))[name]", [part, name])
    red, green, blue = (float(each) for each in colour.split("(")[1].rstrip(")").split(",")[:3])
    return (red + green + blue) / 3


def is_dark(page: Page) -> bool:
    ink, paper = brightness(page, "body", "color"), brightness(page, "body", "backgroundColor")
    assert abs(ink - paper) > 150
    return ink > paper


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_follows_the_system(open_page: OpenPage, scheme: str) -> None:
    page = open_page(CONTENT, color_scheme=scheme)
    assert is_dark(page) == (scheme == "dark")
    button = page.get_by_role("button", name="Dark theme")
    assert button.get_attribute("aria-pressed") == str(scheme == "dark").lower()


def test_a_page_follows_the_system_when_it_changes(open_page: OpenPage) -> None:
    page = open_page(CONTENT, color_scheme="light")
    page.emulate_media(color_scheme="dark")
    page.get_by_role("button", name="Dark theme", pressed=True).wait_for()
    assert is_dark(page)


def test_the_charts_take_the_ink_of_the_theme(open_page: OpenPage) -> None:
    page = open_page(CONTENT, color_scheme="light")
    draw_charts(page)
    label = "#chart-throughput .role-axis-label text"
    assert brightness(page, label, "fill") < 80
    page.get_by_role("button", name="Dark theme").click()
    assert brightness(page, label, "fill") > 180


def test_the_button_is_remembered_until_it_is_what_the_system_has(open_page: OpenPage) -> None:
    page = open_page(CONTENT, color_scheme="light")
    button = page.get_by_role("button", name="Dark theme")
    button.click()
    assert is_dark(page)
    page.reload()
    assert is_dark(page)
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert not is_dark(page)
    assert page.evaluate("localStorage.length") == 0


def test_the_button_works_where_storage_is_denied(open_page: OpenPage) -> None:
    page = open_page(CONTENT, color_scheme="light")
    page.add_init_script(DENY_STORAGE)
    page.reload()
    page.get_by_role("button", name="Dark theme").click()
    assert is_dark(page)


def test_paper_is_white_with_every_detail_and_no_button(open_page: OpenPage) -> None:
    page = open_page(CONTENT, color_scheme="dark")
    draw_charts(page)
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert brightness(page, "body", "backgroundColor") == 255
    assert not is_dark(page)
    assert page.locator("details:not(.data):not([open])").count() == 0
    assert page.locator("button:visible").count() == 0
    assert page.locator(".chart").first.evaluate("each => getComputedStyle(each).breakInside") == "avoid"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details.provenance[open]").count() == 0


def test_a_page_can_be_printed(open_page: OpenPage) -> None:
    page = open_page(CONTENT)
    draw_charts(page)
    assert page.pdf(format="A4").startswith(b"%PDF")
