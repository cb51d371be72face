"""Two people put their results together: every run once, a file whole or not at all, and nothing taken on trust."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from llmload.domain import IMPORTED, Observation
from llmload.errors import DataFileError, StoreError
from llmload.store.database import open_existing, open_store
from llmload.store.judgement import decided, judged
from llmload.store.merging import merge, preview
from llmload.store.snapshot import write_snapshot
from tests.cli.stored_runs import DOWN, header_of, put_run, run_id_of, scenario_of
from tests.command import UNCOVERED
from tests.recorded_runs import CLEAN, FROM_LOADTEST
from tests.store.merged import content, fill, run
from tests.store.observations import observations, window

ROOT = Path(__file__).parents[2]
VERSIONS = Path(__file__).parent / "versions"
CHAT = scenario_of()
GOES_ON = run_id_of(9)
assert CLEAN.target is not None
FACTS = CLEAN.target


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with stores to copy."""
    folder = tmp_path_factory.mktemp("made")
    for name, numbers in (("mine", [1, 2]), ("other", [2, 3, 4])):
        fill(folder / name, *numbers)
    return folder


@pytest.fixture
def mine(made: Path, tmp_path: Path) -> Path:
    """Runs 1 and 2."""
    return Path(shutil.copyfile(made / "mine", tmp_path / "mine.db"))


@pytest.fixture
def other(made: Path, tmp_path: Path) -> Path:
    """Runs 2, 3 and 4."""
    (tmp_path / "other").mkdir()
    return Path(shutil.copyfile(made / "other", tmp_path / "other" / "runs.db"))


# ---------------------------------------------------------------- what comes in


def test_runs_that_are_not_here_come_in_with_all_that_they_have(mine: Path, other: Path) -> None:
    done = merge(mine, other)
    assert (done.added, done.known) == ((run_id_of(3), run_id_of(4)), (run_id_of(2),))
    assert (done.requests, done.notices) == (33 + 34 + 40, ())
    with open_store(mine) as ours, open_store(other) as theirs:
        assert len(ours.list_runs()) == 4
        for run_id in done.added:
            assert ours.load(run_id) == theirs.load(run_id)
            assert ours.past(run_id) == theirs.past(run_id)
            assert ours.estimates(run_id) == theirs.estimates(run_id)
            assert ours.kept(run_id) == judged(theirs, run_id) == judged(ours, run_id)
        labels = ours._connection.execute("SELECT count(*) FROM run_labels GROUP BY run").fetchall()
        assert len({count for (count,) in labels}) == 1
        assert ours._connection.execute("PRAGMA foreign_key_check").fetchall() == []


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seen=observations())
def test_whatever_a_worker_may_hand_over_comes_in_as_it_was(made: Path, seen: Observation) -> None:
    """A clock in trouble too: a run that died in the middle of it must not keep its file from being merged."""
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(shutil.copyfile(made / "mine", f"{folder}/mine.db")), Path(folder, "other.db")
        with open_store(theirs) as store:
            store.begin(header_of(7, CHAT))
            store.describe(run_id_of(7), FACTS)
            store.remember(run_id_of(7), seen)
            store._connection.execute("UPDATE runs SET status = 'aborted'")
        assert merge(ours, theirs).added == (run_id_of(7),)
        with open_store(ours) as store:
            assert store.load(run_id_of(7)).observations == (seen,)


def test_a_run_measured_after_a_merge_gets_requests_of_its_own(mine: Path, other: Path) -> None:
    merge(mine, other)
    fill(mine, 5)
    with open_store(mine) as ours:
        for number in range(1, 6):
            assert [len(seen.records) for seen in ours.load(run_id_of(number)).observations] == [30 + number, 20]


def test_merging_again_changes_nothing(mine: Path, other: Path) -> None:
    merge(mine, other)
    before = content(mine)
    again = merge(mine, other)
    assert (again.added, len(again.known)) == ((), 3)
    assert content(mine) == before


def test_merging_back_and_forth_ends_with_the_same_runs(mine: Path, other: Path) -> None:
    merge(mine, other)
    merge(other, mine)
    with open_store(mine) as ours, open_store(other) as theirs:
        assert ours.list_runs() == theirs.list_runs()
    assert merge(mine, other).added == ()


def test_a_store_that_is_not_there_is_made(tmp_path: Path, other: Path) -> None:
    assert len(merge(tmp_path / "new.db", other).added) == 3


