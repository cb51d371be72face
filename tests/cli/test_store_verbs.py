"""`llmload store merge`, `delete`, `prune` and `check`, as they are typed."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from llmload.store.database import open_store
from tests.cli.stored_runs import header_of, put_run, run_id_of, scenario_of
from tests.command import LLMLOAD, here
from tests.store.observations import window

CHAT = scenario_of()


def fill(path: Path, *numbers: int) -> None:
    path.parent.mkdir(exist_ok=True)
    with open_store(path) as store:
        for number in numbers:
            put_run(store, number, CHAT, [window(0, requests=20)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store of three runs, of which one goes on."""
    fill(tmp_path / "llmload.db", 1, 2)
    with open_store(tmp_path / "llmload.db") as store:
        store.begin(header_of(9, CHAT))
    return tmp_path


def listed(folder: Path) -> list[str]:
    return sorted(run["run_id"] for run in json.loads(here("runs", "--json", cwd=folder).stdout))


# ---------------------------------------------------------------- merge


def test_merge_says_in_words_what_it_did(folder: Path) -> None:
    fill(folder / "other.db", 2, 3)
    done = here("store", "merge", "other.db", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "other.db: 1 run merged (20 requests), 1 run here already\n"
    assert listed(folder) == [run_id_of(number) for number in (1, 2, 3, 9)]


def test_merge_goes_on_after_a_file_that_cannot_be_taken_and_exits_2(folder: Path) -> None:
    fill(folder / "other.db", 3)
    (folder / "notes.db").write_text("dear diary\n" * 100)
    done = here("store", "merge", "notes.db", "llmload.db", "other.db", cwd=folder)
    assert done.returncode == 2
    assert "llmload: notes.db: is not an SQLite file. Name a store that `llmload` wrote" in done.stderr
    assert "llmload: llmload.db: is the store itself. Name the stores of others" in done.stderr
    assert done.stdout == "other.db: 1 run merged (20 requests)\n"


def test_merge_as_json_names_the_runs(folder: Path) -> None:
    fill(folder / "other.db", 2, 3)
    with open_store(folder / "other.db") as store:
        store.begin(header_of(8, CHAT))
    done = here("store", "merge", "other.db", "--dry-run", "--json", cwd=folder)
    assert json.loads(done.stdout) == [
        {
            "file": "other.db",
            "added": [run_id_of(3)],
            "requests": 20,
            "known": [run_id_of(2)],
            "going_on": [run_id_of(8)],
            "notices": [],
        }
    ]
    assert run_id_of(3) not in listed(folder)
    told = here("store", "merge", "other.db", "--dry-run", cwd=folder).stdout
    assert "1 run would be merged (20 requests)" in told
    assert f"  left out: {run_id_of(8)} has not ended there" in told


# ---------------------------------------------------------------- delete and prune


def test_delete_says_what_goes_and_how_the_space_comes_back(folder: Path) -> None:
    done = here("store", "delete", run_id_of(1), "--yes", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    assert first.startswith(f"to remove: {run_id_of(1)} chat 2026-11-21T01:43:01.000Z ")
    assert first.endswith(" 20 requests")
    assert second.startswith("1 run removed. 0.")
    assert second.endswith(" MB lie unused in the file: new runs use them; `llmload store prune --vacuum` gives"
                           " them back to the disk.")  # fmt: skip
    assert listed(folder) == [run_id_of(2), run_id_of(9)]


@pytest.mark.parametrize("verb", [["delete", run_id_of(1)], ["prune", "--keep", "1"]], ids=["delete", "prune"])
def test_nothing_is_removed_where_nobody_can_be_asked(folder: Path, verb: list[str]) -> None:
    done = here("store", *verb, cwd=folder)
    assert done.returncode == 2
    assert "would be removed for good. Add --yes" in done.stderr
    assert len(listed(folder)) == 3


@pytest.mark.parametrize(("answer", "left", "code"), [("n", 3, 2), ("y", 2, 0)], ids=["no", "yes"])
def test_on_a_terminal_delete_asks(folder: Path, answer: str, left: int, code: int) -> None:
    terminal, ours = pty.openpty()
    try:
        os.write(terminal, f"{answer}\n".encode())
        command = [LLMLOAD, "store", "delete", run_id_of(1)]
        done = subprocess.run(command, cwd=folder, stdin=ours, capture_output=True, text=True, check=False, timeout=60)
    finally:
        os.close(terminal)
        os.close(ours)
    assert "Remove 1 run for good? [y/N]" in done.stderr
    assert ("Nothing was removed." in done.stderr) is (answer == "n")
    assert (done.returncode, len(listed(folder))) == (code, left)


def test_a_run_that_goes_on_is_not_deleted(folder: Path) -> None:
    done = here("store", "delete", run_id_of(1), run_id_of(9), "--yes", cwd=folder)
    assert done.returncode == 2
    assert f"run {run_id_of(9)}: a process still works on it" in done.stderr
    assert len(listed(folder)) == 3


def test_prune_says_first_and_removes_what_it_said(folder: Path) -> None:
    fill(folder / "llmload.db", 3)
    told = here("store", "prune", "--keep", "2", "--dry-run", cwd=folder).stdout
    assert [line.split()[3] for line in told.splitlines()] == [run_id_of(1), run_id_of(2)]
    (would,) = json.loads(here("store", "prune", "--keep", "2", "--dry-run", "--json", cwd=folder).stdout).values()
    assert [run["run_id"] for run in would] == [run_id_of(1), run_id_of(2)]
    done = json.loads(here("store", "prune", "--keep", "2", "--yes", "--json", cwd=folder).stdout)
    assert done["removed"] == [run_id_of(1), run_id_of(2)]
    assert done["file_bytes"] > done["free_bytes"] > 0
    assert here("store", "prune", "--keep", "2", cwd=folder).returncode == 0  # there is nothing to ask


def test_prune_with_vacuum_makes_the_file_smaller(tmp_path: Path) -> None:
    fill(tmp_path / "llmload.db", *range(1, 9))
    before = (tmp_path / "llmload.db").stat().st_size
    done = here("store", "prune", "--keep", "1", "--vacuum", "--yes", cwd=tmp_path)
    assert "7 runs removed. The file has 0." in done.stdout
    assert (tmp_path / "llmload.db").stat().st_size < before


def test_prune_names_the_runs_that_stay_since_they_go_on(folder: Path) -> None:
    done = here("store", "prune", "--older-than", "0h", "--dry-run", cwd=folder)
    assert f"1 run stays, going on: {run_id_of(9)}" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "store prune: no condition says which runs. Add --keep, --older-than or --status"),
        (["--older-than", "soon"], "--older-than 'soon': is no age. Write days or hours, like 90d or 12h"),
        (["--status", "bad"], "--status 'bad': is no way to end. Choose of: finished, failed"),
        (["--vacuum"], f"run {run_id_of(9)} goes on, and could not write meanwhile"),
    ],
    ids=["no condition", "age", "status", "a vacuum while a run goes on"],
)
def test_prune_asked_wrongly_says_so(folder: Path, arguments: list[str], said: str) -> None:
    done = here("store", "prune", *arguments, cwd=folder)
    assert done.returncode == 2
    assert said in done.stderr


# ---------------------------------------------------------------- check


def test_check_says_what_a_sound_store_holds(folder: Path) -> None:
    done = here("store", "check", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("llmload.db: 3 runs, 0.")
    (requests,) = (line for line in done.stdout.splitlines() if line.startswith("  requests "))
    assert requests.split()[1] == "40"
    assert f"note: run {run_id_of(9)}: it goes on (process {os.getpid()})" in done.stdout
    assert done.stdout.endswith("\nSound; 2 runs judged again from the requests.\n")


def test_check_exits_5_where_something_cannot_be_relied_on(folder: Path) -> None:
    with open_store(folder / "llmload.db") as store:
        store._connection.execute("DELETE FROM requests WHERE id = 25")
    done = here("store", "check", "--deep", cwd=folder)
    assert done.returncode == 5
    assert f"fault: run {run_id_of(2)}: it cannot be read" in done.stdout
    assert done.stdout.endswith("1 fault found.\n")
    document = json.loads(here("store", "check", "--json", cwd=folder).stdout)
    assert (document["is_sound"], len(document["faults"]), document["runs"]) == (False, 1, 3)
    assert here("store", "check", "--store", "nowhere.db", cwd=folder).returncode == 2
