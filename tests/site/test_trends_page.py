"""The page of a scenario's trend, and its twin for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from llmload.analysis.trend import Accepted, Trend
from llmload.baseline import Estimate, PastRun
from llmload.domain import RunResult
from llmload.reporters.texts import Language, texts_in
from llmload.reporters.trend_chart import OverRuns, trend_chart
from llmload.scenario.asked import Scenario
from llmload.scenario.loader import load_text
from llmload.store.database import open_store
from llmload.store.trends import history_of, trends_at
from tests.recorded_runs import CLEAN, HOSTILE
from tests.site.asked import ask

DOCUMENT = """
apiVersion: llmload/v1
kind: Scenario
metadata: {name: chat}
spec:
  target: {url: "http://127.0.0.1:8000", model: tiny, framework: vllm}
  workload: {prompts: {synthetic: {input_tokens: 512, output_tokens: 4}}}
  load: {concurrency: [1, 8, 32], requests: 300}
  slo: {ttft: 500ms}
  gates: ["p95(ttft) <= 1s at concurrency == 8"]
"""
HOME = {"workload": "w1", "load": "l1", "gpu": "L4"}
ODD = "a/b ?x=1&y #<script>%2F"


def result_of(scenario: str, day: int, ttft_ms: float, gpu: str = "L4") -> RunResult:
    """A run of this day of a month. Every seventh one did not come as far as the step of 32."""
    document = load_text(DOCUMENT, "chat.yaml", env={}, directory=Path()).document
    header = replace(
        CLEAN.header,
        run_id=f"{scenario[:4]}-{day:02}",
        scenario=scenario,
        created=f"2026-02-{day:02}T08:00:00.000Z",
        document_text=document.text,
        resolved=document.resolved,
        environment={"git_commit": f"{day:02}c0ffee" * 5},
    )
    figures = {"p50(ttft)": Estimate(ttft_ms), "goodput": Estimate(1.0), "p99(e2e)": Estimate(9.0 * ttft_ms)}
    steps = tuple(replace(step, estimates=figures) for step in CLEAN.steps[: 2 if day % 7 == 0 else 3])
    return replace(CLEAN, header=header, fingerprint={**HOME, "gpu": gpu}, steps=steps)


def remember(path: Path, results: Sequence[RunResult]) -> Path:
    with open_store(path) as store:
        for result in results:
            store.begin(result.header)
            store.finish(result.header.run_id, result, "finished")
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs whose TTFT rises by 30 % on the eleventh day, on another GPU; one scenario of an odd name, one empty."""
    noise = [1 + 0.01 * ((7 * day) % 5 - 2) for day in range(1, 21)]
    chat = [
        result_of("chat", day, (100.0 if day < 11 else 130.0) * noise[day - 1], "L4" if day < 11 else "H100")
        for day in range(1, 21)
    ]
    other = replace(chat[0], header=replace(chat[0].header, run_id="early"), fingerprint={**HOME, "load": "l0"})
    lost = replace(chat[1], header=replace(chat[1].header, run_id="lost"), exit_code=5)
    empty = replace(chat[2], header=replace(chat[2].header, run_id="never", scenario="empty"), exit_code=5, steps=())
    odd = [result_of(ODD, day, 50.0) for day in (1, 2)]
    odd = [replace(each, header=replace(each.header, resolved='{"from": "another version"}')) for each in odd]
    return remember(tmp_path_factory.mktemp("trends") / "llmload.db", [other, lost, empty, *odd, *chat])


def test_a_shift_is_told_with_its_size_its_run_and_what_changed(store: Path) -> None:
    (page,) = ask(store, "/trends/chat")
    assert page.status_code == 200
    card = page.text.partition('id="shifts"')[2].partition("</li>")[0]
    assert "+30." in card
    assert '<a href="../benchmark/chat-11">' in card
    assert "gpu: L4 → H100" in card
    assert 'href="../compare?runs=chat-10,chat-11"' in card
    assert "Left out: 1 that could not measure" in page.text
    assert "Left out: 1 with another load" in page.text
    assert page.text.count('<figure class="chart"') == 2  # nobody remembers a throughput or a TPOT


def test_every_run_is_in_the_table_newest_first_and_a_missing_figure_is_a_gap(store: Path) -> None:
    (page,) = ask(store, "/trends/chat?at=concurrency+32&metric=p99(e2e)")
    rows = page.text.partition('id="runs"')[2].split("<tr>")[2:]
    assert len(rows) == 20
    assert "chat-20" in rows[0]
    assert [place for place, row in enumerate(rows) if "n/a" in row] == [6, 13]  # days 14 and 7


