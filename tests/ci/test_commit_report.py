"""`llmload ci commit-report`, as a user calls it in real repositories."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from llmload.store.baseline_file import read_file
from tests.cli.stored_history import Made, fill, many
from tests.command import here
from tests.repositories import commit_all, run_git


@pytest.fixture(scope="module")
def ten_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with ten runs of one scenario, for copies."""
    path = tmp_path_factory.mktemp("stores") / "ten.db"
    fill(path, many(10, branch=""))
    return path


@pytest.fixture
def store(ten_runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store that commands use, outside of the repository."""
    path = tmp_path / "llmload.db"
    shutil.copyfile(ten_runs, path)
    monkeypatch.setenv("LLMLOAD_STORE", str(path))
    return path


@pytest.fixture
def checkout(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit on main; it is the working directory."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    for name in ("GITHUB_ACTIONS", "GITHUB_TOKEN", "GITHUB_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)
    run_git("init", "--quiet", "--initial-branch", "main")
    run_git("config", "user.name", "Some One")
    run_git("config", "user.email", "one@example.org")
    (folder / "file").write_text("one\n")
    (folder / ".gitignore").write_text("/reports/\n")
    commit_all("begin")
    return folder


def record(checkout: Path, *words: str, formats: str = "csv") -> subprocess.CompletedProcess[str]:
    """Steps as CSV draw no chart, and so take no time."""
    return here("ci", "commit-report", "--format", formats, *words, cwd=checkout)


def done(checkout: Path, *words: str, formats: str = "csv") -> str:
    finished = record(checkout, *words, formats=formats)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def changed_in(commit: str) -> list[str]:
    return run_git("diff-tree", "-r", "--name-status", "--no-commit-id", commit).splitlines()


# ---------------------------------------------------------------- onto the branch that is checked out


def test_the_commit_has_the_report_and_nothing_else_of_what_is_staged_or_changed(checkout: Path) -> None:
    (checkout / "file").write_text("two\n")
    (checkout / "staged").write_text("mine\n")
    run_git("add", "staged")
    said = done(checkout, formats="markdown")
    names = [line.split("\t")[1] for line in changed_in("HEAD")]
    assert "reports/chat/report.md" in names
    assert all(name.startswith("reports/chat/report") for name in names)
    assert "reports/chat/report.md" in said
    assert f"Committed {run_git('rev-parse', 'HEAD')[:12]} on main." in said
    assert run_git("status", "--porcelain").splitlines() == ["M file", "A  staged"]  # the first blank is stripped
    assert (checkout / "reports/chat/report.md").read_bytes().startswith(b"# ")


def test_the_message_says_which_runs_came_to_what_and_marks_the_commit(checkout: Path) -> None:
    done(checkout, "--message", "Look  at\x1b[31m this")
    assert run_git("log", "-1", "--format=%B").splitlines() == [
        "Look at this",
        "",
        f"chat: run {Made(9).run_id}, incomparable (1 gate check: 1 without a baseline)",
        "",
        f"Llmload-Run: {Made(9).run_id}",
    ]
    assert run_git("log", "-1", "--format=%an %ae") == "Some One one@example.org"


def test_without_a_change_there_is_no_commit(checkout: Path) -> None:
    done(checkout)
    head = run_git("rev-parse", "HEAD")
    said = done(checkout)
    assert said == f"Nothing changed since {head[:12]}, so there is no commit: reports/chat/steps.csv\n"
    assert run_git("rev-parse", "HEAD") == head


def test_a_picture_that_an_earlier_report_showed_goes_with_it(checkout: Path) -> None:
    folder = checkout / "reports/chat"
    folder.mkdir(parents=True)
    (folder / "report-capacity.svg").write_text("<svg/>")
    (folder / "notes.md").write_text("mine")
    run_git("add", "--force", "reports")
    run_git("commit", "--quiet", "--message", "old")
    done(checkout, formats="markdown")
    assert "D\treports/chat/report-capacity.svg" in changed_in("HEAD")
    assert not (folder / "report-capacity.svg").exists()
    assert (folder / "notes.md").exists()
    assert run_git("status", "--porcelain") == ""


def test_from_a_folder_below_the_top_the_report_lies_there(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = checkout / "bench"
    below.mkdir()
    monkeypatch.chdir(below)
    done(below)
    assert changed_in("HEAD") == ["A\tbench/reports/chat/steps.csv"]


def test_runs_of_several_scenarios_are_one_commit(checkout: Path, store: Path) -> None:
    fill(store, [Made(30, scenario="code", branch="")])
    done(checkout, Made(30).run_id, Made(4).run_id)
    assert changed_in("HEAD") == ["A\treports/chat/steps.csv", "A\treports/code/steps.csv"]
    assert run_git("log", "-1", "--format=%s") == "Record report of code, chat"


def test_a_hook_for_commits_of_people_does_not_run(checkout: Path) -> None:
    hook = checkout / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {checkout}/ran\nexit 1\n")
    hook.chmod(0o755)
    done(checkout)
    assert not (checkout / "ran").exists()


def test_a_filter_of_the_repository_sees_what_is_committed(checkout: Path) -> None:
    run_git("config", "filter.shout.clean", "tr a-z A-Z")
    (checkout / ".gitattributes").write_text("*.csv filter=shout\n")
    commit_all("attributes")
    done(checkout)
    written = (checkout / "reports/chat/steps.csv").read_text(encoding="utf-8-sig")
    committed = run_git("show", "HEAD:reports/chat/steps.csv").lstrip("\ufeff")
    assert committed.splitlines()[0] == written.splitlines()[0].upper() != written.splitlines()[0]
    assert run_git("status", "--porcelain") == ""


# ---------------------------------------------------------------- onto another branch


def test_a_commit_for_another_branch_leaves_the_checkout_as_it_is(checkout: Path) -> None:
    head = run_git("rev-parse", "HEAD")
    index = (checkout / ".git/index").read_bytes()
    said = done(checkout, "--branch", "llmload/reports")
    assert "on llmload/reports." in said
    assert run_git("rev-parse", "llmload/reports~1") == head == run_git("rev-parse", "HEAD")
    assert run_git("symbolic-ref", "HEAD") == "refs/heads/main"
    assert (checkout / ".git/index").read_bytes() == index
    assert not (checkout / "reports").exists()


def test_a_branch_of_ours_is_rebuilt_from_head(checkout: Path) -> None:
    done(checkout, "--branch", "llmload/reports")
    (checkout / "file").write_text("two\n")
    head = commit_all("more")
    done(checkout, "--branch", "llmload/reports")
    assert run_git("rev-parse", "llmload/reports~1") == head


def test_a_branch_that_someone_added_to_is_not_moved(checkout: Path) -> None:
    done(checkout, "--branch", "llmload/reports")
    run_git("checkout", "--quiet", "llmload/reports")
    (checkout / "file").write_text("by hand\n")
    tip = commit_all("by hand")
    run_git("checkout", "--quiet", "main")
    finished = record(checkout, "--branch", "llmload/reports")
    assert finished.returncode == 2
    assert f"has commits that HEAD does not have, and that llmload did not make ({tip[:12]})" in finished.stderr
    assert run_git("rev-parse", "llmload/reports") == tip


def test_any_other_branch_only_moves_forward(checkout: Path) -> None:
    run_git("branch", "results")
    done(checkout, "--branch", "results")
    tip = run_git("rev-parse", "results")
    assert run_git("rev-parse", "results~1") == run_git("rev-parse", "HEAD")
    done(checkout, "--branch", "results", "--message", "the same again")
    assert run_git("rev-parse", "results") == tip
    assert record(checkout, "--branch", "results", formats="json").returncode == 2  # HEAD stayed behind
    assert run_git("rev-parse", "results") == tip


def test_a_detached_head_is_enough_for_another_branch(checkout: Path) -> None:
    run_git("checkout", "--quiet", "--detach")
    done(checkout, "--branch", "llmload/reports")
    assert run_git("rev-parse", "llmload/reports~1") == run_git("rev-parse", "HEAD")


# ---------------------------------------------------------------- baselines


def baselines(checkout: Path) -> list[Path]:
    return list((checkout / "reports/baselines/chat").glob("*.json"))


def test_the_baseline_is_committed_with_the_reason_and_can_be_read_back(checkout: Path) -> None:
    said = done(checkout, "--baseline", "--reason", "first one")
    (path,) = baselines(checkout)
    assert changed_in("HEAD") == [f"A\t{path.relative_to(checkout)}", "A\treports/chat/steps.csv"]
    file = read_file(path)
    assert [run.past.run_id for run in file.runs] == [Made(n).run_id for n in range(10)]
    assert file.history[0].reason == "first one"
    assert "note: " not in said
    message = run_git("log", "-1", "--format=%B")
    assert "Why: first one\n" in message
    assert "; baseline of 10 runs, 10 added, 0 removed\n" in message
    assert [line.split() for line in message.splitlines() if "p50(ttft)" in line] == [
        ["concurrency", "8", "p50(ttft)", "100", "ms", "0.6%"]
    ]


def test_a_reviewer_sees_what_the_figures_of_a_baseline_became(checkout: Path, store: Path) -> None:
    done(checkout, "--baseline", "--reason", "first")
    fill(store, many(10, first=20, ttft_ms=120.0, branch=""))
    done(checkout, "--baseline", "--reason", "second")
    lines = [line.split("  ") for line in run_git("log", "-1", "--format=%B").splitlines()]
    told = {words[1]: words[2:] for words in ([w.strip() for w in line if w] for line in lines) if len(words) == 6}
    assert told["figure"] == ["before", "now", "change", "CV"]
    assert told["p50(ttft)"][:3] == ["100 ms", "110 ms", "+10.0%"]
    assert told["goodput"][2] == "+0.00 points"


def test_what_a_reviewer_should_know_of_a_baseline_is_said(checkout: Path, store: Path) -> None:
    fill(store, [Made(20, ttft_ms=400.0, branch="")])
    said = done(checkout, "--baseline", "--reason", "x", "--branch", "llmload/baseline")
    assert f"note: run {Made(20).run_id} lies far out: " in said


def test_on_another_branch_the_baseline_of_head_goes_on_and_not_that_of_the_working_tree(
    checkout: Path, store: Path
) -> None:
    done(checkout, "--baseline", "--reason", "first")
    fill(store, many(1, first=20, branch=""))
    here("baseline", "update", "chat", "--reason", "not committed", cwd=checkout)
    (path,) = baselines(checkout)
    before = path.read_bytes()
    done(checkout, "--baseline", "--reason", "second", "--branch", "llmload/baseline")
    assert path.read_bytes() == before
    committed = run_git("show", f"llmload/baseline:{path.relative_to(checkout)}")
    assert '"second"' in committed
    assert "not committed" not in committed


def test_onto_its_own_branch_an_update_that_nobody_committed_goes_along(checkout: Path) -> None:
    here("baseline", "update", "chat", "--reason", "by hand", cwd=checkout)
    done(checkout, "--baseline", "--reason", "not needed")
    (path,) = baselines(checkout)
    assert [each.reason for each in read_file(path).history] == ["by hand"]
    assert f"A\t{path.relative_to(checkout)}" in changed_in("HEAD")


def test_a_baseline_that_cannot_be_trusted_is_named_where_it_lies(checkout: Path) -> None:
    done(checkout, "--baseline", "--reason", "first")
    (path,) = baselines(checkout)
    path.write_text("{}")
    head = run_git("rev-parse", "HEAD")
    finished = record(checkout, "--baseline", "--reason", "second")
    assert finished.returncode == 2
    assert f"llmload: {path.relative_to(checkout)}: " in finished.stderr
    assert run_git("rev-parse", "HEAD") == head


# ---------------------------------------------------------------- what cannot be done


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["--baseline"], "--baseline: needs a reason", id="a baseline without a reason"),
        pytest.param(["--reason", "x"], "--reason: is that of a baseline", id="a reason without a baseline"),
        pytest.param(["--baseline", "--reason", "\u200b"], "--reason: is empty", id="a reason that says nothing"),
        pytest.param(["--pull-request"], "--pull-request: ", id="a pull request of what is not pushed"),
        pytest.param(["--title", "x"], "--title: ", id="a title of nothing"),
        pytest.param(["--message", " "], "--message: is empty", id="a message that says nothing"),
        pytest.param(["--branch", "-f"], "is not a name of a branch", id="a branch like an option"),
        pytest.param(["--branch", "--upload-pack=x"], "is not a name of a branch", id="a branch like a long option"),
        pytest.param(["--branch", "a b"], "is not a name of a branch", id="a branch of two words"),
        pytest.param(["--branch", "@{-1}"], "is not a name of a branch", id="a branch by history"),
        pytest.param(["--branch", "HEAD"], "is not a name of a branch", id="HEAD"),
        pytest.param(["--branch", "main:other"], "is not a name of a branch", id="a refspec"),
        pytest.param(["--branch", ""], "is not a name of a branch", id="an empty branch"),
        pytest.param(["--dir", ".."], "is not in the repository", id="a folder outside"),
        pytest.param(["--dir", ".git/x"], "is git's own", id="a folder of git"),
        pytest.param(["--push"], "no remote called origin", id="nowhere to push to"),
        pytest.param(["nosuch"], "nosuch", id="no such run"),
        pytest.param([Made(1).run_id, Made(2).run_id], "both of the scenario chat", id="two runs of one scenario"),
        pytest.param(["--format", "pdf"], "--format pdf", id="no such format"),
    ],
)
def test_what_cannot_be_committed_is_said_and_nothing_is_left_behind(
    checkout: Path, words: list[str], said: str
) -> None:
    head = run_git("rev-parse", "HEAD")
    finished = here("ci", "commit-report", *words, cwd=checkout)
    assert finished.returncode == 2
    assert said in finished.stderr
    assert run_git("rev-parse", "HEAD") == head
    assert run_git("branch", "--list") == "* main"
    assert not (checkout / "reports").exists()
    assert not (checkout.parent / "chat").exists()


def detach(_: Path) -> None:
    run_git("checkout", "--quiet", "--detach")


def forget_who(_: Path) -> None:
    run_git("config", "--unset", "user.email")


def merge(_: Path) -> None:
    run_git("checkout", "--quiet", "-b", "side")
    commit_all("side")
    run_git("checkout", "--quiet", "main")
    run_git("merge", "--quiet", "--no-ff", "--no-commit", "side")


def lock_the_index(checkout: Path) -> None:
    (checkout / ".git/index.lock").touch()


def link_outside(checkout: Path) -> None:
    (checkout / "reports").symlink_to(checkout.parent)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(detach, "HEAD: is detached", id="detached HEAD"),
        pytest.param(forget_who, "git: does not know who commits", id="no identity"),
        pytest.param(merge, "a merge is under way", id="in the middle of a merge"),
        pytest.param(lock_the_index, "index.lock", id="another git at work"),
        pytest.param(link_outside, "is not in the repository", id="a link that leaves the repository"),
    ],
)
def test_a_checkout_that_cannot_take_a_commit_gets_none(checkout: Path, spoil: object, said: str) -> None:
    assert callable(spoil)
    spoil(checkout)
    head = run_git("rev-parse", "HEAD")
    finished = record(checkout)
    assert finished.returncode == 2
    assert said in finished.stderr
    assert run_git("rev-parse", "HEAD") == head
    assert not (checkout.parent / "chat").exists()


def test_a_branch_that_is_checked_out_elsewhere_is_left_alone(checkout: Path) -> None:
    run_git("worktree", "add", "--quiet", "-b", "llmload/reports", str(checkout.parent / "other"))
    finished = record(checkout, "--branch", "llmload/reports")
    assert finished.returncode == 2
    assert "is checked out in another folder" in finished.stderr
    assert run_git("rev-parse", "llmload/reports") == run_git("rev-parse", "HEAD")


def a_file(checkout: Path) -> None:
    (checkout / "reports").write_text("a file\n")


def a_folder(checkout: Path) -> None:
    (checkout / "reports/chat/steps.csv").mkdir(parents=True)
    (checkout / "reports/chat/steps.csv/x").write_text("x")


def a_submodule(checkout: Path) -> None:
    run_git("init", "--quiet", "reports")
    run_git("-C", "reports", "commit", "--quiet", "--allow-empty", "--message", "x")


@pytest.mark.parametrize("put", [a_file, a_folder, a_submodule])
def test_what_stands_in_the_way_of_a_report_is_not_lost(checkout: Path, put: object) -> None:
    assert callable(put)
    (checkout / ".gitignore").unlink()
    put(checkout)
    commit_all("in the way")
    finished = record(checkout, "--branch", "llmload/reports")
    assert finished.returncode == 2
    assert "where another kind would have to be" in finished.stderr
    assert run_git("branch", "--list", "llmload/*") == ""


def test_outside_of_a_repository_and_before_its_first_commit_it_says_so(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    monkeypatch.chdir(outside)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert "is in no checkout of git" in record(outside).stderr
    run_git("init", "--quiet")
    assert "has no commit yet" in record(outside).stderr


def test_a_job_of_github_commits_as_its_bot_where_nobody_else_is_named(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_who(checkout)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    done(checkout)
    who = "github-actions[bot] <41898282+github-actions[bot]@users.noreply.github.com>"
    assert run_git("log", "-1", "--format=%an <%ae>|%cn <%ce>") == f"{who}|{who}"


def test_a_dry_run_says_everything_and_writes_nothing(checkout: Path) -> None:
    def everything() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in checkout.rglob("*") if path.is_file()}

    before = everything()
    said = done(checkout, "--baseline", "--reason", "why not", "--dry-run")
    assert everything() == before
    assert "reports/chat/steps.csv" in said
    assert "reports/baselines/chat/" in said
    assert "  | Record baseline and report of chat\n" in said
    assert "  | Why: why not\n" in said
