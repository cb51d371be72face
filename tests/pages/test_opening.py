"""Every report opens from disk without a network, and shows all that it has."""

from __future__ import annotations

import pytest

from llmload.domain import RunResult
from llmload.plain_text import plain
from llmload.reporters import comparison_html, html
from llmload.reporters.charts import run_charts
from llmload.reporters.texts import Language, texts_in
from tests.pages.opened import OpenPage, draw_charts
from tests.recorded_runs import CLEAN, FROM_LOADTEST, HOSTILE, LONG_ERROR, TROUBLE
from tests.reporters.test_comparison import MIXED, NASTY

pytestmark = pytest.mark.page
ENGLISH, KOREAN = texts_in(Language.EN), texts_in(Language.KO)


@pytest.mark.parametrize("texts", [ENGLISH, KOREAN], ids=["English", "Korean"])
@pytest.mark.parametrize(
    "run",
    [
        pytest.param(CLEAN, id="clean"),
        pytest.param(TROUBLE, id="full of trouble"),
        pytest.param(FROM_LOADTEST, id="imported"),
    ],
)
def test_every_chart_of_a_run_comes_to_life(open_page: OpenPage, run: RunResult, texts) -> None:
    page = open_page(html.render(run, texts))
    assert draw_charts(page) == len(run_charts(run, texts))
    assert page.locator(".stage svg").count() == len(run_charts(run, texts))
    assert page.locator("html").get_attribute("lang") == texts.language.value


def test_every_point_that_was_measured_is_drawn(open_page: OpenPage) -> None:
    page = open_page(html.render(CLEAN, ENGLISH))
    draw_charts(page)
    points = page.locator("#chart-throughput .mark-symbol.role-mark path")
    assert points.count() == 3 * len(CLEAN.steps)  # output throughput, TTFT and TPOT
    assert page.locator("#chart-goodput .mark-symbol.role-mark path").count() == len(CLEAN.steps)


@pytest.mark.parametrize("comparison", [pytest.param(MIXED, id="mixed"), pytest.param(NASTY, id="hostile")])
def test_a_comparison_opens_as_well(open_page: OpenPage, comparison) -> None:
    page = open_page(comparison_html.render(comparison, ENGLISH))
    draw_charts(page)
    assert page.get_by_role("heading", level=1).is_visible()


def test_foreign_text_does_nothing_but_be_read(open_page: OpenPage) -> None:
    page = open_page(html.render(TROUBLE, ENGLISH))
    draw_charts(page)
    assert page.get_by_text(plain(HOSTILE)).first.is_visible()
    assert page.locator("main script, main b, main img, main iframe").count() == 0
    page.get_by_text("Whole text").first.click()
    assert plain(LONG_ERROR, 4_000) in page.locator("details.folded[open] p").first.inner_text()


def test_without_a_script_there_are_the_pictures_and_every_word(open_page: OpenPage) -> None:
    page = open_page(html.render(TROUBLE, ENGLISH), java_script_enabled=False)
    pictures = page.locator("figure .plot > svg")
    assert pictures.count() == len(run_charts(TROUBLE, ENGLISH))
    for picture in pictures.all():
        assert (box := picture.bounding_box()) is not None
        assert min(box["width"], box["height"]) > 150
    for heading in page.locator("main h2").all():
        assert heading.is_visible()
    assert page.locator("button:visible").count() == 0  # nothing that would do nothing


@pytest.mark.parametrize("texts", [ENGLISH, KOREAN], ids=["English", "Korean"])
@pytest.mark.parametrize("run", [pytest.param(CLEAN, id="clean"), pytest.param(TROUBLE, id="full of trouble")])
def test_a_phone_shows_all_of_it_without_scrolling_sideways(open_page: OpenPage, run: RunResult, texts) -> None:
    page = open_page(html.render(run, texts), viewport={"width": 375, "height": 780}, has_touch=True)
    draw_charts(page)
    for details in page.locator("details").all():
        details.evaluate("each => { each.open = true; }")
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    gates = page.get_by_role("region", name=texts["heading.gates"], exact=True).last
    assert gates.evaluate("each => each.scrollWidth > each.clientWidth")


def test_a_phone_shows_a_comparison_without_scrolling_sideways(open_page: OpenPage) -> None:
    page = open_page(comparison_html.render(NASTY, KOREAN), viewport={"width": 375, "height": 780})
    draw_charts(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 375
