"""report.html: one file that asks for nothing, with the answer first and no foreign markup. Browsers: tests/pages."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from dataclasses import replace
from itertools import pairwise

import pytest
from lxml import etree
from lxml import html as parser

from llmload.domain import RunResult
from llmload.plain_text import plain
from llmload.reporters import html
from llmload.reporters.charts import run_charts
from llmload.reporters.embedding import library
from llmload.reporters.reasons import in_language
from llmload.reporters.texts import Language, texts_in
from llmload.verdict import Caveat, Status
from tests.recorded_comparisons import REGRESSED
from tests.recorded_runs import CLEAN, FROM_LOADTEST, HOSTILE, LONG_ERROR, TROUBLE

ENGLISH, KOREAN = texts_in(Language.EN), texts_in(Language.KO)
LADDER = replace(
    CLEAN,
    steps=tuple(
        replace(CLEAN.steps[2], step=replace(CLEAN.steps[2].step, index=place, value=2.0**place)) for place in range(12)
    ),
)
RUNS = [
    pytest.param(CLEAN, id="clean"),
    pytest.param(TROUBLE, id="full of trouble"),
    pytest.param(LADDER, id="twelve steps"),
    pytest.param(FROM_LOADTEST, id="imported"),
    pytest.param(REGRESSED, id="measured in turns"),
    pytest.param(replace(TROUBLE, target=None, steps=(), status=Status.ERROR), id="nothing measured"),
]


def parsed(run: RunResult, texts=ENGLISH):
    return parser.document_fromstring(html.render(run, texts).decode())


def policy_of(page) -> dict[str, list[str]]:
    (policy,) = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    return {name: sources for name, *sources in (each.split() for each in policy.split(";"))}


def unpacked(page, name: str) -> str:
    (packed,) = page.xpath(f"//script[@id='{name}']")
    return gzip.decompress(base64.b85decode(packed.text.replace(",", "<"))).decode()


def digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def words_of(element) -> str:
    return " ".join(element.text_content().split())


@pytest.mark.parametrize("texts", [ENGLISH, KOREAN], ids=["English", "Korean"])
@pytest.mark.parametrize("run", RUNS)
def test_a_page_is_within_its_size(run: RunResult, texts) -> None:
    assert len(html.render(run, texts)) < 600_000


def test_a_run_of_eight_steps_on_eight_gpus_is_live_with_room_to_spare() -> None:
    last = CLEAN.steps[-1]
    more = (replace(last, step=replace(last.step, index=place, value=100.0 * place)) for place in range(6, 8))
    gpus = tuple(replace(gpu, index=4 * place + turn) for place, gpu in enumerate(CLEAN.gpus) for turn in range(4))
    content = html.render(replace(CLEAN, steps=(*CLEAN.steps[:6], *more), gpus=gpus), KOREAN)
    assert len(content) < 560_000
    assert b'id="library"' in content


def test_a_huge_and_hostile_run_stays_within_its_size_and_says_what_it_left_out() -> None:
    step = TROUBLE.steps[1]
    caveats = tuple(Caveat(f"rule {number}", HOSTILE * 20, HOSTILE * 20) for number in range(300))
    verdicts = tuple(
        replace(verdict, because="|" * 5000, remedy="<" * 5000) for verdict in step.verdicts for _ in range(10)
    )
    errors = {f"{number}{HOSTILE}" * 20: number for number in range(200)}
    names = {f"{number}{HOSTILE}" * 20: HOSTILE * 20 for number in range(200)}
    steps = tuple(
        replace(
            step,
            step=replace(step.step, index=place, value=float(place + 1)),
            verdicts=verdicts,
            caveats=caveats,
            metrics=replace(step.metrics, errors=errors),
        )
        for place in range(50)
    )
    header = replace(TROUBLE.header, labels=names, environment=names)
    run = replace(TROUBLE, header=header, steps=steps, fingerprint=names, notices=(HOSTILE * 20,) * 100)
    content = html.render(run, ENGLISH)
    assert len(content) < 600_000
    assert "more; result.json has them all." in content.decode()


@pytest.mark.parametrize("run", RUNS)
def test_nothing_is_asked_of_anyone(run: RunResult) -> None:
    page = parsed(run)
    assert [each for each in page.xpath("//@src | //@href | //@srcset | //@action") if each[0] != "#"] == ["data:,"]
    (style,) = page.xpath("//style")
    assert "url(" not in style.text.replace("url(#", "")
    assert "@import" not in style.text
    policy = policy_of(page)
    assert policy["default-src"] == ["'none'"]
    assert "connect-src" not in policy


@pytest.mark.parametrize("run", RUNS)
def test_the_policy_lets_our_scripts_run_and_no_other(run: RunResult) -> None:
    page = parsed(run)
    policy = policy_of(page)
    scripts = [each.text for each in page.xpath("//script[not(@type)]")]
    drawn = [library()] if page.xpath("//script[@id='library']") else []
    assert policy["script-src"] == [digest(each) for each in (*scripts, *drawn)]
    assert policy["style-src"] == [digest(page.xpath("//style")[0].text)]
    assert not page.xpath("//@style | //@*[starts-with(name(), 'on')]")


def test_the_library_is_packed_into_the_page() -> None:
    assert unpacked(parsed(CLEAN), "library") == library()


def test_the_same_run_gives_the_same_bytes() -> None:
    assert html.render(TROUBLE, KOREAN) == html.render(TROUBLE, KOREAN)


# ---------------------------------------------------------------- foreign text


def test_foreign_text_makes_no_element_and_reads_as_it_was_written() -> None:
    page = parsed(TROUBLE)
    assert "alert(1)" in words_of(page.body)
    assert plain(HOSTILE) in words_of(page.body)
    assert not page.xpath("//b | //script[contains(text(), 'alert(1)')]")
    assert not [each for each in html.render(TROUBLE, ENGLISH).decode() if ord(each) < 32 and each != "\n"]


def test_pictures_hold_nothing_but_shapes_and_words() -> None:
    gpus = TROUBLE.gpus or ()
    for picture in parsed(replace(TROUBLE, gpus=gpus)).xpath("//div[@class='plot']/*"):
        names = {etree.QName(each).localname if isinstance(each.tag, str) else "" for each in picture.iter()}
        assert names <= {"svg", "g", "path", "text", "tspan", "line", "rect", "defs", "clippath", "clipPath"}
        assert not picture.xpath(".//@*[name() = 'href' or name() = 'style' or starts-with(name(), 'on')]")


def test_no_two_elements_have_one_id() -> None:
    text = html.render(CLEAN, ENGLISH).decode()
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]+)\)", text.partition("<body>")[2])) <= set(ids)


def test_a_long_text_is_folded_and_kept_whole() -> None:
    page = parsed(TROUBLE)
    folded = [words_of(each) for each in page.xpath("//details[@class='folded']/p")]
    assert any(plain(LONG_ERROR, 4_000) in text for text in folded)
    assert all(len(words_of(each)) < 600 for each in page.xpath("//li//p[not(ancestor::details)]"))


# ---------------------------------------------------------------- what is told, and in which order


def test_the_first_words_answer_what_why_and_which_exit_code() -> None:
    (verdict,) = parsed(TROUBLE).xpath("//main/section[1]")
    assert words_of(verdict).startswith(
        f"✕ Fail qwen3-14b-chat {TROUBLE.because}."
        " 10 gate checks: 3 failed, 2 could not be measured, 1 inconclusive, 4 passed. Exit code 3."
    )
    assert "Server https://llm.example/v1" in words_of(verdict)


def test_sections_come_in_the_order_of_reading() -> None:
    page = parsed(TROUBLE)
    headings = [words_of(each) for each in page.xpath("//main//h2")]
    assert headings == [
        ENGLISH[f"heading.{name}"]
        for name in (
            "what_to_look_at",
            "caveats",
            "findings",
            "gates",
            "charts",
            *(("recommendation",) if TROUBLE.recommendation else ()),
            "steps",
            "errors",
            "server",
            "checks",
            "gpu",
            "notices",
            "analysis",
            "provenance",
        )
    ]
    assert [each.get("href") for each in page.xpath("//nav//a")] == [
        f"#{each.get('id')}" for each in page.xpath("//main//h2")
    ]


def test_what_broke_the_build_is_told_first_with_size_certainty_and_remedy() -> None:
    first = words_of(parsed(TROUBLE).xpath("//ol[@class='cards']/li")[0])
    broken = TROUBLE.steps[1].verdicts[0]
    assert first.startswith(f"✕ fail goodput >= 95% at concurrency <= 50 concurrency 50 {broken.because}.")
    assert "interval 88.12% to 92.74% at 95% confidence; n 1,600, effective n 663 (deff 2.41), 4 looks." in first
    assert first.endswith(f"To do {broken.remedy}.")


def test_a_clean_run_has_nothing_to_look_at() -> None:
    headings = [words_of(each) for each in parsed(CLEAN).xpath("//main//h2")]
    assert ENGLISH["heading.what_to_look_at"] not in headings
    assert ENGLISH["heading.caveats"] not in headings


def test_a_missing_figure_reads_n_a() -> None:
    (row,) = parsed(TROUBLE).xpath("//section[h2/@id='steps']//tr[th='concurrency 100']")
    assert [words_of(each) for each in row][4:9] == ["0%", "n/a", "n/a", "n/a", "n/a"]


def test_a_run_that_measured_nothing_is_short_and_says_why() -> None:
    run = replace(TROUBLE, target=None, steps=(), timeline=None, gpus=(), server=None, status=Status.ERROR, exit_code=5)
    run = replace(run, because="no server at host x")
    page = parsed(run)
    assert "no server at host x. nothing was measured. Exit code 5." in words_of(page.xpath("//main/section[1]")[0])
    assert not page.xpath("//figure | //script[@id='library']")


def test_a_page_speaks_the_language_of_its_texts() -> None:
    page = parsed(TROUBLE, KOREAN)
    assert page.get("lang") == "ko"
    assert words_of(page.xpath("//h1")[0]) == "✕ 실패 qwen3-14b-chat"
    assert "종료 코드 3" in words_of(page.xpath("//main/section[1]")[0])


# ---------------------------------------------------------------- structure


@pytest.mark.parametrize("run", RUNS)
def test_a_page_has_its_landmarks_and_headings_without_a_gap(run: RunResult) -> None:
    page = parsed(run)
    assert [each.tag for each in page.xpath("/html/body/*[not(self::script)]")] == ["a", "header", "main", "footer"]
    levels = [int(each.tag[1]) for each in page.xpath("//h1 | //h2 | //h3 | //h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    labels = page.xpath("//@aria-labelledby | //@aria-describedby")
    assert {name for label in labels for name in label.split()} <= set(page.xpath("//@id"))


@pytest.mark.parametrize("run", RUNS)
def test_every_table_has_headings_with_a_scope_and_scrolls_by_itself(run: RunResult) -> None:
    page = parsed(run)
    for table in page.xpath("//main//table"):
        (region,) = table.xpath("./ancestor::div[@role='region']")
        assert (region.get("role"), region.get("tabindex")) == ("region", "0")
        assert region.get("aria-labelledby") or region.get("aria-label")
        assert all(each.get("scope") in ("col", "row", "colgroup") for each in table.iter("th"))
        assert all(row.xpath("./th[@scope='row']") for row in table.xpath("./tbody/tr"))
        width = sum(int(each.get("colspan", 1)) for each in table.xpath("./thead/tr[1]/*"))
        assert {len(row) for row in table.xpath("./tbody/tr")} == {width or 2}


def test_every_chart_has_a_summary_and_its_data_as_a_table() -> None:
    page = parsed(CLEAN)
    charts = page.xpath("//figure")
    names = [each.get("id").removeprefix("chart-") for each in charts]
    assert names == [each.name for each in run_charts(CLEAN, ENGLISH)]
    assert set(names) == set(json.loads(unpacked(page, "specifications")))
    for chart in charts:
        assert words_of(chart.xpath("./figcaption")[0])
        assert chart.xpath("./details[@class='data']//tbody/tr/td")


@pytest.mark.parametrize(
    ("name", "headings"),
    [
        ("throughput", ["Output throughput (tok/s)", "TTFT p95 (ms)", "TPOT p95 (ms)"]),
        ("latency", ["TTFT (ms)", "TPOT (ms per token)", "E2E (ms)"]),
        ("timeline", ["In flight (requests)", "Output (tok/s)", "Errors (1/s)"]),
        ("server", ["running", "waiting", "in flight at the client", "KV cache (%)", "as the server counts"]),
        ("gpu", ["Utilisation (%)", "Memory in use (GiB)", "Temperature (°C)", "Power (W)"]),
    ],
)
def test_the_table_of_a_chart_has_the_data_of_every_view(name: str, headings: list[str]) -> None:
    (data,) = parsed(CLEAN).xpath(f"//figure[@id='chart-{name}']/details[@class='data']")
    told = {words_of(each) for each in data.iter("th", "td")}
    assert set(headings) <= told


def test_figures_below_a_chart_do_not_round_onto_others() -> None:
    metrics = replace(CLEAN.steps[0].metrics, goodput=0.99996, output_tps=12345.0)
    page = parsed(replace(CLEAN, steps=(replace(CLEAN.steps[0], metrics=metrics),)))
    told = {words_of(each) for each in page.xpath("//details[@class='data']//td")}
    assert {"99.996", "12,345"} <= told


def test_caveats_and_findings_speak_the_language_of_the_report() -> None:
    caveat = Caveat("client was late", "p99 heartbeat lateness 61ms, at most 10ms allowed", "")
    page = parsed(replace(CLEAN, caveats=(caveat,)), KOREAN)
    (rule,) = page.xpath("//section[h2/@id='caveats']//strong[1]")
    assert words_of(rule) == in_language(caveat.rule, KOREAN) != caveat.rule
