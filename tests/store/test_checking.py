"""A check finds what cannot be relied on, says what somebody should know, and changes nothing."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from llmload.errors import StoreError, UsageError
from llmload.store.checking import check
from llmload.store.database import open_store
from llmload.store.opening import connect
from llmload.store.snapshot import write_snapshot
from tests.cli.stored_runs import header_of, put_run, run_id_of, scenario_of
from tests.recorded_runs import FROM_LOADTEST
from tests.store.observations import window

VERSIONS = Path(__file__).parent / "versions"
CHAT = scenario_of()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "runs.db"
    with open_store(path) as store:
        for number in range(1, 4):
            put_run(store, number, CHAT, [window(0, requests=20), window(1, requests=10)])
        store.take_in(FROM_LOADTEST)
    return path


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    """Three runs that were measured, and one that was imported."""
    return Path(shutil.copyfile(made, tmp_path / "runs.db"))


def change(path: Path, *statements: str) -> None:
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        for statement in statements:
            connection.execute(statement)


def hashes(path: Path) -> dict[str, str]:
    return {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in path.parent.iterdir()}


def test_a_sound_store_has_no_fault_and_is_not_changed(path: Path) -> None:
    before = hashes(path)
    checked = check(path, None)
    assert (checked.faults, checked.notices) == ([], [])
    assert (checked.runs, checked.judged, checked.size_bytes) == (4, 4, path.stat().st_size)
    assert hashes(path) == before


def test_the_size_of_each_table_is_told(path: Path) -> None:
    tables = {table.name: table for table in check(path, 0).tables}
    assert (tables["requests"].rows, tables["runs"].rows) == (90, 4)
    size = tables["requests"].size_bytes
    assert size is None or size >= 4096


def test_only_the_newest_runs_are_judged_unless_all_are_asked_for(path: Path) -> None:
    assert check(path, 2).judged == 2
    change(path, "UPDATE request_gaps SET gaps_us = x'00' WHERE window = 1")
    assert check(path, 2).faults == []
    assert check(path, None).faults == [f"run {run_id_of(1)}: its gaps between events are cut short"]


@pytest.mark.parametrize(
    ("statements", "faults"),
    [
        pytest.param(["DELETE FROM windows WHERE window = 2"],
                     ["1 rows of request_kinds have no windows"], id="orphans"),
        pytest.param(["INSERT INTO requests SELECT 500 + id, kind, due_us, lag_us, wait_us, span_us, tail_us, gap_us,"
                      " tokens_in, tokens_out, tokens_cached FROM requests WHERE id < 8"],
                     ["7 requests belong to no window"], id="requests outside any window"),
        pytest.param(["UPDATE windows SET first_id = 1 WHERE window = 2"],
                     ["two windows claim the same requests"], id="overlapping windows"),
        pytest.param(["UPDATE windows SET last_id = 900 WHERE window = 6"],
                     ["a window claims requests that are not there"], id="a window beyond its requests"),
        pytest.param(["DELETE FROM requests WHERE id = 5"], [f"run {run_id_of(1)}: it cannot be read"],
                     id="a request is missing"),
        pytest.param(["UPDATE windows SET heartbeats = x'1122334455667788' WHERE window = 3"],
                     [f"run {run_id_of(2)}: its heartbeats are damaged"], id="packed numbers"),
        pytest.param(["UPDATE request_kinds SET turn = -1 WHERE window = 3"],
                     [f"run {run_id_of(2)}: its requests are of turns, groups or sessions below 0"], id="a turn"),
        pytest.param(["INSERT INTO request_sessions VALUES (3, 0, -1)"],
                     [f"run {run_id_of(2)}: its requests are of turns, groups or sessions below 0"], id="a session"),
        pytest.param(["UPDATE request_kinds SET turn = 1000 WHERE window = 3"],
                     [f"run {run_id_of(2)}: its traffic has more than 1,000 classes or turns"], id="too many turns"),
        pytest.param(["UPDATE runs SET resolved = '{' WHERE run = 3"], [f"run {run_id_of(3)}: it cannot be read"],
                     id="a scenario"),
        pytest.param(["UPDATE request_kinds SET outcome = 'http_error' WHERE window < 3"],
                     [f"run {run_id_of(1)}: it is kept as inconclusive, and its requests come to error"],
                     id="requests that say otherwise"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_a_fault(path: Path, statements: Sequence[str], faults: list[str]) -> None:
    change(path, *statements)
    before = hashes(path)
    found = check(path, None).faults
    assert [fault[: len(said)] for fault, said in zip(found, faults, strict=False)] == faults
    assert hashes(path) == before


@pytest.mark.parametrize(
    ("statement", "notice"),
    [
        ("UPDATE results SET document = x'00' WHERE run = 2",
         f"run {run_id_of(2)}: no readable result is kept, so that each page of it is judged anew"),
        ("UPDATE windows SET end_us = end_us + 1000000 WHERE run = 2",
         f"run {run_id_of(2)}: its requests, judged now, give other figures than those kept"),
        ("UPDATE runs SET status = 'running' WHERE run = 2",
         f"run {run_id_of(2)}: its process died; the next verb that opens the store marks it as aborted"),
    ],
    ids=["an unreadable result", "other figures", "a dead process"],
)  # fmt: skip
def test_what_somebody_should_know_is_a_notice(path: Path, statement: str, notice: str) -> None:
    change(path, statement)
    checked = check(path, None)
    assert (checked.faults, checked.notices) == ([], [notice])


def test_a_run_that_passed_without_a_request_is_told(path: Path) -> None:
    with closing(connect(path)) as connection:
        connection.execute("UPDATE runs SET exit_code = 0 WHERE run = 2")
        connection.execute("DELETE FROM windows WHERE run = 2")
    (notice,) = check(path, None).notices
    assert notice == f"run {run_id_of(2)}: it has no requests: what it says it came to cannot be checked"


def test_a_store_in_use_is_checked_beside_its_writer(path: Path) -> None:
    with open_store(path) as store:
        store.begin(header_of(9, CHAT))
        store.remember(run_id_of(9), window())
        before = path.read_bytes()
        checked = check(path, None)
        assert (checked.faults, checked.runs) == ([], 5)
        assert checked.notices == [f"run {run_id_of(9)}: it goes on (process {os.getpid()})"]
        assert path.read_bytes() == before
        assert store.load(run_id_of(9)).status == "running"


def test_a_snapshot_on_read_only_media_is_checked(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "media"
    folder.mkdir()
    made = write_snapshot(path, folder / "runs.db").path
    made.chmod(0o444)
    folder.chmod(0o555)
    assert check(made, None).faults == []
    assert [each.name for each in folder.iterdir()] == ["runs.db"]
    folder.chmod(0o755)


@pytest.mark.parametrize("dump", sorted(VERSIONS.glob("*.sql")), ids=lambda dump: dump.stem)
def test_a_store_of_an_earlier_version_is_checked_as_it_is(dump: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    with closing(sqlite3.connect(old)) as connection:
        connection.executescript(dump.read_text(encoding="utf-8"))
        connection.execute("UPDATE runs SET status = 'finished', resolved = ?", (CHAT.document.resolved,))
        connection.commit()
    before = hashes(old)
    checked = check(old, None)
    assert checked.faults == []
    assert checked.notices[0].startswith("an earlier llmload wrote it (001 runs and requests); the next verb")
    assert hashes(old) == before


def test_a_damaged_file_is_a_fault(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[4096 * 8 : 4096 * 20] = os.urandom(4096 * 12)
    path.write_bytes(whole)
    assert "SQLite" in check(path, None).faults[0]


@pytest.mark.parametrize(
    ("raw", "said"),
    [(b"dear diary\n" * 500, "this is not an SQLite file"), (b"", "this file is empty")],
    ids=["text", "empty"],
)
def test_what_is_no_store_is_refused(tmp_path: Path, raw: bytes, said: str) -> None:
    (tmp_path / "x.db").write_bytes(raw)
    with pytest.raises(StoreError, match=said):
        check(tmp_path / "x.db", None)
    with pytest.raises(UsageError, match="there is no store here"):
        check(tmp_path / "y.db", None)
