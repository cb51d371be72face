"""Two people put their results together: every run once, a file whole or not at all, and nothing taken on trust."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import zlib
from contextlib import closing
from pathlib import Path

import pytest

from llmload.domain import IMPORTED
from llmload.errors import DataFileError, StoreError
from llmload.store.database import open_existing, open_store
from llmload.store.judgement import decided, judged
from llmload.store.merging import merge, preview
from llmload.store.opening import connect
from llmload.store.snapshot import write_snapshot
from tests.cli.stored_runs import DOWN, header_of, put_run, run_id_of, scenario_of
from tests.command import UNCOVERED
from tests.recorded_runs import CLEAN, FROM_LOADTEST
from tests.store.observations import window

ROOT = Path(__file__).parents[2]
VERSIONS = Path(__file__).parent / "versions"
CHAT = scenario_of()
GOES_ON = run_id_of(9)


def fill(path: Path, *numbers: int) -> Path:
    """A store with these runs."""
    with open_store(path) as store:
        for number in numbers:
            put_run(store, number, CHAT, [window(0, requests=30 + number), window(1, requests=20)])
    return path


def run(path: Path, statement: str, *values: object) -> None:
    """Change a store behind llmload's back."""
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(statement, values)


def content(path: Path) -> list[str]:
    """Everything that a store holds."""
    with closing(sqlite3.connect(path)) as connection:
        return sorted(connection.iterdump())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with stores to copy."""
    folder = tmp_path_factory.mktemp("made")
    for name, numbers in (("alone", [1]), ("mine", [1, 2]), ("other", [2, 3, 4])):
        fill(folder / name, *numbers)
    return folder


@pytest.fixture
def mine(made: Path, tmp_path: Path) -> Path:
    """Runs 1 and 2."""
    return Path(shutil.copyfile(made / "mine", tmp_path / "mine.db"))


@pytest.fixture
def alone(made: Path, tmp_path: Path) -> Path:
    """Run 1, which nobody else has."""
    return Path(shutil.copyfile(made / "alone", tmp_path / "mine.db"))


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
        ('UPDATE runs SET labels = \'{"a": "b"}\', exit_code = 3', "exit_code, labels"),
        ("UPDATE steps SET attempts = attempts + 1 WHERE step = 1", "steps"),
        ("UPDATE verdicts SET because = 'no' WHERE place = 0", "verdicts"),
        ("DELETE FROM estimates", "estimates"),
        ("UPDATE estimates SET value = value * 2", "estimates"),
        ("INSERT INTO caveats SELECT run, 99, NULL, 'a', 'b', 'c', 0, '' FROM runs", "caveats"),
        ("INSERT INTO findings SELECT run, 99, 'a', 'b', 'c', 'd' FROM runs", "findings"),
        ("INSERT INTO baselines SELECT run, 'here', '{}' FROM runs", "baselines"),
        ("UPDATE windows SET end_us = end_us + 1", "windows"),
        ("UPDATE request_kinds SET http_status = 201", "request_kinds"),
        ("UPDATE requests SET wait_us = wait_us + 1 WHERE id = 5", "requests"),
        ("DELETE FROM requests WHERE id = 5", "requests"),
        ("UPDATE request_gaps SET gaps_us = details", "request_gaps"),
        ("INSERT INTO request_texts SELECT window, 0, NULL, 'hello' FROM windows", "request_texts"),
    ],
    ids=lambda value: value if " " not in value else "",
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


# ---------------------------------------------------------------- trust


def test_a_kept_result_is_not_believed(alone: Path, other: Path) -> None:
    """The store says of run 4 what run 3 came to, and that it passed."""
    run(other, "UPDATE results SET document = (SELECT document FROM results ORDER BY run LIMIT 1)")
    run(other, "UPDATE runs SET verdict = 'fail' WHERE run_id = ?", run_id_of(4))
    done = merge(alone, other)
    assert done.notices == (f"run {run_id_of(4)} is recorded as fail; its requests, judged now, come to inconclusive",)
    with open_store(alone) as ours:
        assert ours.kept(run_id_of(4)) == judged(ours, run_id_of(4))


def test_a_run_that_says_it_passed_without_a_request_is_told(alone: Path, other: Path) -> None:
    with closing(connect(other)) as connection:
        connection.execute("UPDATE runs SET exit_code = 0, verdict = 'pass' WHERE run = 2")
        connection.execute("DELETE FROM windows WHERE run = 2")
    (notice,) = merge(alone, other).notices
    assert notice == f"run {run_id_of(3)} has no requests: what it says it came to cannot be checked"
    with open_store(alone) as ours:
        assert ours.kept(run_id_of(3)) is None
        assert decided(ours, run_id_of(3)).exit_code != 0


BOMB = zlib.compress(bytes(2**20))


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM _sqlite_migrations WHERE name LIKE '003%'", "some of its migrations are missing"),
        ("INSERT INTO _sqlite_migrations VALUES (99, 'llmload', '999 x', '')", "written by a newer llmload"),
        ("ALTER TABLE steps ADD COLUMN more TEXT", "the table steps has other columns"),
        ("DROP TABLE findings", "the table findings is missing"),
        ("UPDATE runs SET run_id = '../../etc/passwd' WHERE run = 2", "has a run of the id '../../etc/passwd'"),
        ("UPDATE runs SET run_id = 'a\x1b[2Jb' WHERE run = 2", "has a run of the id"),
        ("UPDATE runs SET scenario = '../chat' WHERE run = 2", "has a scenario of the name '../chat'"),
        ("UPDATE runs SET created = 'tomorrow' WHERE run = 2", "was begun at 'tomorrow', which is no instant"),
        ("UPDATE runs SET verdict = '<b>' WHERE run = 2", "came to '<b>', which is no verdict"),
        ("UPDATE runs SET labels = '[]' WHERE run = 2", "has no readable labels"),
        ("UPDATE runs SET labels = '{\"a\": [1]}' WHERE run = 2", "has no readable labels"),
        ("UPDATE runs SET environment = '[]' WHERE run = 2", "has no readable environment"),
        ("UPDATE runs SET resolved = '[[[' WHERE run = 2", "cannot be read"),
        ("UPDATE runs SET because = CAST(x'ff' AS TEXT) WHERE run = 2", "UTF-8"),
        ("UPDATE steps SET latency = 'x'", "cannot be read"),
        ("UPDATE windows SET ending = 'sudden'", "cannot be read"),
        ("UPDATE windows SET heartbeats = x'1122334455667788'", "its heartbeats are damaged"),
        ("UPDATE request_gaps SET details = CAST(? AS BLOB)", "its details of requests are more than"),
        ("UPDATE windows SET first_id = 1", "two windows claim the same requests"),
        ("UPDATE windows SET last_id = 4611686018427387904 WHERE window = 6", "a window claims 4,6"),
        ("UPDATE windows SET last_id = last_id + 5 WHERE window = 6", "a window claims requests that are not there"),
        ("UPDATE requests SET kind = 77", "cannot be read"),
        ("UPDATE requests SET due_us = 9223372036854775807", "cannot be read"),
        ("DELETE FROM runs WHERE run = 1", "it has rows of runs that it does not have"),
    ],
)
def test_a_store_that_cannot_be_trusted_is_refused_and_nothing_of_it_is_merged(
    alone: Path, other: Path, statement: str, said: str
) -> None:
    run(other, statement, *([BOMB] if "?" in statement else []))
    before = content(alone)
    with pytest.raises(DataFileError, match=said) as caught:
        merge(alone, other)
    assert "\x1b" not in str(caught.value)
    assert content(alone) == before


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        pytest.param(
            ["ALTER TABLE runs RENAME TO real_runs", "CREATE VIEW runs AS SELECT * FROM real_runs"],
            "the table runs is missing or another",
            id="a view in the place of a table",
        ),
        pytest.param(
            ["DROP TRIGGER labels_of_a_run", "CREATE TRIGGER labels_of_a_run AFTER INSERT ON runs BEGIN SELECT 1; END"],
            "the trigger labels_of_a_run is missing or another",
            id="another trigger of our name",
        ),
        pytest.param(
            ["DROP TABLE recommendations", "CREATE TABLE recommendations (run INTEGER PRIMARY KEY, document TEXT)"],
            "recommendations",
            id="a table without types",
        ),
    ],
)
def test_a_schema_that_is_not_ours_is_refused(alone: Path, other: Path, statements: list[str], said: str) -> None:
    for statement in statements:
        run(other, statement)
    with pytest.raises(DataFileError, match=said):
        merge(alone, other)


def test_triggers_views_and_indexes_of_a_stranger_do_nothing(alone: Path, other: Path) -> None:
    loop = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    run(other, f"CREATE TRIGGER trap AFTER DELETE ON results BEGIN {loop}; END")
    run(other, "CREATE TRIGGER worse AFTER INSERT ON results BEGIN DELETE FROM runs; END")
    run(other, f"CREATE VIEW all_runs AS {loop}")
    run(other, "CREATE INDEX by_noise ON runs (length(because))")
    run(other, "CREATE TABLE notes (text)")
    assert len(merge(alone, other).added) == 3
    with closing(sqlite3.connect(alone)) as connection:
        names = "SELECT name FROM sqlite_schema WHERE name IN ('trap', 'worse', 'all_runs', 'by_noise', 'notes')"
        assert connection.execute(names).fetchall() == []


def test_a_value_that_nobody_could_hold_is_refused(alone: Path, other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmload.store.foreign_store.LARGEST_VALUE", 1_000_000)
    run(other, "UPDATE runs SET because = replace(hex(zeroblob(1000000)), '0', 'ab') WHERE run = 3")
    with pytest.raises(DataFileError, match=r"holds a value of more than 1,000,000 bytes"):
        merge(alone, other)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        pytest.param(b"dear diary\n" * 500, "is not an SQLite file", id="text"),
        pytest.param(b"", "is empty", id="nothing"),
        pytest.param(None, "is not there", id="no file"),
    ],
)
def test_what_is_no_store_is_refused(alone: Path, tmp_path: Path, raw: bytes | None, said: str) -> None:
    if raw is not None:
        (tmp_path / "x.db").write_bytes(raw)
    with pytest.raises(DataFileError, match=said):
        merge(alone, tmp_path / "x.db")


def test_a_damaged_store_a_pipe_a_folder_a_strangers_and_the_store_itself_are_refused(
    alone: Path, other: Path, tmp_path: Path
) -> None:
    whole_file = bytearray(other.read_bytes())
    whole_file[4096 * 8 : 4096 * 20] = os.urandom(4096 * 12)
    other.write_bytes(whole_file)
    os.mkfifo(tmp_path / "pipe")
    with closing(sqlite3.connect(tmp_path / "songs.db")) as connection:
        connection.execute("CREATE TABLE songs (title)")
    for path, said in (
        (other, "is damaged"),
        (tmp_path / "pipe", "is not a file"),
        (tmp_path, "is not a file"),
        (tmp_path / "songs.db", "belongs to another program"),
        (alone, "is the store itself"),
    ):
        with pytest.raises(DataFileError, match=said):
            merge(alone, path)


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