def test_a_preview_tells_the_same_and_changes_nothing(mine: Path, other: Path, tmp_path: Path) -> None:
    before = content(mine)
    told = preview(mine, other)
    assert content(mine) == before
    assert len(preview(tmp_path / "new.db", other).added) == 3
    assert not (tmp_path / "new.db").exists()
    assert told == merge(mine, other)


def test_an_imported_run_comes_with_its_figures(mine: Path, tmp_path: Path) -> None:
    with open_store(tmp_path / "other.db") as store:
        store.take_in(FROM_LOADTEST)
    merge(mine, tmp_path / "other.db")
    with open_store(mine) as ours:
        run_id = FROM_LOADTEST.header.run_id
        assert ours.load(run_id).status == IMPORTED
        assert decided(ours, run_id).steps == FROM_LOADTEST.steps


def test_a_run_that_could_not_be_measured_comes_without_requests(mine: Path, tmp_path: Path) -> None:
    with open_store(tmp_path / "other.db") as store:
        put_run(store, 7, CHAT, [], trouble=DOWN)
    assert merge(mine, tmp_path / "other.db").notices == ()
    with open_store(mine) as ours:
        assert decided(ours, run_id_of(7)).exit_code == 5


def test_a_run_that_has_not_ended_is_left_out_and_named(mine: Path, other: Path) -> None:
    with open_store(other) as store:
        store.begin(header_of(9, CHAT))
        store.remember(GOES_ON, window())
        done = merge(mine, other)  # while its process lives and the file is open
        assert done.going_on == (GOES_ON,)
        assert GOES_ON not in done.added
        store.remember(GOES_ON, window(1))


# ---------------------------------------------------------------- where it comes from


@pytest.mark.parametrize("dump", sorted(VERSIONS.glob("*.sql")), ids=lambda dump: dump.stem)
def test_a_store_of_an_earlier_version_is_taken_and_stays_as_it_is(dump: Path, mine: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    with closing(sqlite3.connect(old)) as connection:
        connection.executescript(dump.read_text(encoding="utf-8"))
        connection.execute("UPDATE runs SET status = 'failed', resolved = ?", (CHAT.document.resolved,))
        connection.commit()
    before = old.read_bytes()
    assert merge(mine, old).added == (CLEAN.header.run_id,)
    assert old.read_bytes() == before
    with open_store(old) as theirs, open_store(mine) as ours:
        assert ours.load(CLEAN.header.run_id) == theirs.load(CLEAN.header.run_id)
    assert merge(mine, old).known == (CLEAN.header.run_id,)


def test_a_snapshot_in_a_read_only_folder_is_taken(mine: Path, other: Path, tmp_path: Path) -> None:
    folder = tmp_path / "media"
    folder.mkdir()
    made = write_snapshot(other, folder / "runs.db").path
    made.chmod(0o444)
    folder.chmod(0o555)
    assert len(merge(mine, made).added) == 2
    assert [path.name for path in folder.iterdir()] == ["runs.db"]
    folder.chmod(0o755)


def test_nothing_is_left_beside_a_store_that_nobody_uses(mine: Path, other: Path) -> None:
    before = other.read_bytes()
    merge(mine, other)
    assert [path.name for path in other.parent.iterdir()] == ["runs.db"]
    assert other.read_bytes() == before


def test_what_a_killed_process_left_in_the_log_is_taken_and_the_log_stays(mine: Path, tmp_path: Path) -> None:
    """A copy of file and log, as a backup of a machine that died has it."""
    live, left = tmp_path / "live.db", tmp_path / "left.db"
    with open_store(live) as store:
        put_run(store, 5, CHAT, [window(requests=9)])
        for end in ("", "-wal"):
            Path(f"{left}{end}").write_bytes(Path(f"{live}{end}").read_bytes())
    before = Path(f"{left}-wal").read_bytes()
    assert before
    assert merge(mine, left).added == (run_id_of(5),)
    assert Path(f"{left}-wal").read_bytes() == before
    assert not Path(f"{left}-shm").exists()


# ---------------------------------------------------------------- conflicts


def test_the_same_id_with_other_content_is_refused_whole_and_named(mine: Path, other: Path) -> None:
    run(other, "UPDATE runs SET because = 'another reason' WHERE run_id = ?", run_id_of(2))
    before = content(mine)
    with pytest.raises(DataFileError, match=rf"run {run_id_of(2)} is in .*mine.db with other content: because\."):
        merge(mine, other)
    assert content(mine) == before


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        pytest.param('UPDATE runs SET labels = \'{"a": "b"}\', exit_code = 3', "exit_code, labels", id="the run"),
        pytest.param("UPDATE steps SET attempts = attempts + 1 WHERE step = 1", "steps", id="figures of a step"),
        pytest.param("UPDATE verdicts SET because = 'no' WHERE place = 0", "verdicts", id="a verdict"),
        pytest.param("DELETE FROM estimates", "estimates", id="no estimates"),
        pytest.param("UPDATE estimates SET value = value * 2", "estimates", id="other estimates"),
        pytest.param(
            "INSERT INTO caveats SELECT run, 99, NULL, 'a', 'b', 'c', 0, '' FROM runs", "caveats", id="a caveat more"
        ),
        pytest.param(
            "INSERT INTO findings SELECT run, 99, 'a', 'b', 'c', 'd', 'e', 'f' FROM runs",
            "findings",
            id="a finding more",
        ),
        pytest.param("INSERT INTO baselines SELECT run, 'here', '{}' FROM runs", "baselines", id="a baseline"),
        pytest.param("UPDATE windows SET end_us = end_us + 1", "windows", id="a window"),
        pytest.param("UPDATE request_kinds SET http_status = 201", "request_kinds", id="a kind of request"),
        pytest.param(
            "UPDATE requests SET wait_us = wait_us + 1 WHERE id = 5", "requests", id="an instant of a request"
        ),
        pytest.param("DELETE FROM requests WHERE id = 5", "requests", id="a request less"),
        pytest.param("UPDATE request_gaps SET gaps_us = details", "request_gaps", id="gaps"),
        pytest.param(
            "INSERT INTO request_texts SELECT window, 0, NULL, 'hello' FROM windows", "request_texts", id="a text"
        ),
        pytest.param("UPDATE request_kinds SET traffic_class = 'chat'", "request_kinds", id="a class of traffic"),
        pytest.param(
            "INSERT INTO request_sessions SELECT window, 0, 7 FROM windows", "request_sessions", id="a conversation"
        ),
    ],
)
def test_a_difference_in_any_table_is_found(tmp_path: Path, statement: str, named: str) -> None:
    ours, theirs = fill(tmp_path / "ours.db", 1), fill(tmp_path / "theirs.db", 1)
    assert merge(ours, theirs).known == (run_id_of(1),)
    run(theirs, statement)
    with pytest.raises(DataFileError, match=rf"with other content: {named}\."):
        merge(ours, theirs)


