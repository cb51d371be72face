"""Several real processes on one file, and what is left when one of them is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from llmload.store import process
from llmload.store.database import open_store
from llmload.store.process import Life, Process, life_of, this_process
from tests.recorded_runs import CLEAN
from tests.store.observations import window

ROOT = Path(__file__).parents[2]

WRITER = """
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from llmload.errors import StoreError
from llmload.store.database import open_store
from tests.recorded_runs import CLEAN
from tests.store.observations import PROGRESS, window

path, run_id, ending = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
with open_store(path) as store:
    print(*store.recover())
    store.begin(replace(CLEAN.header, run_id=run_id))
    for step in range(3):
        for done in range(10):
            with suppress(StoreError):  # gives up soon where another process is writing, as the runner lets it
                store.progress(run_id, replace(PROGRESS, done=done))
        store.remember(run_id, window(step, requests=200), CLEAN.steps[0].metrics)
    if ending == "hang":
        print("stored", flush=True)
        store._connection.execute("BEGIN IMMEDIATE")  # in the middle of a write
        store._connection.execute("DELETE FROM windows")
        sys.stdin.read()
    store.finish(run_id, CLEAN, "finished")
"""


def writer(path: Path, run_id: str, ending: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), run_id, ending],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_five_processes_begin_one_store_and_all_finish(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    writers = [writer(path, f"run-{number}", "finish") for number in range(5)]
    told = [each.communicate(timeout=100)[0] for each in writers]
    assert [each.returncode for each in writers] == [0] * 5
    assert [text.strip() for text in told] == [""] * 5, "a living run was called dead"
    with open_store(path) as store:
        assert {run.status for run in store.list_runs()} == {"finished"}
        for number in range(5):
            steps = [seen.look.step.index for seen in store.load(f"run-{number}").observations]
            assert steps == [0, 1, 2]


def test_a_run_whose_process_was_killed_is_aborted_and_keeps_its_windows(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with writer(path, "victim", "hang") as victim, open_store(path) as store:
        assert victim.stdout is not None
        assert "stored" in [victim.stdout.readline().strip() for _ in range(2)]
        assert store.recover() == ()
        victim.kill()
        os.waitid(os.P_PID, victim.pid, os.WEXITED | os.WNOWAIT)  # a zombie now: dead, though its pid is still taken
        assert store.recover() == ("victim",)
    with open_store(path) as store:
        loaded = store.load("victim")
        assert loaded.status == "aborted"
        assert loaded.observations == tuple(window(step, requests=200) for step in range(3))
        store.resume("victim")
        assert store.recover() == ()


def test_a_process_is_itself_and_no_other_with_its_pid() -> None:
    me = this_process()
    assert life_of(me) is Life.ALIVE
    assert life_of(replace(me, started="1")) is Life.DEAD
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert life_of(replace(me, pid=child.pid)) is Life.DEAD


@pytest.mark.parametrize(
    ("place", "life"),
    [
        pytest.param("{host}/an-earlier-boot/pid:[1]", Life.DEAD, id="this machine before it was started again"),
        pytest.param("{host}/{boot}/pid:[1]", Life.UNKNOWN, id="another container on this machine"),
        pytest.param("elsewhere/other/pid:[1]", Life.UNKNOWN, id="another machine"),
    ],
)
def test_a_pid_means_something_only_in_its_place(place: str, life: Life) -> None:
    host, *boot = this_process().place.split("/")
    if not boot:
        place, life = "elsewhere", Life.UNKNOWN  # a system without /proc tells its host's name only
    told = place.format(host=host, boot=boot[0] if boot else "")
    assert life_of(Process(told, os.getpid(), this_process().started)) is life


def test_a_process_out_of_sight_counts_as_dead_after_an_hour_of_silence(tmp_path: Path) -> None:
    with open_store(tmp_path / "runs.db") as store:
        store.begin(CLEAN.header)
        store._connection.execute("UPDATE progress SET place = 'elsewhere'")
        assert store.recover() == ()
        store._connection.execute("UPDATE progress SET seen_s = seen_s - ?", (process.SILENCE_S + 1,))
        assert store.recover() == (CLEAN.header.run_id,)


def test_where_there_is_no_proc_ps_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ps = tmp_path / "ps"
    ps.write_text('#!/bin/sh\n[ "$4" = 7 ] && echo "Sat Nov 21 01:43:07 2026"\n')
    ps.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert process._start_by_ps(7) == "Sat Nov 21 01:43:07 2026"
    assert process._start_by_ps(8) is None


def test_a_process_whose_start_is_not_told_is_out_of_sight() -> None:
    assert life_of(replace(this_process(), started="")) is Life.UNKNOWN
