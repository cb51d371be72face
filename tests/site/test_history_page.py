"""The page of the history and its twin for programs: forms, addresses, what is told, and what is refused."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from llmload.reporters.texts import Language, texts_in
from llmload.site.trend_line import trend_line
from llmload.store.database import open_store
from llmload.store.history import Point
from tests.recorded_runs import CLEAN, TROUBLE
from tests.site.asked import ask
from tests.site.stores import FAILED, RECORDED, RUNNING

ENGLISH = texts_in(Language.EN)


def test_every_run_is_told_with_a_way_to_it(filled: Path) -> None:
    (page,) = ask(filled, "/")
    assert page.status_code == 200
    for run in RECORDED:
        assert f'href="benchmark/{quote(run.header.run_id, safe="")}"' in page.text
    assert f"{len(RECORDED) + 3} runs, newest first" in page.text
    assert "<script>alert" not in page.text
    assert page.headers["cache-control"] == "no-cache"


def test_the_page_and_its_twin_have_the_same_figures(filled: Path) -> None:
    page, document = ask(filled, "/?verdict=fail", "/history.json?verdict=fail")
    told = document.json()
    assert told["filter"]["verdict"] == "fail"
    assert told["run_count"] == len(told["runs"]) == page.text.count('class="pick"')
    run = next(each for each in told["runs"] if each["run_id"] == TROUBLE.header.run_id)
    step = next(each for each in TROUBLE.steps if each.step.label == run["headline_step"])
    assert run["goodput"] == step.metrics.goodput
    assert run["document"] == f"benchmark/{TROUBLE.header.run_id}.json"
    assert "85.1%" in page.text


def test_what_is_not_known_is_null_and_never_nothing_at_all(filled: Path) -> None:
    (document,) = ask(filled, "/history.json?status=failed")
    (run,) = document.json()["runs"]
    assert run["run_id"] == FAILED
    assert (run["goodput"], run["ttft_p99_ms"], run["model"]) == (None, None, None)
    assert (run["verdict"], run["because"]) == ("error", "Nothing was measured")


def test_a_program_turns_the_pages_by_the_references_of_the_document(tmp_path: Path) -> None:
    path = tmp_path / "llmload.db"
    with open_store(path) as store:
        for number in range(120):
            store.begin(replace(CLEAN.header, run_id=f"a~b&{number}=", created=f"{number:03}~%7E", scenario="&=?#"))
    address, seen = "?scenario=%26%3D%3F%23", list[str]()
    while address:
        (document,) = ask(path, f"/history.json{address}")
        seen += [run["run_id"] for run in document.json()["runs"]]
        last, address = address, document.json()["next"]
    assert seen == [f"a~b&{number}=" for number in reversed(range(120))]
    assert document.json()["previous"] is not None
    (page,) = ask(path, f"/{last}")
    newer = re.search(r'rel="prev" href="([^"]+)"', page.text)
    assert newer is not None
    (back,) = ask(path, f"/{html.unescape(newer[1])}")
    assert back.status_code == 200
    assert back.text.count('class="pick"') == 50


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("verdict=splendid", id="a verdict that there is none of"),
        pytest.param("status=asleep", id="a status that there is none of"),
        pytest.param("label=serving", id="a label without a value"),
        pytest.param("label=%3Dserving", id="a label without a name"),
        pytest.param("&".join(f"label=a{number}%3Db" for number in range(6)), id="too many labels"),
        pytest.param("before=20260101", id="a place without an id"),
        pytest.param("after=~", id="a place of nothing"),
        pytest.param("before=a~b&after=a~b", id="two places"),
    ],
)
@pytest.mark.parametrize("language", ["en", "ko"])
def test_what_cannot_be_asked_is_refused_in_plain_words(filled: Path, query: str, language: str) -> None:
    page, document = ask(filled, f"/?{query}&lang={language}", f"/history.json?{query}&lang={language}")
    assert (page.status_code, document.status_code) == (400, 400)
    assert f'<a class="button" href="./?lang={language}"' in page.text


@pytest.mark.parametrize(
    "query",
    [
        "scenario=%00&model=%FF",
        "label=%ED%A0%80%3D%27",
        "scenario=" + "x" * 3000,
        "before=%FF~%00",
        "scenario=<script>alert(1)</script>",
        "lang=xx&verdict=",
        "verdict=pass&verdict=fail&%00=%00",
    ],
)
def test_whatever_else_is_asked_finds_what_there_is(filled: Path, query: str) -> None:
    page, document = ask(filled, f"/?{query}", f"/history.json?{query}")
    assert (page.status_code, document.status_code) == (200, 200)
    assert "<script>alert" not in page.text


def test_a_term_is_removed_alone_and_the_language_stays(filled: Path) -> None:
    (page,) = ask(filled, "/?scenario=quickstart&verdict=pass&label=a%3D1&label=b%3D2&lang=ko")
    chips = [html.unescape(each) for each in re.findall(r'<a class="chip" href="([^"]+)"', page.text)]
    assert chips == [
        "./?verdict=pass&label=a%3D1&label=b%3D2&lang=ko",
        "./?scenario=quickstart&label=a%3D1&label=b%3D2&lang=ko",
        "./?scenario=quickstart&verdict=pass&label=b%3D2&lang=ko",
        "./?scenario=quickstart&verdict=pass&label=a%3D1&lang=ko",
    ]
    assert '<input type="hidden" name="lang" value="ko">' in page.text
    assert '<option value="pass" selected>' in page.text


def test_a_store_without_runs_says_how_to_begin(tmp_path: Path) -> None:
    with open_store(tmp_path / "llmload.db"):
        pass
    page, document = ask(tmp_path / "llmload.db", "/", "/history.json")
    assert "llmload init" in page.text
    assert "llmload apply scenario.yaml" in page.text
    assert "<table" not in page.text
    assert (document.json()["run_count"], document.json()["runs"]) == (0, [])


def test_a_filter_that_nothing_meets_leads_back(filled: Path) -> None:
    (page,) = ask(filled, "/?scenario=nobody")
    assert "No run is like that." in page.text
    assert '<option value="nobody" selected>nobody</option>' in page.text
    assert "<table" not in page.text


def test_a_run_that_goes_on_is_on_top(filled: Path) -> None:
    page, older = ask(filled, "/", "/?before=2026-02-15~x")
    assert page.text.index('id="running"') < page.text.index('id="runs"')
    assert f'href="benchmark/{RUNNING}"' in page.text
    assert 'id="running"' not in older.text


def test_scripts_and_styles_are_files(filled: Path) -> None:
    (page,) = ask(filled, "/")
    assert "style=" not in page.text
    assert [each for each in re.findall(r"<script([^>]*)>", page.text) if "src=" not in each] == []


# ---------------------------------------------------------------- trends


def points(*goodputs: float | None) -> list[Point]:
    return [Point(str(number), each, None) for number, each in enumerate(goodputs)]


def test_a_missing_figure_leaves_a_gap() -> None:
    line = trend_line("x", points(0.5, 0.6, None, 0.7, None, 0.8, 0.9), ENGLISH)
    assert line is not None
    assert line.path.count("M") == 2
    assert len(line.dots) == 2
    assert line.said.endswith("between 50% and 90%, in the end 90%; 2 have none")


@pytest.mark.parametrize(
    ("values", "figure", "latest"),
    [
        pytest.param([Point("a", None, 800.0), Point("b", 0.5, 900.0)], "Goodput", "50%", id="any goodput counts"),
        pytest.param([Point("a", None, 800.0), Point("b", None, 900.0)], "TTFT p99", "900 ms", id="no goodput"),
        pytest.param([Point("a", 0.5, None), Point("b", None, 1.0)], "Goodput", "n/a", id="not the last one"),
        pytest.param([Point("a", 0.0, None), Point("b", float("inf"), 1.0)], "Goodput", "n/a", id="no number"),
    ],
)
def test_a_trend_is_of_one_figure(values: list[Point], figure: str, latest: str) -> None:
    line = trend_line("x", values, ENGLISH)
    assert line is not None
    assert (line.figure, line.latest) == (figure, latest)
    assert "nan" not in line.path
    assert all(0 <= x <= 160 and 0 <= y <= 36 for x, y in line.dots)


def test_without_figures_there_is_no_trend() -> None:
    assert trend_line("x", points(None, None), ENGLISH) is None
    assert trend_line("x", [], ENGLISH) is None


def test_the_document_of_the_history_is_told_field_by_field(filled: Path) -> None:
    (document,) = ask(filled, "/history.json?verdict=fail")
    told = document.json()
    docs = (Path(__file__).parents[2] / "docs" / "history.md").read_text("utf-8")
    named = set(re.findall(r"`(\w+)`", docs))
    assert {*told, *told["runs"][0], *told["filters"]} <= named


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        pytest.param({"gpu": "NVIDIA H100", "gpu_count": "1"}, '<p class="soft">NVIDIA H100</p>', id="one"),
        pytest.param({"gpu": "NVIDIA H100", "gpu_count": "8"}, '<p class="soft">8 × NVIDIA H100</p>', id="several"),
        pytest.param({"gpu": "<b>T4"}, '<p class="soft">&lt;b&gt;T4</p>', id="one of a hostile name"),
    ],
)
def test_the_gpus_of_a_run_are_told(facts: dict[str, str], told: str, tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with open_store(path) as store:
        store.begin(replace(CLEAN.header, environment=facts))
    (page,) = ask(path, "/")
    assert told in page.text