def test_a_result_that_was_kept_elsewhere_is_no_difference_and_is_not_taken(mine: Path, other: Path) -> None:
    run(other, "DELETE FROM results")
    run(other, "INSERT INTO recommendations SELECT run, '{}' FROM runs")
    assert merge(mine, other).known == (run_id_of(2),)
    with closing(sqlite3.connect(mine)) as connection:
        assert connection.execute("SELECT count(*) FROM recommendations").fetchone() == (0,)


# ---------------------------------------------------------------- trouble


def test_a_full_disk_changes_nothing(mine: Path, other: Path) -> None:
    before = content(mine)
    with closing(sqlite3.connect(mine)) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
    import llmload.store.merging as merging

    attach = merging._attach

    def full(connection: sqlite3.Connection, path: Path) -> None:
        attach(connection, path)
        connection.execute(f"PRAGMA ours.max_page_count = {pages}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merging, "_attach", full)
        with pytest.raises(StoreError, match="the disk is full"):
            merge(mine, other)
    assert content(mine) == before


def test_a_merge_that_is_killed_changes_nothing(mine: Path, other: Path) -> None:
    before = content(mine)
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom llmload.store import merging\n"
        "merging._Copy._copy_windows = lambda self: os.kill(os.getpid(), signal.SIGKILL)\n"
        "merging.merge(Path(sys.argv[1]), Path(sys.argv[2]))\n"
    )
    command = [sys.executable, "-c", code, str(mine), str(other)]
    done = subprocess.run(command, cwd=ROOT, env=UNCOVERED, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert content(mine) == before
    assert len(merge(mine, other).added) == 2


def test_two_merges_at_once_both_succeed(mine: Path, other: Path, tmp_path: Path) -> None:
    third = fill(tmp_path / "third.db", 4, 5, 6)
    done: list[str] = []

    def put(source: Path) -> None:
        done.extend(merge(mine, source).added)

    threads = [threading.Thread(target=put, args=[source]) for source in (other, third)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(done) == [run_id_of(number) for number in (3, 4, 5, 6)]
    with open_existing(mine) as ours:
        assert {each.run_id for each in ours.list_runs()} == {run_id_of(number) for number in range(1, 7)}
