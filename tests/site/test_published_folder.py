"""The folder of a site is replaced whole, and only what llmload wrote there before is ever touched."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from llmload.errors import StoreError, UsageError
from llmload.site.published_folder import MANIFEST, Published, put, stage

FIRST = {"index.html": b"one", "benchmark/a.html": b"a", "benchmark/b.html": b"b"}


def publish(folder: Path, files: Mapping[str, bytes]) -> Published:
    with stage(folder) as staging:
        for path, content in files.items():
            staging.add(path, content)
        return put(staging)


def content_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    publish(tmp_path / "site", FIRST)
    return tmp_path / "site"


def test_a_site_has_its_files_and_nothing_else(site: Path) -> None:
    assert content_of(site) == FIRST
    assert sorted(path.name for path in site.iterdir()) == ["benchmark", "index.html", MANIFEST]


def test_what_is_no_longer_published_goes_and_what_did_not_change_is_left_alone(site: Path) -> None:
    before = (site / "benchmark/a.html").stat()
    done = publish(site, {"index.html": b"two", "benchmark/a.html": b"a"})
    assert content_of(site) == {"index.html": b"two", "benchmark/a.html": b"a"}
    assert (done.changed, done.removed) == (2, ("benchmark/b.html",))  # the first page and the list of files
    assert (site / "benchmark/a.html").stat().st_mtime_ns == before.st_mtime_ns


def test_a_folder_that_holds_nothing_any_more_goes(site: Path) -> None:
    publish(site, {"index.html": b"two"})
    assert not (site / "benchmark").exists()


def test_files_of_others_stay(site: Path) -> None:
    others = {"CNAME": b"bench.example", ".nojekyll": b"", "benchmark/notes.txt": b"mine"}
    for name, content in others.items():
        (site / name).write_bytes(content)
    publish(site, {"index.html": b"two"})
    assert content_of(site) == {"index.html": b"two", **others}


def test_a_new_folder_may_have_hidden_files(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    publish(tmp_path, FIRST)
    assert content_of(tmp_path) == FIRST


def _with_a_file(folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis.odt").write_bytes(b"years")


def _as_a_file(folder: Path) -> None:
    folder.write_bytes(b"years")


def _with_another_list(folder: Path) -> None:
    folder.mkdir()
    (folder / MANIFEST).write_text('{"files": "all"}')


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        pytest.param(_with_a_file, "it has thesis.odt", id="a folder with something in it"),
        pytest.param(_as_a_file, "is a file", id="a file"),
        pytest.param(_with_another_list, "is not the list of files", id="a list that is not ours"),
    ],
)
def test_a_folder_that_is_not_ours_is_refused(make: Callable[[Path], None], problem: str, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    make(folder)
    with pytest.raises(UsageError, match=problem):
        publish(folder, FIRST)
    assert not list(tmp_path.rglob("index.html"))


def test_somebody_elses_file_is_not_replaced(site: Path) -> None:
    (site / "new.html").write_bytes(b"mine")
    with pytest.raises(UsageError, match="llmload did not write it"):
        publish(site, {**FIRST, "index.html": b"two", "new.html": b"ours"})
    assert content_of(site) == {**FIRST, "new.html": b"mine"}


@pytest.mark.parametrize("path", ["../victim", "benchmark/../../victim", "/victim", "", ".", "out/victim", "a\0b"])
def test_a_forged_list_removes_nothing_outside(path: str, site: Path) -> None:
    victim = site.parent / "victim"
    victim.write_bytes(b"precious")
    (site / "out").symlink_to(site.parent)
    told = json.loads((site / MANIFEST).read_text())
    named = str(victim) if path == "/victim" else path
    (site / MANIFEST).write_text(json.dumps({**told, "files": [*told["files"], named]}))
    publish(site, FIRST)
    assert victim.read_bytes() == b"precious"
    assert content_of(site) == FIRST


def test_a_link_out_of_the_folder_is_not_followed(site: Path) -> None:
    (site / "trends").symlink_to(site.parent)
    with pytest.raises(UsageError, match="trends"):
        publish(site, {**FIRST, "trends/chat.html": b"t"})
    assert not (site.parent / "chat.html").exists()


def break_off(folder: Path, error: BaseException) -> None:
    with stage(folder) as staging:
        staging.add("index.html", b"two")
        raise error


def test_a_publishing_that_breaks_off_leaves_the_old_site(site: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        break_off(site, KeyboardInterrupt())
    assert content_of(site) == FIRST
    assert not list(site.glob(".llmload-*"))


def test_a_publishing_that_breaks_off_leaves_no_new_folder(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        break_off(tmp_path / "site", KeyboardInterrupt())
    assert not (tmp_path / "site").exists()


def test_a_full_disk_leaves_the_old_site_and_says_so(site: Path) -> None:
    with pytest.raises(StoreError, match=r"no room for the site.*what was there before is whole"):
        break_off(site, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert content_of(site) == FIRST


def test_what_a_killed_process_left_is_cleared(site: Path) -> None:
    (site / ".llmload-killed").mkdir()
    (site / ".llmload-killed" / "index.html").write_bytes(b"half")
    publish(site, FIRST)
    assert not list(site.glob(".llmload-*"))


def test_two_pages_in_one_file_are_a_defect_that_is_told(site: Path) -> None:
    with stage(site) as staging:
        staging.add("a.html", b"1")
        with pytest.raises(StoreError, match="two pages would be one file"):
            staging.add("a.html", b"2")
