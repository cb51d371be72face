"""What is removed is gone from every table; what goes on, or what a baseline needs, stays."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from llmload.baseline import PastRun
from llmload.errors import DataFileError, UsageError
from llmload.store.baseline_file import Action, BaselineFile, BaselineRun, Entry, path_of
from llmload.store.baseline_writing import rewrite
from llmload.store.database import open_store
from llmload.store.judgement import judged
from llmload.store.removal import Wanted, chosen, named, remove, runs_in_baselines, vacuum
from tests.cli.stored_runs import header_of, put_run, run_id_of, scenario_of
from tests.store.observations import window

CHAT, OTHER = scenario_of(), scenario_of("other")
GOES_ON = run_id_of(9)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Runs 1 to 4 of chat, 5 and 6 of another scenario, and one that this process works on."""
    path = tmp_path / "runs.db"
    with open_store(path) as store:
        for number in range(1, 7):
            status = "failed" if number == 3 else "finished"
            put_run(store, number, CHAT if number < 5 else OTHER, [window(0), window(1, requests=10)], status=status)
        store.begin(header_of(9, CHAT))
    return path


def ids(*numbers: int) -> list[str]:
    return [run_id_of(number) for number in numbers]


def counts(path: Path) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}


def test_a_removed_run_leaves_nothing_in_any_table(path: Path) -> None:
    before = counts(path)
    with open_store(path) as store:
        put_run(store, 7, CHAT, [window(0), window(1)])
        store._connection.execute("INSERT INTO recommendations SELECT max(run), '{}' FROM runs")
        store._connection.execute("INSERT INTO baselines SELECT max(run), 'x', '{}' FROM runs")
        store._connection.execute("INSERT INTO request_texts SELECT max(window), 0, 'x', 'y' FROM windows")
    assert counts(path)["requests"] > before["requests"]
    assert remove(path, ids(7)).run_ids == (run_id_of(7),)
    assert counts(path) == before


def test_the_other_runs_are_as_they_were(path: Path) -> None:
    with open_store(path) as store:
        before = [judged(store, run_id) for run_id in ids(1, 3, 4, 5, 6)]
        remove(path, ids(2))
        assert [judged(store, run_id) for run_id in ids(1, 3, 4, 5, 6)] == before
        assert store._connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_run_is_named_by_its_beginning_and_each_once(path: Path) -> None:
    (found,) = named(path, [run_id_of(3), run_id_of(3)[:-4] + "0003"])
    assert (found.run_id, found.status, found.requests) == (run_id_of(3), "failed", 30)


@pytest.mark.parametrize(
    ("prefix", "problem"),
    [
        (GOES_ON, "a process still works on it"),
        ("20261121", "7 runs begin so"),
        ("1999", "no such run"),
        ("latest", "names no run for good"),
        ("", "names no run for good"),
    ],
    ids=["goes on", "several", "none", "latest", "empty"],
)
def test_a_run_that_is_not_meant_for_sure_is_refused(path: Path, prefix: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        named(path, [prefix])


def test_a_run_that_was_taken_up_again_meanwhile_stays(path: Path) -> None:
    (found,) = named(path, ids(3))
    with open_store(path) as store:
        store.resume(run_id_of(3))
        assert remove(path, [found.run_id]).run_ids == ()
        assert store.load(run_id_of(3)).status == "running"


def test_nothing_is_removed_from_a_store_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no store here"):
        named(tmp_path / "runs.db", ["20"])


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param(Wanted(keep=1), ids(1, 2, 3, 4, 5), id="all but the newest of each"),
        pytest.param(Wanted(keep=3), ids(1, 2), id="the newest of each stay, the one that goes on too"),
        pytest.param(Wanted(before="2026-11-21T01:43:03.000Z"), ids(1, 2), id="old ones"),
        pytest.param(Wanted(statuses=frozenset({"failed", "aborted"})), ids(3), id="broken ones"),
        pytest.param(Wanted(3, None, frozenset({"failed"})), [], id="every condition counts"),
        pytest.param(Wanted(1, "2026-11-21T01:43:04.000Z"), ids(1, 2, 3), id="old ones, but the newest"),
    ],
)
def test_runs_that_meet_every_condition_are_chosen(path: Path, wanted: Wanted, expected: list[str]) -> None:
    assert [each.run_id for each in chosen(path, wanted, ()).remove] == expected


def test_a_run_that_goes_on_is_never_chosen(path: Path) -> None:
    choice = chosen(path, Wanted(before="2099-01-01T00:00:00.000Z"), ())
    assert choice.going_on == (GOES_ON,)
    assert GOES_ON not in {each.run_id for each in choice.remove}


def test_runs_of_a_baseline_file_stay(path: Path, tmp_path: Path) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    with open_store(path) as store:
        past = store.with_estimates(store.finished_runs("chat"))[0]
    file = BaselineFile(
        "chat",
        past.fingerprint,
        (BaselineRun(PastRun(past.run_id, past.created, "", past.steps), past.version),),
        {},
        (Entry(now, Action.UPDATE, "first", (past.run_id,)),),
    )
    written = path_of(tmp_path / "reports", "chat", past.fingerprint)
    written.parent.mkdir(parents=True)
    rewrite(written, lambda _: file)
    kept = runs_in_baselines(tmp_path / "reports")
    assert kept == {past.run_id}
    choice = chosen(path, Wanted(keep=1), kept)
    assert (choice.in_baselines, len(choice.remove)) == ((past.run_id,), 4)
    written.write_text("{")
    with pytest.raises(DataFileError):
        runs_in_baselines(tmp_path / "reports")


def test_without_a_folder_of_reports_no_run_is_in_a_baseline(tmp_path: Path) -> None:
    assert runs_in_baselines(tmp_path / "reports") == frozenset()


def test_a_vacuum_gives_the_space_back(path: Path) -> None:
    with open_store(path) as store:
        put_run(store, 7, CHAT, [window(0, requests=3000)])
        store.finish(GOES_ON, judged(store, run_id_of(1)), "aborted")
    removed = remove(path, ids(7))
    assert removed.free_bytes > 100_000
    after = vacuum(path)
    assert (after.free_bytes, after.file_bytes) == (0, path.stat().st_size)
    assert after.file_bytes < removed.file_bytes - 100_000  # the pages that stay may be filled otherwise


def test_a_vacuum_waits_for_a_run_that_goes_on(path: Path) -> None:
    with pytest.raises(UsageError, match=f"run {GOES_ON} goes on"):
        vacuum(path)
