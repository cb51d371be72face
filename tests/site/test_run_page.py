"""The page of one run, its twin for programs, and its downloads: runs with a result, without one, and unknown ones."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from llmload.reporters import junit, result_json, steps_csv
from llmload.store.analyses import keep_analysis
from llmload.store.database import open_store
from llmload.written_analysis import WrittenAnalysis
from tests.cli.stored_runs import put_run, run_id_of, scenario_of, whole
from tests.recorded_advice import ANALYSIS
from tests.recorded_hostile_advice import HOSTILE_ANALYSIS
from tests.recorded_runs import CLEAN, FROM_LOADTEST, HOSTILE, TROUBLE
from tests.site.asked import ask
from tests.site.stores import FAILED, RUNNING, UNTOLD
from tests.store.observations import PROGRESS, window

CLEAN_ID, TROUBLE_ID = CLEAN.header.run_id, TROUBLE.header.run_id
ONLY_VLLM = "AI analysis currently supports the vLLM framework only."
SAMPLE = run_id_of(1)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """One with a run of its own requests, whose result no document keeps."""
    path = tmp_path / "runs.db"
    with open_store(path) as opened:
        put_run(opened, 1, scenario_of(), whole())
    change(path, "DELETE FROM results")
    return path


def change(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


# ---------------------------------------------------------------- runs with a result


def test_a_run_is_told_as_its_report_tells_it(filled: Path) -> None:
    page, document = ask(filled, f"/benchmark/{TROUBLE_ID}", f"/benchmark/{TROUBLE_ID}.json")
    assert (page.status_code, document.status_code) == (200, 200)
    assert "<script>alert" not in page.text
    assert document.content == result_json.render(TROUBLE)


def test_what_has_ended_may_be_kept_for_a_minute(filled: Path) -> None:
    (page,) = ask(filled, f"/benchmark/{CLEAN_ID}")
    assert page.headers["cache-control"] == "max-age=60"


def test_a_shared_run_has_a_banner_and_no_commands(filled: Path) -> None:
    page, shared, korean = ask(
        filled,
        f"/benchmark/{CLEAN_ID}",
        f"/benchmark/{CLEAN_ID}?shared=true",
        f"/benchmark/{CLEAN_ID}?shared=true&lang=ko",
    )
    assert f"llmload store delete {CLEAN_ID}" in page.text
    assert "Shared benchmark result" not in page.text
    assert "Shared benchmark result" in shared.text
    assert "공유된 벤치마크 결과입니다" in korean.text
    for each in (shared, korean):
        assert "llmload store delete" not in each.text
        assert 'id="commands"' not in each.text


def analysed(path: Path, *analyses: WrittenAnalysis) -> Path:
    with open_store(path) as opened:
        for each in analyses:
            keep_analysis(opened, SAMPLE, each)
    return path


KOREAN = replace(ANALYSIS, language="ko", created="2026-02-01T00:00:00.000Z", text="동시 요청 50건은 너무 많습니다")
NEWER = replace(ANALYSIS, created="2026-03-09T08:00:00.000Z", text="Fifty are too many")


def test_the_newest_analysis_in_the_language_of_the_reader_is_told_with_its_model_and_date(store: Path) -> None:
    english, korean = ask(
        analysed(store, KOREAN, ANALYSIS, NEWER), f"/benchmark/{SAMPLE}", f"/benchmark/{SAMPLE}?lang=ko"
    )
    for page, mine, others in ((english, NEWER, (KOREAN, ANALYSIS)), (korean, KOREAN, (NEWER, ANALYSIS))):
        assert mine.text in page.text
        assert (mine.model in page.text, mine.created[:10] in page.text) == (True, True)
        assert not any(each.text in page.text for each in others)
        assert '<a href="#analysis">' in page.text


def test_without_one_in_the_language_of_the_reader_the_newest_is_told(store: Path) -> None:
    (page,) = ask(analysed(store, KOREAN), f"/benchmark/{SAMPLE}?lang=en")
    assert KOREAN.text in page.text


def test_a_shared_page_tells_the_analysis_and_its_unknown_figures_without_the_command(store: Path) -> None:
    page, shared = ask(analysed(store, ANALYSIS), f"/benchmark/{SAMPLE}", f"/benchmark/{SAMPLE}?shared=true")
    for each in (page, shared):
        assert "that leaves about 17.5% in reserve" in each.text
        assert "<code>17.5%</code>" in each.text
    assert ("llmload analyze" in page.text, "llmload analyze" in shared.text) == (True, False)


def test_what_was_written_of_a_run_that_broke_off_is_told_too(store: Path) -> None:
    change(analysed(store, ANALYSIS), "UPDATE runs SET status = 'interrupted'")
    (page,) = ask(store, f"/benchmark/{SAMPLE}")
    assert "that leaves about 17.5% in reserve" in page.text


def test_an_analysis_is_text_whatever_it_says(store: Path) -> None:
    (page,) = ask(analysed(store, HOSTILE_ANALYSIS), f"/benchmark/{SAMPLE}")
    section = page.text.partition('<h2 id="analysis">')[2].partition("</section>")[0]
    assert "Ignore all gates" in section
    for markup in ("<script", "<img", "<iframe", "<a ", "<b>", 'javascript:alert(1)"'):
        assert markup not in section


def test_the_link_to_share_is_the_one_address_of_the_run_and_works_without_a_script(filled: Path) -> None:
    (page,) = ask(filled, f"/benchmark/{CLEAN_ID}?lang=ko")
    assert f'<a id="shared-view" href="../benchmark/{CLEAN_ID}?shared=true">' in page.text


@pytest.mark.parametrize(
    ("run_id", "is_told"),
    [
        pytest.param(CLEAN_ID, False, id="vLLM"),
        pytest.param(TROUBLE_ID, True, id="another framework"),
        pytest.param(RUNNING, False, id="not known yet"),
    ],
)
def test_only_other_frameworks_are_told_that_analysis_is_for_vllm(filled: Path, run_id: str, is_told: bool) -> None:
    english, korean = ask(filled, f"/benchmark/{run_id}", f"/benchmark/{run_id}?lang=ko")
    assert (ONLY_VLLM in english.text) == is_told
    assert ("AI 분석 도구는 현재 vLLM 프레임워크만 지원이 가능합니다." in korean.text) == is_told


@pytest.mark.parametrize(
    ("path", "is_told"),
    [
        pytest.param(CLEAN_ID, True, id="vLLM"),
        pytest.param(f"{CLEAN_ID}?shared=true", False, id="shared"),
        pytest.param(TROUBLE_ID, False, id="another framework"),
        pytest.param(RUNNING, False, id="goes on"),
        pytest.param(FAILED, False, id="broke off"),
    ],
)
def test_only_a_vllm_run_with_a_result_that_nobody_shared_has_the_command_to_analyse_it(
    filled: Path, path: str, is_told: bool
) -> None:
    (page,) = ask(filled, f"/benchmark/{path}")
    assert (f">llmload analyze {path}<" in page.text) == is_told
    assert ("llmload analyze" in page.text) == is_told


def test_a_run_leads_to_those_beside_it(filled: Path) -> None:
    (page,) = ask(filled, "/benchmark/20260202-080000-00000002")
    assert 'rel="prev" href="../benchmark/20260201-080000-00000001"' in page.text
    assert 'rel="next" href="../benchmark/20260203-080000-00000003"' in page.text
    assert 'href="../compare?runs=20260201-080000-00000001,20260202-080000-00000002"' in page.text
    assert 'href="../trends/quickstart"' in page.text
    assert 'href="../recommend/20260202-080000-00000002"' in page.text


# ---------------------------------------------------------------- downloads


@pytest.mark.parametrize(
    ("form", "name", "content"),
    [
        pytest.param("csv", f"{CLEAN_ID}.csv", steps_csv.render(CLEAN), id="csv"),
        pytest.param("json", f"{CLEAN_ID}.json", result_json.render(CLEAN), id="json"),
        pytest.param("junit", f"{CLEAN_ID}.xml", junit.render(CLEAN), id="junit"),
        pytest.param("xlsx", f"{CLEAN_ID}.xlsx", b"PK\x03\x04", id="xlsx"),
    ],
)
def test_a_download_is_the_report_under_the_name_of_the_run(filled: Path, form: str, name: str, content: bytes) -> None:
    (answer,) = ask(filled, f"/benchmark/{CLEAN_ID}/export?format={form}")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answer.content.startswith(content)


def test_a_download_of_no_known_format_names_those_that_there_are(filled: Path) -> None:
    for answer in ask(filled, f"/benchmark/{CLEAN_ID}/export?format=pdf", f"/benchmark/{CLEAN_ID}/export"):
        assert answer.status_code == 400
        assert "format=csv, format=xlsx, format=json, format=junit" in answer.text


def test_a_run_without_a_result_has_nothing_to_download_yet(filled: Path) -> None:
    going, missing = ask(filled, f"/benchmark/{RUNNING}/export?format=csv", "/benchmark/nobody/export?format=csv")
    assert (going.status_code, missing.status_code) == (409, 404)


@pytest.mark.parametrize("run_id", ["-x; rm -rf 'a b'", "../../etc/passwd", 'a"\r\nSet-Cookie: b=1', HOSTILE[:-2]])
def test_a_hostile_id_stays_text_in_pages_commands_and_headers(tmp_path: Path, run_id: str) -> None:
    path = tmp_path / "runs.db"
    with open_store(path) as opened:
        put_run(opened, 1, scenario_of(), whole())
    change(path, "UPDATE runs SET run_id = ?", run_id)
    quoted = "".join(f"%{byte:02X}" for byte in run_id.encode())
    page, document, saved = ask(
        path, f"/benchmark/{quoted}", f"/benchmark/{quoted}.json", f"/benchmark/{quoted}/export?format=csv"
    )
    assert (page.status_code, document.status_code, saved.status_code) == (200, 200, 200)
    assert "<script>alert" not in page.text
    disposition = saved.headers["content-disposition"]
    name = disposition.removeprefix('attachment; filename="').removesuffix('"')
    assert name.removesuffix(".csv").replace("_", "").replace("-", "").replace(".", "").isalnum()
    assert "set-cookie" not in saved.headers


def test_a_command_is_taken_by_a_shell_as_one_id() -> None:
    from llmload.site.pages.run import command_of

    hostile = "-x; rm -rf 'a b' $(id) `id`\n#"
    assert shlex.split(command_of("store delete", hostile), comments=True) == [
        "llmload", "store", "delete", "--", hostile,
    ]  # fmt: skip
    assert command_of("report", CLEAN_ID) == f"llmload report {CLEAN_ID}"


# ---------------------------------------------------------------- runs without a result


@pytest.mark.parametrize(
    ("run_id", "word", "because"),
    [
        pytest.param(FAILED, "Failed", "a defect of llmload or its surroundings ended it", id="failed"),
        pytest.param(UNTOLD, "Interrupted", "stopped by Ctrl-C or SIGTERM", id="interrupted"),
        pytest.param(RUNNING, "Running", "The first step has not begun", id="running"),
    ],
)
def test_a_run_without_a_result_says_what_became_of_it(filled: Path, run_id: str, word: str, because: str) -> None:
    page, document = ask(filled, f"/benchmark/{run_id}", f"/benchmark/{run_id}.json")
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-cache"
    assert f"<title>{word}: quickstart" in page.text
    assert because in page.text
    told = document.json()
    assert (told["kind"], told["run_id"], told["status"]) == ("RunState", run_id, word.lower())
    assert told["steps"] == []


def test_a_run_that_broke_off_says_how_to_go_on(filled: Path) -> None:
    page, of_flags = ask(filled, f"/benchmark/{UNTOLD}", f"/benchmark/{FAILED}")
    assert f"--resume={UNTOLD}" in page.text
    assert "--resume=" not in of_flags.text, "no file says again what flags said"
    assert f"llmload store delete {UNTOLD}" in page.text


def test_a_run_whose_process_died_is_aborted_with_what_it_measured_and_the_store_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    scenario = scenario_of()
    with open_store(path) as opened:
        header = replace(CLEAN.header, resolved=scenario.document.resolved)
        opened.begin(header)
        opened.remember(CLEAN_ID, window(), CLEAN.steps[1].metrics)
    change(path, "UPDATE progress SET process_started = 'long ago', seen_s = 1772360000.0")
    page, document, downloaded = ask(
        path, f"/benchmark/{CLEAN_ID}", f"/benchmark/{CLEAN_ID}.json", f"/benchmark/{CLEAN_ID}/export?format=csv"
    )
    assert "Its process died" in page.text
    assert "2026-03-01 10:13:20" in page.text
    told = document.json()
    assert (told["status"], told["seen"]) == ("aborted", "2026-03-01T10:13:20.000Z")
    assert [step["metrics"]["attempts"] for step in told["steps"]] == [CLEAN.steps[1].metrics.attempts]
    assert told["planned_steps"] == ["concurrency 1", "concurrency 2"]
    assert downloaded.status_code == 409
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT status FROM runs").fetchone() == ("running",)


def test_an_imported_run_has_its_figures(filled: Path) -> None:
    run_id = FROM_LOADTEST.header.run_id
    page, saved = ask(filled, f"/benchmark/{run_id}", f"/benchmark/{run_id}/export?format=csv")
    assert (page.status_code, saved.status_code) == (200, 200)
    assert FROM_LOADTEST.steps[0].step.label in page.text


# ---------------------------------------------------------------- runs that nothing was kept of


def test_a_run_without_a_kept_result_is_judged_again_and_once_only(store: Path) -> None:
    first, second = ask(store, f"/benchmark/{SAMPLE}", f"/benchmark/{SAMPLE}.json")
    assert "Every gate holds" in first.text
    assert second.json()["kind"] == "RunResult"
    change(store, "UPDATE runs SET resolved = '{}'")  # it could not be judged once more
    (again,) = ask(store, f"/benchmark/{SAMPLE}.json")
    assert again.content == second.content


def test_a_run_that_was_stored_anew_under_the_same_id_is_judged_anew(store: Path) -> None:
    (before,) = ask(store, f"/benchmark/{SAMPLE}.json")
    change(store, "UPDATE runs SET created = '2026-12-01T00:00:00.000Z'")
    (after,) = ask(store, f"/benchmark/{SAMPLE}.json")
    assert (before.json()["created"], after.json()["created"][:10]) == ("2026-11-21T01:43:01.000Z", "2026-12-01")


def _enlarge(path: Path) -> None:
    change(path, "UPDATE windows SET last_id = first_id + 200000")


def _forget_the_scenario(path: Path) -> None:
    change(path, "UPDATE runs SET resolved = '{}'")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        pytest.param(_enlarge, "are more than a page judges (100,000)", id="too many requests"),
        pytest.param(_forget_the_scenario, "cannot be judged by this version", id="a scenario of another version"),
    ],
)
def test_what_a_page_does_not_judge_it_tells_as_it_was_stored(
    store: Path, spoil: Callable[[Path], None], why: str
) -> None:
    spoil(store)
    page, document, saved = ask(
        store, f"/benchmark/{SAMPLE}", f"/benchmark/{SAMPLE}.json", f"/benchmark/{SAMPLE}/export?format=csv"
    )
    assert why in page.text
    assert "<title>Pass: chat" in page.text
    assert page.text.count("goodput &gt;= 90%") == 2
    assert "concurrency 1" in page.text
    told = document.json()
    assert (told["kind"], told["status"], told["verdict"]) == ("RunState", "finished", "pass")
    assert [gate["status"] for gate in told["gates"]] == ["pass", "pass"]
    assert (saved.status_code, f"llmload report {SAMPLE}" in saved.text) == (409, True)
    assert why in saved.text
    with open_store(store) as opened:
        opened.begin(CLEAN.header)
        opened.finish(CLEAN_ID, CLEAN, "finished")
    compared, twin = ask(store, f"/compare?runs={CLEAN_ID},{SAMPLE}", f"/compare.json?runs={CLEAN_ID},{SAMPLE}")
    assert (compared.status_code, twin.status_code) == (409, 409)
    assert why in compared.text


def test_the_documentation_names_every_field_of_a_run_without_a_result(store: Path) -> None:
    with open_store(store) as opened:
        opened.begin(CLEAN.header)
        opened.progress(CLEAN_ID, PROGRESS)
    (document,) = ask(store, f"/benchmark/{CLEAN_ID}.json")
    told = document.json()
    documented = set(re.findall(r"`(\w+)`", (Path(__file__).parents[2] / "docs" / "runs.md").read_text("utf-8")))
    assert {*told, *told["progress"]} <= documented


# ---------------------------------------------------------------- unknown runs


def test_a_run_that_is_not_there_is_told_so(filled: Path) -> None:
    page, document = ask(filled, "/benchmark/nobody", "/benchmark/nobody.json")
    assert (page.status_code, document.status_code) == (404, 404)
    assert "There is no such run" in page.text
    assert "There is no such run" in json.dumps(document.json())


def test_an_id_that_lost_its_end_leads_to_the_run_that_was_meant(filled: Path) -> None:
    page, document = ask(filled, "/benchmark/20260202", "/benchmark/20260202.json")
    assert page.status_code == 404
    assert '<a href="../benchmark/20260202-080000-00000002">' in page.text
    assert "20260202-080000-00000002" in document.text
