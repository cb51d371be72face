"""`llmload publish`: what it writes, what it says, and what it refuses."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from tests.command import here
from tests.recorded_runs import CLEAN, TROUBLE
from tests.site.stores import RUNNING, fill


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("publish") / "llmload.db")


@pytest.fixture
def work(kept: Path, tmp_path: Path) -> Path:
    """A folder with a store in it."""
    shutil.copy(kept, tmp_path / "llmload.db")
    return tmp_path


def runs_in(database: Path) -> int:
    with closing(sqlite3.connect(f"file:{database}?immutable=1", uri=True)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM runs").fetchone()
    return int(count)


def test_a_folder_gets_pages_downloads_and_a_copy_of_the_store(work: Path) -> None:
    before = sha256((work / "llmload.db").read_bytes()).hexdigest()
    done = here("publish", "site", "--runs", "2", cwd=work)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("site/index.html: 2 runs, ")
    assert RUNNING in done.stdout
    assert len(list((work / "site/benchmark").glob("*.html"))) == 2
    assert runs_in(work / "site/llmload.db") == 2
    assert sha256((work / "llmload.db").read_bytes()).hexdigest() == before


def test_programs_are_told_what_was_written(work: Path) -> None:
    done = here("publish", "site", "--snapshot", "some.db", "--scenario", CLEAN.header.scenario, "--json", cwd=work)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    files = [path for path in (work / "site").rglob("*") if path.is_file()]
    assert told["site"]["files"] == told["site"]["written"] == len(files)
    assert told["site"]["bytes"] == sum(path.stat().st_size for path in files)
    assert told["site"]["pages"] == sum(path.suffix == ".html" for path in files)
    assert told["snapshot"] == {"path": "some.db", "runs": told["runs"], "bytes": (work / "some.db").stat().st_size}
    assert told["going_on"] == [RUNNING]
    assert runs_in(work / "some.db") == told["runs"]


def test_what_is_published_again_is_written_only_where_it_changed(work: Path) -> None:
    here("publish", "site", "--runs", "3", cwd=work)
    again = json.loads(here("publish", "site", "--runs", "3", "--json", cwd=work).stdout)
    fewer = json.loads(here("publish", "site", "--runs", "2", "--json", cwd=work).stdout)
    assert (again["site"]["written"], again["site"]["removed"]) == (0, 0)
    assert fewer["site"]["removed"] > 0
    assert len(list((work / "site/benchmark").glob("*.html"))) == 2


def test_workbooks_come_and_the_database_goes_when_asked(work: Path) -> None:
    done = here("publish", "site", "--scenario", TROUBLE.header.scenario, "--excel", "--no-database", cwd=work)
    assert done.returncode == 0, done.stderr
    assert len(list((work / "site/benchmark").glob("*.xlsx"))) == 1
    assert not (work / "site/llmload.db").exists()


def test_pages_speak_the_language_that_was_asked_for(work: Path) -> None:
    assert here("publish", "site", "--runs", "1", "--lang", "ko", cwd=work).returncode == 0
    (page,) = (work / "site/benchmark").glob("*.html")
    assert '<html lang="ko">' in page.read_text("utf-8")


def _nothing(_: Path) -> None:
    pass


def _a_file(work: Path) -> None:
    (work / "site").write_text("mine")


def _a_full_folder(work: Path) -> None:
    (work / "site").mkdir()
    (work / "site/thesis.odt").write_text("mine")


def _our_own_store(work: Path) -> None:
    (work / "site").mkdir()
    (work / "llmload.db").rename(work / "site/llmload.db")


@pytest.mark.parametrize(
    ("make", "arguments", "said"),
    [
        pytest.param(_nothing, [], "neither DIR nor --snapshot", id="nothing to write"),
        pytest.param(_nothing, ["site", "--store", "no.db"], "there is no store here", id="no store"),
        pytest.param(_a_file, ["site"], "is a file", id="a file"),
        pytest.param(_a_full_folder, ["site"], "was not published by llmload", id="somebody else's folder"),
        pytest.param(_our_own_store, ["site", "--store", "site/llmload.db"], "its copy would go", id="onto the store"),
        pytest.param(_nothing, ["."], "its copy would go", id="the folder of the store"),
        pytest.param(_nothing, [".", "--no-database"], "was not published by llmload", id="that folder without a copy"),
        pytest.param(_nothing, ["--snapshot", "llmload.db"], "is the store itself", id="snapshot onto the store"),
        pytest.param(_nothing, ["site", "--scenario", "nobody"], "the store has no run of it", id="unknown scenario"),
        pytest.param(_nothing, ["site", "--lang", "tlh"], "no language of reports", id="unknown language"),
        pytest.param(_nothing, ["site", "--runs", "0"], "--runs", id="no run at all"),
    ],
)
def test_what_cannot_be_done_is_refused(
    make: Callable[[Path], None], arguments: list[str], said: str, work: Path
) -> None:
    make(work)
    before = {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}
    done = here("publish", *arguments, cwd=work)
    assert done.returncode == 2
    assert said in done.stderr
    assert {path: path.read_bytes() for path in work.rglob("*") if path.is_file()} == before
