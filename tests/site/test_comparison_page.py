"""The page of runs side by side, and its twin for programs."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest

from tests.recorded_comparisons import ADVISED, REGRESSED
from tests.recorded_runs import CLEAN
from tests.site.asked import ask
from tests.site.stores import FAILED, RUNNING

FIRST, SECOND, THIRD = CLEAN.header.run_id, REGRESSED.header.run_id, ADVISED.header.run_id
RUNS = f"{FIRST},{SECOND},{THIRD}"


def test_runs_are_held_against_the_first_at_every_load_they_share(filled: Path) -> None:
    (page,) = ask(filled, f"/compare?runs={RUNS}")
    assert page.status_code == 200
    assert page.headers["cache-control"] == "max-age=60"
    for run in (FIRST, SECOND, THIRD):
        assert f'href="benchmark/{run}"' in page.text
    assert re.findall(r'<h3 id="load-\d+">(.*?)</h3>', page.text) == ["concurrency 8", "concurrency 32"]
    loads = page.text.partition('id="loads"')[2].partition('<h2 id="')[0]
    assert loads.count('class="panel"') == loads.count("<h4>") > 9
    assert loads.count('<span class="who">A</span>') == loads.count('<span class="who">B</span>')
    assert 'class="swatch"' in loads
    assert "qwen3-14b" in loads


def test_check_boxes_and_commas_name_the_same_runs(filled: Path) -> None:
    by_commas, by_boxes = ask(filled, f"/compare.json?runs={RUNS}", f"/compare.json?runs={FIRST},{SECOND}&runs={THIRD}")
    assert by_commas.json() == by_boxes.json()
    assert [run["run_id"] for run in by_boxes.json()["runs"]] == [FIRST, SECOND, THIRD]


def test_another_run_can_be_the_first(filled: Path) -> None:
    (document,) = ask(filled, f"/compare.json?runs={RUNS}&first={THIRD}")
    assert [run["run_id"] for run in document.json()["runs"]] == [THIRD, FIRST, SECOND]


def test_programs_get_the_best_of_each_and_every_load(filled: Path) -> None:
    (answer,) = ask(filled, f"/compare.json?runs={FIRST},20260201-080000-00000001,20260202-080000-00000002")
    told = json.loads(answer.text, parse_constant=pytest.fail)
    at_120 = {"label": "concurrency 120", "axis": "concurrency", "value": 120}
    assert told["run_count"] == 3
    assert told["best_throughput"] == {"run_id": FIRST, "output_tps": 4310, "at": at_120}
    assert (told["best_ttft"]["run_id"], told["best_ttft"]["ttft_p50_ms"]) == (FIRST, 18.25)
    assert [each["at"]["value"] for each in told["by_concurrency"]] == [1, 8, 32, 64, 120, 160]
    first, second, _ = told["by_concurrency"][0]["runs"]
    assert (first["model"], first["ttft_p50_ms"], first["against_first"]) == ("qwen3-14b", 18.25, None)
    assert second["against_first"]["output_tps"]["verdict"] == "undecided"
    assert second["goodput_low"] <= second["goodput"] <= second["goodput_high"]
    assert told["comparison"]["apiVersion"] == "llmload/comparison/v1"
    assert len(told["comparison"]["runs"]) == 3


def test_a_figure_that_a_run_lacks_is_null_and_its_bar_a_gap(filled: Path) -> None:
    query = f"runs={SECOND},{FIRST}"  # of the first nobody remembers an end to end latency
    page, answer = ask(filled, f"/compare?{query}", f"/compare.json?{query}")
    (load,) = answer.json()["by_concurrency"]
    assert load["at"]["label"] == "concurrency 8"
    first, second = load["runs"]
    assert (first["e2e_p50_ms"], second["against_first"]["e2e_p50_ms"]["difference"]) == (None, None)
    assert second["e2e_p50_ms"] > 0
    panel = page.text.partition("<h4><code>p50(e2e)</code></h4>")[2].partition("</li>")[0]
    assert "n/a" in panel
    assert 'class="length"' not in panel


def test_a_comparison_of_nothing_yet_is_a_form_and_no_fault(filled: Path) -> None:
    page, document = ask(filled, "/compare", "/compare.json")
    assert (page.status_code, document.status_code) == (200, 400)
    assert "<h1>Compare runs</h1>" in page.text
    assert 'type="checkbox"' in page.text
    assert "refusal" not in page.text


def test_a_comparison_is_called_by_its_scenarios_and_days(filled: Path) -> None:
    same, other, korean = ask(
        filled,
        f"/compare?runs={FIRST},{SECOND}",
        f"/compare?runs={FIRST},20260201-080000-00000001",
        f"/compare?runs={FIRST},20260201-080000-00000001&lang=ko",
    )
    assert title_of(same.text) == "Comparison: quickstart, regression, 2 runs of 2026-03-01 · llmload"
    assert title_of(other.text) == "Comparison: quickstart, 2 runs of 2026-02-01 to 2026-03-01 · llmload"
    assert title_of(korean.text) == "비교: quickstart, 실행 2건, 2026-02-01 ~ 2026-03-01 · llmload"


def title_of(page: str) -> str:
    return html.unescape(page.partition("<title>")[2].partition("</title>")[0])


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        pytest.param(f"?runs={FIRST}", 400, "Two runs or more", id="one run"),
        pytest.param(f"?runs={FIRST},{FIRST}", 400, "named twice", id="the same run twice"),
        pytest.param(f"?runs={FIRST},nobody", 404, "There is no such run: nobody", id="unknown"),
        pytest.param(f"?runs={FIRST},{RUNNING}", 400, "no figures to compare yet", id="goes on"),
        pytest.param(f"?runs={FIRST},{FAILED}", 400, "no figures to compare yet", id="broke"),
        pytest.param("?runs=" + ",".join(map(str, range(7))), 400, "At most 6 runs", id="too many"),
        pytest.param("?runs=" + ",".join(map(str, range(4000))), 400, "At most 6 runs", id="far too many"),
        pytest.param("?" + "&".join(f"runs={n}" for n in range(900)), 400, "At most 6 runs", id="too many boxes"),
        pytest.param(f"?runs={FIRST},{'x' * 5000}", 404, "There is no such run: xxx", id="a long id"),
        pytest.param("?runs=%3Cscript%3E,%27%20OR%201=1--", 404, "There is no such run", id="a hostile id"),
        pytest.param("?runs=%00,%ED%A0%80", 404, "There is no such run", id="no text at all"),
    ],
)
def test_what_cannot_be_compared_is_told_with_runs_to_choose_from(
    filled: Path, query: str, status: int, words: str
) -> None:
    page, document = ask(filled, f"/compare{query}", f"/compare.json{query}")
    assert (page.status_code, document.status_code) == (status, status)
    assert words in page.text
    assert "<script>" not in page.text
    assert 'type="checkbox"' in page.text
    assert "To do" in page.text


def test_a_choice_keeps_what_was_chosen_and_the_language(filled: Path) -> None:
    (page,) = ask(filled, f"/compare?runs={FIRST}&lang=ko")
    assert f'value="{FIRST}" checked' in page.text
    assert '<input type="hidden" name="lang" value="ko">' in page.text
    assert "둘 이상의 실행을 비교할 수 있습니다" in page.text