def test_programs_get_what_is_shown(store: Path) -> None:
    (answer,) = ask(store, "/trends/chat.json?at=at%20concurrency%208&metric=p99(e2e)")
    told = json.loads(answer.text, parse_constant=pytest.fail)
    (trend,) = told["trends"]
    assert (told["scenario"], told["runs"], trend["step"], trend["figure"]) == ("chat", 20, "concurrency 8", "p99(e2e)")
    assert len(trend["points"]) == 20
    assert trend["shifts"][0]["run_id"] == "chat-11"


def test_a_choice_is_kept_in_the_form(store: Path) -> None:
    (page,) = ask(store, "/trends/chat?at=concurrency+1&metric=goodput&lang=ko")
    assert '<option value="goodput" selected>' in page.text
    assert '<option value="concurrency 1" selected>' in page.text
    assert '<input type="hidden" name="lang" value="ko">' in page.text
    assert 'action="../trends/chat"' in page.text


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        pytest.param("nobody", 404, "There is no run of the scenario nobody", id="no such scenario"),
        pytest.param("chat?metric=speed", 400, "No run is remembered by speed", id="no such figure"),
        pytest.param("chat?at=concurrency+9", 400, "There is no step concurrency 9", id="no such step"),
        pytest.param("%3Cscript%3E", 404, "There is no run of the scenario &lt;script&gt;", id="markup"),
        pytest.param("%00%ED%A0%80", 404, "There is no run of the scenario", id="no text at all"),
    ],
)
def test_what_there_is_not_is_told(store: Path, path: str, status: int, words: str) -> None:
    (page,) = ask(store, f"/trends/{path}")
    assert page.status_code == status
    assert words in page.text


def test_a_scenario_without_figures_has_a_page_that_says_so(store: Path) -> None:
    page, document = ask(store, "/trends/empty", "/trends/empty.json")
    assert (page.status_code, document.status_code) == (200, 404)
    assert "No run of empty has ended with figures yet" in page.text
    assert 'href="../?scenario=empty"' in page.text


def test_a_name_that_no_address_can_have_is_quoted(store: Path) -> None:
    (page,) = ask(store, f"/trends/{quote(ODD, safe='')}")
    assert page.status_code == 200
    assert "<script>%2F" not in page.text
    assert f'action="../trends/{quote(ODD, safe="")}"' in page.text


def test_the_newest_runs_are_looked_at_and_no_others(store: Path) -> None:
    with open_store(store) as opened:
        history = history_of(opened, "chat", ("goodput",), 5)
    assert history is not None
    assert [run.past.run_id for run in history.runs] == [f"chat-{day}" for day in range(16, 21)]


def test_who_gives_accepted_shifts_sees_them_marked_and_the_site_gives_none(store: Path) -> None:
    def accepted(scenario: Scenario, fingerprint: object) -> list[Accepted]:
        assert scenario.name == "chat"
        return [Accepted("2026-02-11T08:00:00.000Z", "a longer template")]

    with open_store(store) as opened:
        history = history_of(opened, "chat", ("p50(ttft)",), 200)
        assert history is not None
        (known,) = trends_at(opened, history, ("concurrency 8",), ("p50(ttft)",), accepted).trends
        (unknown,) = trends_at(opened, history, ("concurrency 8",), ("p50(ttft)",)).trends
    assert [shift.accepted for shift in known.shifts] == ["a longer template"]
    assert [shift.accepted for shift in unknown.shifts] == [None]


def test_a_chart_keeps_to_instants_that_can_be_read_and_leaves_a_gap_for_a_missing_value() -> None:
    runs = [PastRun(f"r{day}", f"2026-02-0{day}T08:00:00Z", "", {}) for day in (1, 2, 3)]
    runs.append(PastRun(HOSTILE, "sometime", "", {}))
    trend = Trend("concurrency 8", "goodput", (runs[0], runs[2], runs[3]), (0.5, 1.0, 1.0), (), 1)
    texts = texts_in(Language.EN)
    chart = trend_chart(OverRuns("trend-0", trend, runs, lambda run_id: f"run/{quote(run_id, safe='')}"), texts)
    assert chart is not None
    (line, *_) = chart.spec["layer"]  # type: ignore[misc]  # a list of views, as Vega-Lite wants it
    values = line["data"]["values"]
    assert [(row["run"], row["value"], row["href"]) for row in values] == [
        ("r1", 50.0, "run/r1"),
        ("r2", None, "run/r2"),
        ("r3", 100.0, "run/r3"),
    ]
    unreadable = replace(trend, runs=(runs[3],), values=(1.0,))
    assert trend_chart(OverRuns("trend-0", unreadable, runs[3:], str), texts) is None
