"""The page of a run in a browser: shared, taken along, its charts drawn, and inert whatever its texts say."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from llmload.reporters import junit, steps_csv
from llmload.reporters.charts import run_charts
from llmload.reporters.texts import Language, texts_in
from tests.pages.opened import draw_charts
from tests.pages.served import OpenSite
from tests.pages.test_accessibility import TAGS, axe
from tests.recorded_runs import CLEAN, TROUBLE
from tests.site.stores import FAILED, RUNNING

pytestmark = pytest.mark.page
CLEAN_ID, TROUBLE_ID = CLEAN.header.run_id, TROUBLE.header.run_id
NO_CLIPBOARD = "Object.defineProperty(navigator, 'clipboard', { value: undefined });"


def violations(page: Page) -> list[object]:
    page.evaluate(axe())
    found = page.evaluate("tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", TAGS)
    assert found["passes"]
    return [(each["id"], [node["html"][:200] for node in each["nodes"]][:3]) for each in found["violations"]]


@pytest.mark.parametrize(
    ("language", "button", "words"),
    [("en", "Share", "Link copied"), ("ko", "공유", "링크가 복사되었습니다")],
)
def test_share_copies_the_one_link_and_says_so(
    open_site: OpenSite, site: str, language: str, button: str, words: str
) -> None:
    page = open_site(f"benchmark/{CLEAN_ID}?lang={language}", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name=button, exact=True).click()
    expect(page.locator("#told")).to_have_text(words)
    link = f"{site}benchmark/{CLEAN_ID}?shared=true"
    assert page.evaluate("navigator.clipboard.readText()") == link
    page.goto(link)
    expect(page.locator(".notice.shared")).to_have_text("Shared benchmark result")
    assert page.locator("#commands, .commands").count() == 0


def test_where_there_is_no_clipboard_the_link_is_selected_to_be_copied(open_site: OpenSite, site: str) -> None:
    page = open_site(f"benchmark/{CLEAN_ID}")
    page.add_init_script(NO_CLIPBOARD)
    page.reload()
    page.get_by_role("button", name="Share", exact=True).click()
    field = page.get_by_label("Link of this run")
    expect(field).to_be_focused()
    expect(page.locator("#told")).to_have_text("Copy the link from the field")
    assert page.evaluate("getSelection().toString()") == f"{site}benchmark/{CLEAN_ID}?shared=true"


def test_a_command_is_copied_whole(open_site: OpenSite) -> None:
    page = open_site(f"benchmark/{CLEAN_ID}", permissions=["clipboard-read", "clipboard-write"])
    last = page.locator(".commands li").last
    last.get_by_role("button", name="Copy").click()
    expect(last.get_by_role("status")).to_have_text("Command copied")
    assert page.evaluate("navigator.clipboard.readText()") == f"llmload store delete {CLEAN_ID}"


@pytest.mark.parametrize(
    ("link", "name", "content"),
    [
        ("CSV", f"{CLEAN_ID}.csv", steps_csv.render(CLEAN)),
        ("JUnit", f"{CLEAN_ID}.xml", junit.render(CLEAN)),
        ("Excel", f"{CLEAN_ID}.xlsx", b"PK\x03\x04"),
    ],
)
def test_a_download_lands_under_the_name_of_the_run(open_site: OpenSite, link: str, name: str, content: bytes) -> None:
    page = open_site(f"benchmark/{CLEAN_ID}")
    with page.expect_download() as waited:
        page.get_by_role("link", name=link, exact=True).click()
    assert waited.value.suggested_filename == name
    assert Path(waited.value.path()).read_bytes().startswith(content)


def test_every_chart_is_drawn_and_follows_the_theme(open_site: OpenSite) -> None:
    page = open_site(f"benchmark/{CLEAN_ID}", color_scheme="light")
    assert draw_charts(page) == len(run_charts(CLEAN, texts_in(Language.EN)))
    assert page.locator(".stage svg").count() == page.locator("figure.chart").count()
    ink = "getComputedStyle(document.querySelector('.chart .role-axis-label text')).fill"
    before = page.evaluate(ink)
    page.get_by_role("button", name="Dark theme").click()
    assert page.evaluate(ink) != before


def test_a_run_full_of_hostile_text_is_inert(open_site: OpenSite) -> None:
    page = open_site(f"benchmark/{TROUBLE_ID}")
    draw_charts(page)
    assert page.evaluate("document.querySelectorAll('main script, main b, main iframe, main img').length") == 0
    assert page.get_by_text("AI analysis currently supports the vLLM framework only.").is_visible()


@pytest.mark.parametrize(
    ("path", "scheme"),
    [(CLEAN_ID, "light"), (f"{TROUBLE_ID}?shared=true&lang=ko", "dark"), (RUNNING, "dark"), (FAILED, "light")],
)
def test_axe_finds_no_violation(open_site: OpenSite, path: str, scheme: str) -> None:
    assert violations(open_site(f"benchmark/{path}", color_scheme=scheme)) == []


@pytest.mark.parametrize("path", [CLEAN_ID, f"{TROUBLE_ID}?shared=true&lang=ko", RUNNING, FAILED, "2026"])
def test_a_phone_needs_no_scrolling_sideways(open_site: OpenSite, path: str) -> None:
    page = open_site(f"benchmark/{path}", viewport={"width": 375, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_without_a_script_there_is_a_plain_link_to_what_is_shared(open_site: OpenSite, site: str) -> None:
    page = open_site(f"benchmark/{CLEAN_ID}", java_script_enabled=False)
    assert not page.get_by_role("button", name="Share", exact=True).is_visible()
    page.get_by_role("link", name="View to share").click()
    page.wait_for_url(f"{site}benchmark/{CLEAN_ID}?shared=true")  # to its end: a click waits for its start only
    assert page.get_by_text("Shared benchmark result").is_visible()
