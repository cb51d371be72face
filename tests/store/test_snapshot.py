"""A snapshot is one whole file that anybody can read and nobody needs to write beside."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from llmload.errors import StoreError, UsageError
from llmload.store.database import open_existing, open_store
from llmload.store.judgement import decided
from llmload.store.snapshot import write_snapshot
from tests.cli.stored_runs import put_run, run_id_of, scenario_of, whole
from tests.recorded_runs import CLEAN
from tests.store.observations import window

GOES_ON = replace(CLEAN.header, run_id="20301231-000000-00000000", document_text="a text that goes on")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two runs that ended, and one that this process works on."""
    path = tmp_path / "work" / "runs.db"
    path.parent.mkdir()
    with open_store(path) as opened:
        for number in range(2):
            put_run(opened, number, scenario_of(), whole())
        opened.begin(GOES_ON)
        opened.remember(GOES_ON.run_id, window())
    return path


def test_a_snapshot_is_read_as_immutable_from_a_read_only_folder(store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "media"
    folder.mkdir()
    made = write_snapshot(store, folder / "runs.db")
    made.path.chmod(0o444)
    folder.chmod(0o555)
    with closing(sqlite3.connect(f"file:{made.path}?immutable=1", uri=True)) as connection:
        assert connection.execute("SELECT count(*) FROM requests").fetchone() == (1200,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert [path.name for path in folder.iterdir()] == ["runs.db"]
    assert (made.runs, made.size_bytes) == (2, made.path.stat().st_size)
    folder.chmod(0o755)


def test_a_run_that_goes_on_is_left_out_named_and_leaves_nothing_behind(store: Path, tmp_path: Path) -> None:
    made = write_snapshot(store, tmp_path / "shared.db")
    assert made.going_on == (GOES_ON.run_id,)
    with closing(sqlite3.connect(made.path)) as connection:
        assert connection.execute("SELECT * FROM progress").fetchall() == []
        assert connection.execute("SELECT DISTINCT status FROM runs").fetchall() == [("finished",)]
    assert GOES_ON.document_text.encode() not in made.path.read_bytes()
    with open_store(store) as opened:
        assert opened.load(GOES_ON.run_id).status == "running"


def test_a_snapshot_tells_the_same_results(store: Path, tmp_path: Path) -> None:
    made = write_snapshot(store, tmp_path / "shared.db")
    with open_store(store) as here, open_store(made.path) as there:
        for run in there.list_runs():
            assert decided(there, run.run_id) == decided(here, run.run_id)


def test_a_snapshot_is_of_one_instant_while_another_writes(store: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(store, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE runs SET scenario = 'half-written'")
        made = write_snapshot(store, tmp_path / "shared.db")
        writer.execute("ROLLBACK")
    with open_store(made.path) as there:
        assert {run.scenario for run in there.list_runs()} == {"chat"}


EARLIER = b"SQLite format 3\0\x10\x00\x01\x01 an earlier snapshot"


def test_the_file_before_it_is_replaced_whole_and_what_a_killed_one_left_goes(store: Path, tmp_path: Path) -> None:
    target, left = tmp_path / "shared.db", tmp_path / ".shared.db.0123abcd"
    left.write_bytes(b"half")
    target.write_bytes(EARLIER)
    with target.open("rb") as reader:
        write_snapshot(store, target)
        assert reader.read() == EARLIER
    assert target.read_bytes().startswith(b"SQLite format 3\0")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shared.db", "work"]


def test_a_snapshot_that_fails_leaves_the_file_before_it(store: Path, tmp_path: Path) -> None:
    target = tmp_path / "shared.db"
    target.write_bytes(EARLIER)
    damaged = bytearray(store.read_bytes())
    damaged[8192 : len(damaged) // 2] = os.urandom(len(damaged) // 2 - 8192)
    store.write_bytes(damaged)
    with pytest.raises(StoreError, match="damaged"):
        write_snapshot(store, target)
    assert target.read_bytes() == EARLIER
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shared.db", "work"]


@pytest.mark.parametrize(
    ("name", "beside", "problem"),
    [
        pytest.param("work/runs.db", "", "is the store itself", id="the store itself"),
        pytest.param("work", "", "is not a file", id="a folder"),
        pytest.param("live.db", "live.db-wal", "is a database in use, live.db-wal lies beside it", id="a live store"),
        pytest.param("nowhere/shared.db", "", "cannot be written .no such file or directory", id="no such folder"),
    ],
)
def test_a_target_that_cannot_be_replaced_is_refused(
    store: Path, tmp_path: Path, name: str, beside: str, problem: str
) -> None:
    if beside:
        (tmp_path / beside).write_bytes(b"")
    before = store.read_bytes()
    with pytest.raises(UsageError, match=problem):
        write_snapshot(store, tmp_path / name)
    assert store.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"SQLite format 3\0\x10\x00\x02\x02 runs of somebody", "is a store, not a snapshot", id="a store"),
        pytest.param(b"apiVersion: llmload/v1", "is another file, not a snapshot", id="a scenario"),
    ],
)
def test_a_file_that_was_no_snapshot_is_never_replaced(
    store: Path, tmp_path: Path, content: bytes, problem: str
) -> None:
    target = tmp_path / "kept"
    target.write_bytes(content)
    with pytest.raises(UsageError, match=problem):
        write_snapshot(store, target)
    assert target.read_bytes() == content


# ---------------------------------------------------------------- read-only media


@pytest.fixture
def media() -> Iterator[Path]:
    """A folder that anybody can enter; those above the usual one are private."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


def without_rights(act: Callable[[], None]) -> int:
    """Do it in a process that may write nowhere here, whoever runs the tests; its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            if os.getuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            act()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_the_verbs_that_read_open_a_snapshot_that_nobody_can_write(store: Path, media: Path) -> None:
    made = write_snapshot(store, media / "runs.db").path
    with open_store(store) as opened:
        expected = decided(opened, run_id_of(1))
    made.chmod(0o444)
    media.chmod(0o555)

    def read() -> None:
        with open_existing(made) as opened:
            assert decided(opened, run_id_of(1)) == expected
            assert len(opened.list_runs()) == 2
            with pytest.raises(StoreError, match="the store or its folder cannot be written"):
                opened.resume(run_id_of(0))
        with pytest.raises(StoreError, match="the store or its folder cannot be written"), open_store(made):
            pass

    assert without_rights(read) == 0
    assert [path.name for path in media.iterdir()] == ["runs.db"]


def test_a_store_with_its_log_beside_it_is_not_read_by_half(store: Path, media: Path) -> None:
    with open_store(store) as opened:
        opened.begin(replace(GOES_ON, run_id="20301231-000000-00000001"))
        for end in ("", "-wal"):
            copy = media / f"runs.db{end}"
            copy.write_bytes(Path(f"{store}{end}").read_bytes())
            copy.chmod(0o444)
    media.chmod(0o555)

    def read() -> None:
        with pytest.raises(StoreError, match="cannot be"), open_existing(media / "runs.db"):
            pass

    assert without_rights(read) == 0
