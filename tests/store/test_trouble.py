"""A store that cannot be used says what is wrong and what to do, and exits 5."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from llmload.errors import StoreError
from llmload.store.database import open_store
from tests.command import UNCOVERED
from tests.recorded_runs import CLEAN
from tests.store.observations import window

ROOT = Path(__file__).parents[2]
RUN = CLEAN.header.run_id


def refusal(path: Path) -> str:
    with pytest.raises(StoreError) as caught, open_store(path) as store:
        store.list_runs()
    assert caught.value.exit_code == 5
    return str(caught.value)


def test_a_file_that_is_not_sqlite_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary\n" * 200)
    assert "this is not an SQLite file. Name another file with --store" in refusal(path)
    assert path.read_text().startswith("dear diary")


def test_a_database_of_another_program_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE songs (title)")
    before = path.read_bytes()
    assert "belongs to another program" in refusal(path)
    assert path.read_bytes() == before


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with open_store(path) as store:
        store._connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('llmload', '999 future', '2030')"
        )
    assert "written by a newer llmload (it has '999 future'). Upgrade llmload" in refusal(path)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with open_store(path) as store:
        store.begin(CLEAN.header)
        store.remember(RUN, window(requests=2000))
    whole = bytearray(path.read_bytes())
    whole[4096 : len(whole) // 2] = os.urandom(len(whole) // 2 - 4096)
    path.write_bytes(whole)
    with pytest.raises(StoreError, match="damaged"), open_store(path) as store:
        store.load(RUN)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "its folder does not exist, or may not be entered" in refusal(tmp_path / "nowhere" / "runs.db")


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    assert "cannot be opened or made" in refusal(tmp_path)


def test_a_full_disk_keeps_the_windows_before_it(tmp_path: Path) -> None:
    with open_store(tmp_path / "runs.db") as store:
        store.begin(CLEAN.header)
        store.remember(RUN, window(0))
        (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
        store._connection.execute(f"PRAGMA max_page_count = {pages + 4}")
        with pytest.raises(StoreError, match=r"the disk is full. Make room.*--resume"):
            store.remember(RUN, window(1, requests=5000))
        store._connection.execute("PRAGMA max_page_count = 1000000")
        assert store.load(RUN).observations == (window(0),)
        store.remember(RUN, window(1))


LIMITED = """
import resource, signal, sys
from pathlib import Path
from llmload.errors import StoreError
from llmload.store.database import open_store
from tests.recorded_runs import CLEAN
from tests.store.observations import window

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with open_store(Path(sys.argv[1])) as store:
    store.begin(CLEAN.header)
    store.remember(CLEAN.header.run_id, window(0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
    try:
        store.remember(CLEAN.header.run_id, window(1, requests=20_000))
    except StoreError as error:
        print(error)
"""


def test_a_disk_that_takes_no_more_bytes_is_told_and_the_store_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    told = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert told.returncode == 0, told.stderr
    assert "--store" in told.stdout or "Make room" in told.stdout
    with open_store(path) as store:
        assert store.load(RUN).observations == (window(0),)


READER = """
import os, sys
from pathlib import Path
from llmload.errors import StoreError
from llmload.store.database import open_store

if os.getuid() == 0:
    os.setuid(65534)  # permissions do not hold the superuser back
try:
    with open_store(Path(sys.argv[1])) as store:
        print(*[run.run_id for run in store.list_runs()])
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize("store", [pytest.param(True, id="store there"), pytest.param(False, id="store to be made")])
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, store: bool) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    if store:
        with open_store(folder / "runs.db") as opened:
            opened.begin(CLEAN.header)
    for place in (tmp_path, *tmp_path.parents):
        if place.stat().st_mode & 0o077 == 0:  # pytest's own folders are for their owner alone
            place.chmod(0o755)
    folder.chmod(0o555)
    told = subprocess.run(
        [sys.executable, "-c", READER, str(folder / "runs.db")],
        cwd=ROOT,
        env=UNCOVERED,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    folder.chmod(0o755)
    assert "permissions" in told.stdout or "can be written" in told.stdout, told.stdout + told.stderr


def test_a_writer_that_waits_too_long_says_who_is_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with open_store(path) as one, open_store(path) as two:
        two._connection.execute("PRAGMA busy_timeout = 50")
        one._connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process has been writing"):
            two.begin(replace(CLEAN.header, run_id="second"))
        one._connection.execute("ROLLBACK")
        two.begin(replace(CLEAN.header, run_id="second"))
