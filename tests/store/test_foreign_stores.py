"""A store that a stranger sent is judged by its requests, and refused whole where it is not as llmload makes stores."""

from __future__ import annotations

import os
import shutil
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import pytest

from llmload.errors import DataFileError
from llmload.store.database import open_store
from llmload.store.judgement import decided, judged
from llmload.store.merging import merge
from llmload.store.opening import connect
from llmload.store.packing import pack
from tests.cli.stored_runs import run_id_of
from tests.store.merged import content, fill, run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with stores to copy."""
    folder = tmp_path_factory.mktemp("made")
    for name, numbers in (("alone", [1]), ("other", [2, 3, 4])):
        fill(folder / name, *numbers)
    return folder


@pytest.fixture
def alone(made: Path, tmp_path: Path) -> Path:
    """Run 1, which nobody else has."""
    return Path(shutil.copyfile(made / "alone", tmp_path / "mine.db"))


@pytest.fixture
def other(made: Path, tmp_path: Path) -> Path:
    """Runs 2, 3 and 4."""
    (tmp_path / "other").mkdir()
    return Path(shutil.copyfile(made / "other", tmp_path / "other" / "runs.db"))


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


BOMB = zlib.compress(bytes(3 * 2**20))


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        pytest.param(
            "DELETE FROM _sqlite_migrations WHERE name LIKE '003%'",
            "some of its migrations are missing",
            id="a migration is missing",
        ),
        pytest.param(
            "INSERT INTO _sqlite_migrations VALUES (99, 'llmload', '999 x', '')",
            "written by a newer llmload",
            id="a newer version",
        ),
        pytest.param("ALTER TABLE steps ADD COLUMN more TEXT", "the table steps has other columns", id="a column more"),
        pytest.param("DROP TABLE findings", "the table findings is missing", id="a table less"),
        pytest.param(
            "UPDATE runs SET run_id = '../../etc/passwd' WHERE run = 2",
            "has a run of the id '../../etc/passwd'",
            id="an id that leads elsewhere",
        ),
        pytest.param(
            "UPDATE runs SET run_id = 'a\x1b[2Jb' WHERE run = 2",
            "has a run of the id",
            id="an id with terminal sequences",
        ),
        pytest.param(
            "UPDATE runs SET scenario = '../chat' WHERE run = 2",
            "has a scenario of the name '../chat'",
            id="a scenario that leads elsewhere",
        ),
        pytest.param(
            "UPDATE runs SET created = 'tomorrow' WHERE run = 2",
            "was begun at 'tomorrow', which is no instant",
            id="no instant",
        ),
        pytest.param(
            "UPDATE runs SET verdict = '<b>' WHERE run = 2", "came to '<b>', which is no verdict", id="no verdict"
        ),
        pytest.param(
            "UPDATE runs SET labels = '[]' WHERE run = 2", "has no readable labels", id="labels that are a list"
        ),
        pytest.param(
            "UPDATE runs SET labels = '{\"a\": [1]}' WHERE run = 2",
            "has no readable labels",
            id="a label that is a list",
        ),
        pytest.param(
            "UPDATE runs SET environment = '[]' WHERE run = 2",
            "has no readable environment",
            id="an environment that is a list",
        ),
        pytest.param(
            "UPDATE runs SET resolved = '[[[' WHERE run = 2", "cannot be read", id="a scenario that is no JSON"
        ),
        pytest.param(
            "UPDATE runs SET because = CAST(x'ff' AS TEXT) WHERE run = 2", "UTF-8", id="text that is not UTF-8"
        ),
        pytest.param("UPDATE steps SET latency = 'x'", "cannot be read", id="latencies that are no JSON"),
        pytest.param("UPDATE windows SET ending = 'sudden'", "cannot be read", id="an unknown ending"),
        pytest.param(
            "UPDATE windows SET heartbeats = x'1122334455667788'",
            "its heartbeats are damaged",
            id="heartbeats that are no deflate",
        ),
        pytest.param(
            "UPDATE request_gaps SET details = CAST(? AS BLOB)",
            "its details of requests are more than",
            id="a bomb of details",
        ),
        pytest.param(
            "UPDATE windows SET first_id = 1", "two windows claim the same requests", id="overlapping windows"
        ),
        pytest.param(
            "UPDATE windows SET last_id = 4611686018427387904 WHERE window = 6",
            "a window claims 4,6",
            id="a window of the size of the world",
        ),
        pytest.param(
            "UPDATE windows SET last_id = last_id + 5 WHERE window = 6",
            "a window claims requests that are not there",
            id="a window beyond its requests",
        ),
        pytest.param(
            "UPDATE request_gaps SET contents = CAST(? AS BLOB)",
            "its contents of answers are more than",
            id="a bomb of contents",
        ),
        pytest.param(
            f"UPDATE request_gaps SET contents = x'{pack([-1] * 5 * 32).hex()}'",
            "cannot be read",
            id="less than no text",
        ),
        pytest.param(
            "UPDATE request_kinds SET traffic_class = printf('%.*c', 201, 'a')",
            "a class with a name of more than 200 characters",
            id="a class whose name is a book",
        ),
        pytest.param(
            "INSERT INTO request_sessions SELECT window, last_id - first_id + 1, 0 FROM windows",
            "sessions of requests that are not there",
            id="sessions beyond the requests",
        ),
        pytest.param("UPDATE requests SET kind = 77", "cannot be read", id="a kind that is not there"),
        pytest.param(
            "UPDATE requests SET due_us = 9223372036854775807", "cannot be read", id="an instant beyond all clocks"
        ),
        pytest.param(
            "DELETE FROM runs WHERE run = 1", "it has rows of runs that it does not have", id="rows without their run"
        ),
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
