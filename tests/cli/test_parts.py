"""A stored run of classes and conversations: its parts are the same whoever judges it, and each report has them."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from openpyxl import load_workbook

from llmload.analysis.requests import request_rows
from llmload.cli.report_files import write_reports
from llmload.domain import Observation
from llmload.planned import Part
from llmload.reporters import excel
from llmload.reporters.texts import Language, texts_in
from llmload.store.database import open_store
from llmload.store.judgement import judged
from llmload.store.parts import parts_of_requests
from tests.cli.stored_runs import put_run, run_id_of, scenario_of
from tests.command import llmload
from tests.store.observations import window

RUN, PLAIN = run_id_of(1), run_id_of(2)
ENGLISH = texts_in(Language.EN)
PARTS = [Part(("chat", "rag")[seq % 2], seq // 6, seq % 3, seq % 4 if seq % 2 else None) for seq in range(300)]


def windows(parts: Sequence[Part]) -> list[Observation]:
    """Two steps of 300 requests, those of rag without a count of what was cached."""
    seen = [window(step, requests=300) for step in range(2)]
    return [
        replace(
            one,
            records=tuple(
                replace(record, part=part, cached_tokens=2 if part.traffic_class == "chat" else None)
                for record, part in zip(one.records, parts, strict=True)
            ),
        )
        for one in seen
    ]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("parts") / "runs.db"
    scenario = scenario_of(more="  reports: {formats: [json]}\n")
    with open_store(path) as store:
        put_run(store, 1, scenario, windows(PARTS))
        put_run(store, 2, scenario, [window(0, requests=300), window(1, requests=300)])
        put_run(store, 3, scenario, windows([part._replace(session=None, turn=None) for part in PARTS]))
    return path


def test_gate_comes_to_the_parts_that_were_kept(path: Path, tmp_path: Path) -> None:
    with open_store(path) as store:
        kept = store.kept(RUN)
        assert kept is not None
        assert [step.parts for step in kept.steps] == [step.parts for step in judged(store, RUN).steps]
    named = [(part.axis, part.name) for part in kept.steps[0].parts]
    assert named == [("class", "chat"), ("class", "rag"), ("turn", "1"), ("turn", "2"), ("turn", "3")]
    done = llmload("gate", RUN, "--store", str(path), "--out", str(tmp_path / "gated"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (result,) = (tmp_path / "gated").rglob("result.json")
    told = json.loads(result.read_text())["steps"][0]["parts"]
    assert [part["metrics"]["attempts"] for part in told] == [150, 150, 100, 100, 100]
    assert [part["metrics"]["cached_tokens"] for part in told[:2]] == [300, None]


def test_a_folder_has_parts_csv_only_while_the_run_reported_there_has_parts(path: Path, tmp_path: Path) -> None:
    for run_id, files in ((RUN, {"steps.csv", "parts.csv"}), (PLAIN, {"steps.csv"})):
        with open_store(path) as store:
            write_reports(judged(store, run_id), tmp_path, ["csv"], ENGLISH)
        assert {each.name for each in tmp_path.glob("*.csv")} == files


@pytest.mark.parametrize(
    ("number", "columns"),
    [
        pytest.param(1, ["Class", "Session", "Turn", "Prefix group"], id="of classes and conversations"),
        pytest.param(2, [], id="of neither"),
        pytest.param(3, ["Class", "Prefix group"], id="of classes"),
    ],
)
def test_the_sheet_of_requests_has_columns_for_what_the_run_has(path: Path, number: int, columns: list[str]) -> None:
    with open_store(path) as store:
        run_id = run_id_of(number)
        bare = replace(judged(store, run_id), timeline=None)
        rows = request_rows(store.whole_windows(run_id), bare.slo)
        book = excel.render_with_requests(bare, ENGLISH, rows, parts_of_requests(store, run_id))
    sheet = load_workbook(io.BytesIO(book))["Requests"]
    heading = [cell.value for cell in sheet[4]]
    assert heading[3 : 3 + len(columns) + 1] == [*columns, "Outcome"]
    tenth = dict(zip(heading, (cell.value for cell in sheet[5 + 9]), strict=True))
    expected = {"Class": "rag", "Session": 1, "Turn": 1, "Prefix group": 1}
    assert {name: tenth[name] for name in columns} == {name: expected[name] for name in columns}


def test_the_table_of_requests_of_the_site_tells_them(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        query = 'SELECT "class", session, turn, "prefix group" FROM request_list WHERE run = ? AND step = ? AND seq = 9'
        assert connection.execute(query, (RUN, "concurrency 1")).fetchone() == ("rag", 1, 1, 1)
