"""Server, GPUs and both sides of a figure read the same in Markdown and HTML, where somebody told something."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmload.domain import RunResult
from llmload.reporters import html, markdown, serving_sections
from llmload.reporters.texts import Language, texts_in
from llmload.reporters.wording import finding_cause, finding_remedy, finding_subject, finding_words
from llmload.samples import Source
from llmload.serving import Check, GpuFigures, ServerFigures
from llmload.verdict import Finding
from tests.recorded_runs import CLEAN, TROUBLE

ENGLISH, KOREAN = texts_in(Language.EN), texts_in(Language.KO)
GIB = 2**30


def run_of(
    server: ServerFigures | None = None, gpu: GpuFigures | None = None, checks: tuple[Check, ...] = ()
) -> RunResult:
    """One step of which this was told, and nothing over time."""
    step = replace(CLEAN.steps[1], server=server, gpu=gpu, checks=checks)
    return replace(CLEAN, steps=(step,), gpus=(), server=None, timeline=None)


def test_a_run_that_nobody_watched_has_none_of_the_sections() -> None:
    page, text = html.render(run_of(), ENGLISH).decode(), markdown.render(run_of(), ENGLISH)["report.md"].decode()
    for name in ("server", "checks", "gpu"):
        assert f'id="{name}"' not in page
        assert f"## {ENGLISH[f'heading.{name}']}" not in text


def test_columns_of_which_nobody_told_anything_are_left_out() -> None:
    log = ServerFigures(Source.LOG, running=31.0, waiting=0.0, waiting_max=4.0, kv_cache_share=0.5)
    table = serving_sections.server(run_of(log), ENGLISH)
    assert table.columns == ("Step", "Running (mean)", "Waiting (mean)", "Waiting (most)", "KV cache (peak)")
    assert table.rows == (("concurrency 8", "31", "0", "4", "50%"),)
    assert serving_sections.server(run_of(ServerFigures(Source.METRICS)), ENGLISH).rows == ()


def test_a_note_says_who_told_the_figures_and_at_which_steps_where_several_did() -> None:
    assert serving_sections.server_note(run_of(), ENGLISH) == ""
    assert serving_sections.server_note(CLEAN, ENGLISH).startswith("As the server's metrics page tells. Running")
    assert "As the server's log tells at concurrency 100." in serving_sections.server_note(TROUBLE, ENGLISH)


def test_gpus_tell_energy_per_token_and_what_slowed_them_down() -> None:
    figures = GpuFigures(2, 0.5, 64 * GIB, 81.0, 1300.5, 26_010.0, 0.1519, 0.25, ("too hot", "power cap"))
    english, korean = (serving_sections.gpu_steps(run_of(gpu=figures), texts) for texts in (ENGLISH, KOREAN))
    assert english.rows == (
        ("concurrency 8", "50%", "64", "81", "1,300", "26.0", "0.152", "25%", "too hot, power cap"),
    )
    assert english.words == {len(english.columns) - 1}
    assert korean.rows[0][-1] == "과열, 전력 한도"


def test_a_gpu_that_told_nothing_at_a_step_has_no_row() -> None:
    assert serving_sections.gpu_steps(run_of(gpu=GpuFigures(1)), ENGLISH).rows == ()
    assert [row[0] for row in serving_sections.gpu_steps(TROUBLE, ENGLISH).rows] == ["concurrency 1", "concurrency 50"]


@pytest.mark.parametrize(
    ("check", "cells"),
    [
        pytest.param(
            Check("requests", "", 208, 412, 0.05), ("Requests", "208", "412", "−49.5%", "5%"), id="fewer at the client"
        ),
        pytest.param(
            Check("ttft", "ms", 70.25, 20.5, 0.1, 5.0),
            ("Mean TTFT (ms)", "70.2", "20.5", "+70.8%", "10% or 5 ms"),
            id="longer at the client",
        ),
        pytest.param(
            Check("output_tokens", "tokens", 100_000, 94_999, 0.05),
            ("Output tokens", "100,000", "94,999", "+5%", "5%"),
            id="hardly over the limit",
        ),
        pytest.param(
            Check("rows", "", 1, 0, 0.05), ("rows", "1", "0", "+100%", "5%"), id="a figure of no name that we know"
        ),
    ],
)
def test_figures_that_differ_tell_both_sides_their_difference_and_what_is_allowed(
    check: Check, cells: tuple[str, ...]
) -> None:
    told = serving_sections.checked(run_of(checks=(check,)), ENGLISH)
    assert told.words == "Client and server agree on 0 of 1 figure that both have"
    assert told.apart.rows == (("concurrency 8", *cells),)
    assert told.by_step.rows[0][1].startswith("✕ ")


def test_every_figure_of_both_sides_stands_in_the_row_of_its_step() -> None:
    told = serving_sections.checked(CLEAN, ENGLISH)
    assert told.apart.rows == ()
    assert told.by_step.columns[1:4] == ("Requests", "Input tokens", "Output tokens")
    assert told.by_step.rows[0][:2] == ("concurrency 1", "108 / 108 (0%)")
    assert told.by_step.rows[0][4] == "19.0 / 18.4 (+3%)"
    assert len(told.by_step.rows) == len(CLEAN.steps)


def test_a_finding_tells_where_and_why_and_whose_the_figures_are() -> None:
    traffic, queue = TROUBLE.findings[2:4]
    assert finding_subject(traffic, ENGLISH) == "requests at concurrency 50 (other traffic)"
    assert finding_words(traffic, ENGLISH).startswith("client 1,702 requests, server 2,110 requests. The server had")
    allowed = "expected at most 133.5ms, 20% of TTFT, found 412.6ms. Requests wait"
    assert finding_words(queue, ENGLISH).startswith(allowed)
    assert finding_subject(traffic, KOREAN) == "요청 수, 동시성 50 (다른 트래픽)"


def test_what_to_do_about_a_finding_stands_apart_from_its_cause() -> None:
    traffic = TROUBLE.findings[2]
    assert finding_cause(traffic, ENGLISH).endswith("output tokens 204,160 / 262,144")
    assert finding_remedy(traffic, ENGLISH) == "Measure on a server that nobody else uses"
    assert finding_words(traffic, ENGLISH).endswith("262,144. Measure on a server that nobody else uses")
    assert finding_remedy(traffic, KOREAN) == "다른 곳에서 쓰지 않는 서버에서 측정하세요"


def test_a_cause_that_is_not_ours_is_left_whole() -> None:
    odd = Finding("moon", "full", "new", "it wanes; wait", kind="[red]moon")
    assert (finding_cause(odd, ENGLISH), finding_remedy(odd, ENGLISH)) == ("It wanes; wait", "")


def test_a_finding_of_a_kind_that_we_do_not_know_is_told_without_it() -> None:
    odd = Finding("moon", "full", "new", "it wanes", kind="[red]moon")
    assert finding_subject(odd, ENGLISH) == "moon"
    assert finding_words(odd, KOREAN) == "예상 full, 실제 new. It wanes"


def test_findings_come_before_the_tables_of_figures() -> None:
    for text in (html.render(TROUBLE, ENGLISH).decode(), markdown.render(TROUBLE, ENGLISH)["report.md"].decode()):
        where = [
            text.index(f">{name}</h2>" if "<h2" in text else f"## {name}") for name in ("Findings", "Gates", "Steps")
        ]
        assert where == sorted(where)
