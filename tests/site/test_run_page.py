"""The page of one run, and its twin for programs."""

from __future__ import annotations

from pathlib import Path

from llmload.reporters import result_json
from tests.recorded_runs import CLEAN, TROUBLE
from tests.site.asked import ask


def test_a_run_is_told_as_its_report_tells_it(filled: Path) -> None:
    page, document = ask(filled, f"/benchmark/{TROUBLE.header.run_id}", f"/benchmark/{TROUBLE.header.run_id}.json")
    assert (page.status_code, document.status_code) == (200, 200)
    assert "<script>alert" not in page.text
    assert document.content == result_json.render(TROUBLE)


def test_a_run_that_is_not_there_is_told_so(filled: Path) -> None:
    (page,) = ask(filled, "/benchmark/nobody")
    assert page.status_code == 404
    assert "There is no such run" in page.text


def test_what_has_ended_may_be_kept_for_a_minute(filled: Path) -> None:
    (page,) = ask(filled, f"/benchmark/{CLEAN.header.run_id}")
    assert page.headers["cache-control"] == "max-age=60"
