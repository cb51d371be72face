"""What git says of the working directory, asked of real repositories."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmload import git
from tests.repositories import run_git


def commit(name: str, content: str) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    run_git("add", name)
    run_git("commit", "--quiet", "--message", name)
    return run_git("rev-parse", "HEAD")


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory is one, whose branch main has one commit with one file."""
    monkeypatch.chdir(tmp_path)
    run_git("init", "--quiet", "--initial-branch", "main")
    commit("folder/file", "one")
    return tmp_path


def test_the_merge_base_is_where_the_branch_left_the_default_one() -> None:
    left = run_git("rev-parse", "HEAD")
    run_git("checkout", "--quiet", "-b", "faster")
    commit("folder/file", "two")
    run_git("checkout", "--quiet", "main")
    commit("other", "three")
    run_git("checkout", "--quiet", "faster")
    assert git.merge_base() == left
    assert git.default_branch() == ("main", run_git("rev-parse", "main"))


def test_what_the_remote_calls_its_default_branch_goes_before_our_own_main(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_git("branch", "--move", "trunk")
    clone = tmp_path_factory.mktemp("clone") / "here"
    run_git("clone", "--quiet", str(repository), str(clone))
    monkeypatch.chdir(clone)
    run_git("branch", "main")
    assert git.default_branch() == ("trunk", run_git("rev-parse", "HEAD"))


def test_a_file_is_read_as_it_was_at_a_commit_also_from_a_folder_below(monkeypatch: pytest.MonkeyPatch) -> None:
    then = run_git("rev-parse", "HEAD")
    commit("folder/file", "two")
    assert git.content_of(then, Path("folder/file"), 100) == b"one"
    monkeypatch.chdir("folder")
    assert git.content_of(then, Path("file"), 100) == b"one"
    assert git.content_of(then, Path("../folder/file").resolve(), 100) == b"one"
    assert git.names_in(then, Path("../folder")) == ("file",)


def test_what_is_not_there_is_none_and_what_is_too_large_too() -> None:
    head = run_git("rev-parse", "HEAD")
    assert git.content_of(head, Path("folder/file"), 2) is None
    assert git.content_of(head, Path("none"), 100) is None
    assert git.content_of(head, Path("folder"), 10_000) is None
    assert git.content_of(head, Path("/somewhere/else"), 100) is None
    assert git.content_of(head, Path("a\0b"), 100) is None
    assert git.names_in(head, Path("none")) == ()


@pytest.mark.parametrize(
    "ref",
    [
        pytest.param("", id="nothing"),
        pytest.param("--all", id="an option"),
        pytest.param("-n1", id="a short option"),
        pytest.param("--output=stolen", id="an option that writes"),
        pytest.param("main other", id="two words"),
        pytest.param("main:folder/file", id="a file"),
        pytest.param("nowhere", id="a branch that is not there"),
        pytest.param("main\0", id="a NUL"),
    ],
)
def test_what_names_no_commit_is_none(repository: Path, ref: str) -> None:
    assert git.commit_of(ref) is None
    assert not (repository / "stolen").exists()


@pytest.mark.parametrize("ref", ["main", "HEAD", "v1", "main~0", "refs/heads/main"])
def test_a_branch_a_tag_and_an_expression_name_a_commit(ref: str) -> None:
    run_git("tag", "v1")
    assert git.commit_of(ref) == run_git("rev-parse", "HEAD")


def test_a_filter_that_the_repository_asks_for_is_not_run(repository: Path) -> None:
    (repository / ".gitattributes").write_text("file diff=evil\n")
    run_git("config", "diff.evil.textconv", f"touch {repository}/owned; cat")
    assert git.content_of("HEAD", Path("folder/file"), 100) == b"one"
    assert not (repository / "owned").exists()


def test_without_git_and_outside_of_a_repository_there_is_no_answer(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(outside.parent))
    monkeypatch.chdir(outside)
    assert git.merge_base() is None
    monkeypatch.setenv("PATH", str(outside))
    assert git.default_branch() is None
