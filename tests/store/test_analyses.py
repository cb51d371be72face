"""What models wrote about runs: kept, copied with the runs, never taken on trust."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from llmload.analysis.claimed_figures import unknown_figures
from llmload.errors import DataFileError
from llmload.plain_text import plain
from llmload.store.analyses import analyses_of, keep_analysis
from llmload.store.checking import check
from llmload.store.database import open_store
from llmload.store.merging import merge, preview
from llmload.store.removal import remove
from llmload.store.snapshot import open_snapshot, write_snapshot
from llmload.target.analyst import LONGEST_ANSWER
from llmload.written_analysis import Close, WrittenAnalysis
from tests.cli.stored_runs import run_id_of
from tests.store.merged import content, fill, run

RUN = run_id_of(1)
HOSTILE = "<script>alert(1)</script> \x1b[2J =1+1 ' OR 1 -- 50 % \\ud83d 서버 🙂"


def written(hour: int, text: str = "The server is bound by memory.") -> WrittenAnalysis:
    return WrittenAnalysis(
        "qwen3", "http://127.0.0.1:8000/v1", f"2026-03-01T{hour:02}:00:00.000Z", "en", text, Close.WHOLE, ("42",)
    )


def analysed(path: Path, *analyses: WrittenAnalysis) -> Path:
    """A store with one run, of which these were written."""
    with open_store(path if path.exists() else fill(path, 1)) as store:
        for each in analyses:
            keep_analysis(store, RUN, each)
    return path


def read(path: Path) -> tuple[WrittenAnalysis, ...]:
    with open_store(path) as store:
        return analyses_of(store, RUN)


def test_a_text_of_any_kind_comes_back_as_it_was_newest_first(tmp_path: Path) -> None:
    found = written(8, HOSTILE), written(9)
    path = analysed(tmp_path / "runs.db", *found)
    assert read(path) == (found[1], found[0])
    with open_store(path) as store:
        kept = store.kept(RUN)
    assert kept is not None
    assert kept.analyses == (found[1], found[0])


@pytest.mark.parametrize("character", ['"', "\\", "\t", "\n", "서", "🙂"])
def test_the_longest_answer_of_an_analyst_is_read_again(tmp_path: Path, character: str) -> None:
    """With names and figures as long as they may be, and characters that take the most room in a document."""
    longest = replace(
        written(8, f"a{character * (LONGEST_ANSWER - 2)}b"),
        model=plain(character * 9_000),
        server=plain(character * 9_000),
        unknown_figures=tuple(unknown_figures(" ".join(f"{n}.{'7' * 60}" for n in range(90)), ())),
    )
    assert read(analysed(tmp_path / "runs.db", longest)) == (longest,)


def test_a_page_bears_the_newest_twenty(tmp_path: Path) -> None:
    path = analysed(tmp_path / "runs.db", *(written(hour) for hour in range(23)))
    assert [each.created[11:13] for each in read(path)] == [f"{hour:02}" for hour in range(22, 2, -1)]


def test_merging_takes_them_with_a_new_run_and_to_one_that_is_here_and_once(tmp_path: Path) -> None:
    theirs = analysed(tmp_path / "theirs.db", written(8, HOSTILE), written(9))
    ours = analysed(tmp_path / "ours.db", written(9), written(10))
    assert preview(ours, theirs).notices == ("1 new analysis of runs that were here already",)
    assert merge(ours, theirs).notices == ("1 new analysis of runs that were here already",)
    assert read(ours) == (written(10), written(9), written(8, HOSTILE))
    before = content(ours)
    assert merge(ours, theirs).notices == ()
    assert content(ours) == before
    new = tmp_path / "new.db"
    assert merge(new, theirs).added == (RUN,)
    assert read(new) == (written(9), written(8, HOSTILE))


def test_other_words_of_one_instant_are_a_conflict_and_nothing_is_merged(tmp_path: Path) -> None:
    theirs = analysed(tmp_path / "theirs.db", written(8, "It is bound by compute."))
    ours = analysed(tmp_path / "ours.db", written(8))
    before = content(ours)
    with pytest.raises(DataFileError, match=r"with other content: analyses\."):
        merge(ours, theirs)
    assert content(ours) == before


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param("{", id="cut short"),
        pytest.param(json.dumps({"text": "x"}), id="another shape"),
        pytest.param('{"x": "' + " " * 1_000_001 + '"}', id="far too long"),
        pytest.param("@created", id="of another instant"),
        pytest.param("@language", id="in a language that no report has"),
        pytest.param("@close", id="with an end that there is not"),
    ],
)
def test_one_that_no_llmload_writes_is_not_shown_and_keeps_its_store_from_being_merged(
    tmp_path: Path, lie: str
) -> None:
    theirs = analysed(tmp_path / "theirs.db", written(8))
    with closing(sqlite3.connect(theirs)) as connection:
        (document,) = connection.execute("SELECT document FROM analyses").fetchone()
    if lie.startswith("@"):
        lie = json.dumps({**json.loads(document), lie[1:]: "2026-03-01T23:00:00.000Z"})
    run(theirs, "UPDATE analyses SET document = ?", lie)
    ours = fill(tmp_path / "ours.db", 2)
    before = content(ours)
    with pytest.raises(DataFileError, match="it has an analysis that no llmload writes"):
        merge(ours, theirs)
    assert content(ours) == before


def test_an_instant_that_is_none_is_refused(tmp_path: Path) -> None:
    theirs = analysed(tmp_path / "theirs.db", replace(written(8), created="<b>now</b>"))
    with pytest.raises(DataFileError, match="it has an analysis that no llmload writes"):
        merge(fill(tmp_path / "ours.db", 2), theirs)


def test_more_than_anybody_writes_are_refused(tmp_path: Path) -> None:
    theirs = analysed(tmp_path / "theirs.db", written(8))
    numbers = "WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i < 1100)"
    many = f"{numbers} INSERT INTO analyses SELECT run, '2026-03-02T00:00:00.' || printf('%06d', i) || 'Z',"
    each = "json_set(document, '$.created', '2026-03-02T00:00:00.' || printf('%06d', i) || 'Z') FROM analyses, n"
    run(theirs, f"{many} {each}")
    with pytest.raises(DataFileError, match="more than 1,000 analyses"):
        merge(fill(tmp_path / "ours.db", 2), theirs)


def test_a_check_takes_no_analysis_that_came_later_for_damage(tmp_path: Path) -> None:
    checked = check(analysed(tmp_path / "runs.db", written(8)), None)
    assert (checked.judged, checked.faults, checked.notices) == (1, [], [])


def test_a_removed_run_takes_what_was_written_of_it_along(tmp_path: Path) -> None:
    path = analysed(tmp_path / "runs.db", written(8))
    remove(path, [RUN])
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM analyses").fetchone() == (0,)


def test_a_snapshot_has_them(tmp_path: Path) -> None:
    path = analysed(tmp_path / "runs.db", written(8, HOSTILE))
    write_snapshot(path, tmp_path / "snapshot.db")
    with open_snapshot(tmp_path / "snapshot.db") as store:
        assert analyses_of(store, RUN) == (written(8, HOSTILE),)
