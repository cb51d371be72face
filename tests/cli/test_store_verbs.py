"""`llmload store merge`, `delete`, `prune` and `check`, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmload.store.database import open_store
from tests.cli.stored_runs import header_of, put_run, run_id_of, scenario_of
from tests.command import here
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
