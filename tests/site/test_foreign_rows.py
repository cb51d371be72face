"""Pages of a store in which somebody else has written: one run that cannot be read, and all others as they were."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.recorded_runs import CLEAN
from tests.site.asked import ask
from tests.site.stores import RECORDED

RUN, OTHER = CLEAN.header.run_id, RECORDED[-1].header.run_id
SCENARIO = CLEAN.header.scenario

OWN = (f"/benchmark/{RUN}", f"/benchmark/{RUN}.json", f"/compare?runs={RUN},{OTHER}")
OTHERS = (f"/benchmark/{OTHER}", "/", "/history.json", f"/trends/{SCENARIO}", f"/trends/{SCENARIO}.json", "/compare")

_DEEP = "[" * 100_000 + "]" * 100_000


@pytest.fixture(scope="module")
def untouched(filled: Path) -> list[int]:
    """What the other pages answer where every run can be read."""
    return [answer.status_code for answer in ask(filled, *OTHERS)]


@pytest.mark.parametrize(
    ("column", "text"),
    [
        pytest.param("labels", "[", id="labels that are no JSON"),
        pytest.param("labels", "null", id="labels that are no object"),
        pytest.param("labels", _DEEP, id="labels without end"),
        pytest.param("labels", '{"a": {"b": [1]}, "c": NaN}', id="labels that are no words"),
        pytest.param("environment", "[1]", id="a surrounding that is no object"),
        pytest.param("framework_config", '"x"', id="settings that are no object"),
        pytest.param("declared", "null", id="names that are no list"),
        pytest.param("token_fit", "[]", id="a fit without figures"),
        pytest.param("token_fit", _DEEP, id="a fit without end"),
        pytest.param("fingerprint", "null", id="a fingerprint that is no object"),
        pytest.param("fingerprint", _DEEP, id="a fingerprint without end"),
    ],
)
def test_a_run_that_cannot_be_read_takes_no_other_page_with_it(
    column: str, text: str, filled: Path, untouched: list[int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "llmload.db"
    shutil.copy(filled, path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE runs SET {column} = ? WHERE run_id = ?", (text, RUN))
    answers = ask(path, *OWN, *OTHERS)
    assert {answer.status_code for answer in answers[: len(OWN)]} <= {200, 503}
    assert [answer.status_code for answer in answers[len(OWN) :]] == untouched
    assert not any(word in answer.text for answer in answers for word in ("Traceback", "File ", str(tmp_path)))
    assert capfd.readouterr().err == ""
