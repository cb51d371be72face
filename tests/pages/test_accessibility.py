"""For those who see, hear or point differently: axe-core finds nothing, and every part is reached by the keyboard."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from llmload.reporters import comparison_html, html
from llmload.reporters.texts import Language, texts_in
from tests.pages.opened import OpenPage, draw_charts
from tests.recorded_runs import CLEAN, TROUBLE
from tests.reporters.test_comparison import MIXED

pytestmark = pytest.mark.page
ENGLISH, KOREAN = texts_in(Language.EN), texts_in(Language.KO)
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_AXE = Path(__file__).parents[2] / ".axe" / "node_modules" / "axe-core" / "axe.min.js"


@cache
def axe() -> str:
    assert _AXE.exists(), f"{_AXE} is missing; run `make .axe/installed`"
    return _AXE.read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(html.render(TROUBLE, ENGLISH), id="full of trouble, English"),
        pytest.param(html.render(TROUBLE, KOREAN), id="full of trouble, Korean"),
        pytest.param(html.render(CLEAN, ENGLISH), id="clean"),
        pytest.param(comparison_html.render(MIXED, KOREAN), id="comparison"),
    ],
)
def test_axe_finds_no_violation(open_page: OpenPage, content: bytes, scheme: str) -> None:
    page = open_page(content, color_scheme=scheme)
    draw_charts(page)
    for details in page.locator("details").all():
        details.evaluate("each => { each.open = true; }")
    page.evaluate(axe())
    found = page.evaluate("tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", TAGS)
    assert found["passes"]
    told = [(each["id"], [node["html"][:200] for node in each["nodes"]][:3]) for each in found["violations"]]
    assert told == []


def test_the_keyboard_reaches_every_part_in_the_order_of_reading(open_page: OpenPage) -> None:
    page = open_page(html.render(TROUBLE, ENGLISH), viewport={"width": 1200, "height": 900})
    draw_charts(page)
    wanted = page.evaluate(
        """() => [...document.querySelectorAll('a, button:not([hidden]), [tabindex="0"], summary')]
            .filter(each => each.checkVisibility()).map(each => each.outerHTML.slice(0, 120))"""
    )
    reached = []
    for _ in wanted:
        page.keyboard.press("Tab")
        told, is_seen = page.evaluate(
            """() => {
                const each = document.activeElement;
                return [each.outerHTML.slice(0, 120), parseFloat(getComputedStyle(each).outlineWidth) >= 2];
            }"""
        )
        reached.append(told)
        assert is_seen, told
    assert reached == wanted
    assert "skip" in reached[0]
    assert any("theme" in each for each in reached)


def test_the_first_key_leads_past_the_bar(open_page: OpenPage) -> None:
    page = open_page(html.render(CLEAN, ENGLISH))
    page.keyboard.press("Tab")
    assert page.get_by_role("link", name="Skip to the report").evaluate("each => each === document.activeElement")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
