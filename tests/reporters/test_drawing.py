"""Pictures are small, the same everywhere, readable in light and dark, and inert whatever the names in them say."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import pytest
import vl_convert
from lxml import etree

from llmload.reporters import drawing, palette
from llmload.reporters.charts import run_charts
from llmload.reporters.compact_svg import compact
from llmload.reporters.texts import Language, texts_in
from tests.recorded_runs import CLEAN, HOSTILE

SVG = "{http://www.w3.org/2000/svg}"
NAMED_BADLY = replace(CLEAN, gpus=tuple(replace(gpu, name=HOSTILE, uuid=HOSTILE) for gpu in CLEAN.gpus))
CHARTS = {chart.name: chart for chart in run_charts(NAMED_BADLY, texts_in(Language.EN))}
every_picture = pytest.mark.parametrize("name", CHARTS)


@cache
def picture(name: str) -> bytes:
    """One picture, drawn once in all, and by no process that only collects these tests."""
    return drawing.svg(CHARTS[name])


@every_picture
def test_a_picture_has_shapes_and_words_and_nothing_that_acts(name: str) -> None:
    root = etree.fromstring(picture(name))
    tags = {each.tag.removeprefix(SVG) for each in root.iter()}
    assert tags <= {"svg", "title", "desc", "style", "rect", "defs", "g", "path", "use", "text", "tspan"}
    for each in root.iter():
        for attribute, value in each.attrib.items():
            assert not attribute.startswith("on")
            assert "url(" not in value
            assert "href" not in attribute or value.startswith("#")


@every_picture
def test_a_picture_tells_those_who_cannot_see_it_what_it_shows(name: str) -> None:
    root = etree.fromstring(picture(name))
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == CHARTS[name].title
    assert root.findtext(f"{SVG}desc") == CHARTS[name].summary


@every_picture
def test_paper_and_ink_turn_over_together(name: str) -> None:
    root = etree.fromstring(picture(name))
    style = root.findtext(f"{SVG}style")
    assert style is not None
    dark = style.partition("prefers-color-scheme:dark")[2]
    assert palette.DARK_INK in dark
    assert palette.DARK_PAPER in dark
    inks = {value for each in root.iter() for key, value in each.attrib.items() if key in ("fill", "stroke")}
    assert inks <= {palette.INK, palette.LIGHT_PAPER, "none", *palette.SERIES}


@every_picture
def test_every_word_that_vega_wrote_is_kept_at_its_place(name: str) -> None:
    drawn = vl_convert.vegalite_to_svg(dict(CHARTS[name].spec), vl_version="6.4")
    words = ["".join(text.itertext()) for text in etree.fromstring(drawn.encode()).iter(f"{SVG}text")]
    kept = ["".join(text.itertext()) for text in etree.fromstring(picture(name)).iter(f"{SVG}text")]
    assert kept == [each for each in words if each]
    assert len(picture(name)) < len(drawn) / 3


def test_the_same_chart_gives_the_same_bytes() -> None:
    assert {name: drawing.svg(chart) for name, chart in CHARTS.items()} == {name: picture(name) for name in CHARTS}


def test_all_pictures_of_a_long_run_leave_room_for_the_report() -> None:
    steps = tuple(
        replace(CLEAN.steps[place % len(CLEAN.steps)], step=replace(CLEAN.steps[0].step, index=place, value=2.0**place))
        for place in range(12)
    )
    charts = run_charts(replace(CLEAN, steps=steps), texts_in(Language.EN))
    assert sum(len(drawing.svg(chart)) for chart in charts) < 60_000


def test_a_picture_for_a_page_has_no_ids_and_no_style() -> None:
    root = etree.fromstring(drawing.inline(CHARTS["throughput"]))
    assert {each.tag for each in root.iter()} <= {"svg", "g", "path", "text", "tspan"}
    assert not root.xpath("//@id | //@class | //@style | //@href")


def test_shifts_of_groups_add_up() -> None:
    told = compact(
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" viewBox="0 0 9 9">'
        '<g transform="translate(10,20)"><g transform="translate(0.5,0.5)">'
        '<line transform="translate(1,2)" x2="30" y2="0" stroke="red"/>'
        '<line transform="translate(1,4)" x2="30" y2="0" stroke="red"/>'
        '<path d="M0,0L1.04,1.04L2.08,2.08" stroke="blue"/>'
        '<path d="M0,0h5v5Z" transform="translate(3,3)" fill="green"/>'
        '<text transform="translate(1,1) rotate(-90) translate(0,-2)" fill="red">x</text>'
        '</g></g><path d="M0,0h5v5Z"/><text/></svg>'
    )
    paths = [(path.get("d"), path.get("transform")) for path in told.iter("path")]
    assert paths == [
        ("M11.5 22.5l30 0M11.5 24.5l30 0", None),
        ("M10.5 20.5l1 1l1.1 1.1", None),
        ("M0,0h5v5Z", "translate(13.5 23.5)"),
    ]
    assert [text.get("transform") for text in told.iter("text")] == ["translate(11.5 21.5) rotate(-90) translate(0,-2)"]


def test_rounding_does_not_add_up_along_a_line() -> None:
    corners = [(place * 1.0333, place * 0.7777) for place in range(300)]
    path = "M" + "L".join(f"{x:.4f},{y:.4f}" for x, y in corners)
    size = 'width="9" height="9" viewBox="0 0 9 9"'
    told = compact(f'<svg xmlns="http://www.w3.org/2000/svg" {size}><path d="{path}" stroke="red"/></svg>')
    d = next(told.iter("path")).attrib["d"]
    steps = [tuple(map(float, re.findall(r"-?\d*\.?\d+", step))) for step in re.split("[Ml]", d)[1:]]
    assert sum(x for x, _ in steps) == pytest.approx(corners[-1][0], abs=0.06)
    assert sum(y for _, y in steps) == pytest.approx(corners[-1][1], abs=0.06)
