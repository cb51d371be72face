"""Which baseline a run is held against: what `--baseline` names, and what `auto` finds, in real git repositories."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from llmload.baseline import Baseline, Incomparable, NoBaseline, Reference
from llmload.cli import baseline_change
from llmload.cli.references import refer_for
from llmload.domain import Outcome
from llmload.errors import DataFileError, UsageError
from llmload.store.baseline_file import read_file
from llmload.store.database import open_store
from llmload.store.judgement import judged
from tests.analysis.builders import FACTS
from tests.cli.stored_history import Made, fill, many, scenario_of
from tests.recorded_runs import CLEAN
from tests.repositories import commit_all, run_git

STORE, REPORTS = Path("llmload.db"), Path("reports")
OTHER = replace(FACTS, model="large")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory, which is no repository yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return tmp_path


def referred(wanted: str | None, run_id: str = "", *, number: int = 0) -> Reference:
    """What the `number`-th run of the store would be held against."""
    with open_store(STORE) as store:
        refer = refer_for(scenario_of(), wanted, store, run_id)
        return refer(store.finished_runs("chat")[number].fingerprint)


def record(count: int | None = None, reason: str = "recorded") -> Path:
    """Make the newest runs the baseline in the working tree."""
    with open_store(STORE) as store:
        chosen = baseline_change.newest(store, "chat", count, REPORTS)
        return baseline_change.update(store, "chat", chosen, reason, REPORTS).path


def ids(reference: Reference) -> list[int]:
    assert isinstance(reference, Baseline), reference
    return [int(run.run_id[-8:], 16) for run in reference.runs]


# ---------------------------------------------------------------- auto


def test_without_git_the_files_of_the_working_tree_are_taken() -> None:
    fill(STORE, many(9, branch=""))
    path = record(8)
    found = referred(None)
    assert ids(found) == [*range(1, 9)]
    assert isinstance(found, Baseline)
    assert found.source == f"the baseline {path} of the working tree"


def test_a_pull_request_that_changes_its_own_baseline_is_judged_by_that_of_the_merge_base() -> None:
    run_git("init", "--quiet", "--initial-branch", "main")
    fill(STORE, many(8))
    record()
    left = commit_all("the baseline")
    run_git("checkout", "--quiet", "-b", "slower")
    fill(STORE, many(8, first=20, ttft_ms=300.0, branch="slower"))
    path = record(8, "let it pass")
    commit_all("let it pass")
    assert [run.past.run_id[-8:] for run in read_file(path).runs] == [f"{n:08x}" for n in range(20, 28)]
    for wanted in (None, "auto"):
        found = referred(wanted)
        assert ids(found) == [*range(8)]
        assert isinstance(found, Baseline)
        assert found.source == f"the baseline {path} at {left[:12]}"


def test_a_baseline_that_is_not_merged_yet_does_not_count_and_it_is_said() -> None:
    run_git("init", "--quiet", "--initial-branch", "main")
    commit_all("empty")
    run_git("checkout", "--quiet", "-b", "new")
    fill(STORE, many(8, branch="new"))
    record()
    commit_all("a baseline")
    found = referred(None)
    assert isinstance(found, NoBaseline)
    assert "counts once it is merged" in found.because
    assert "llmload baseline update chat" in found.remedy


def test_where_no_file_is_committed_the_runs_of_the_default_branch_are_taken() -> None:
    run_git("init", "--quiet", "--initial-branch", "trunk")
    commit_all("empty")
    run_git("branch", "--move", "main")
    measured = many(25)
    measured[3] = replace(measured[3], branch="faster")
    fill(
        STORE, [*measured, Made(30, outcome=Outcome.HTTP_ERROR), Made(31, status="interrupted"), Made(32, facts=OTHER)]
    )
    found = referred(None, measured[24].run_id)
    assert ids(found) == [*range(4, 24)]
    assert isinstance(found, Baseline)
    assert found.source == "the newest finished runs on main in llmload.db"


def test_a_run_that_failed_as_a_regression_is_no_baseline_of_the_runs_after_it() -> None:
    fill(STORE, [*many(8, branch=""), Made(20, ttft_ms=150.0, branch="")])
    slower = Made(20).run_id
    with open_store(STORE) as store:
        result = judged(store, slower, against=lambda scenario: refer_for(scenario, None, store, slower))
        assert result.exit_code == 3
        store.finish(slower, result, "finished")
    assert ids(referred(None)) == [*range(8)]


def test_a_shallow_clone_says_that_it_may_not_know_the_merge_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_git("init", "--quiet", "--initial-branch", "main")
    fill(STORE, many(8))
    record()
    commit_all("the baseline")
    run_git("checkout", "--quiet", "-b", "slower")
    commit_all("slower")
    run_git("clone", "--quiet", "--depth", "1", "--branch", "slower", tmp_path.as_uri(), "shallow")
    (tmp_path / "shallow" / STORE).write_bytes(STORE.read_bytes())
    monkeypatch.chdir("shallow")
    found = referred(None)
    assert isinstance(found, Baseline)
    assert found.source.endswith("in a shallow clone, which may not know the merge base")


def test_runs_before_an_accepted_shift_do_not_count() -> None:
    run_git("init", "--quiet", "--initial-branch", "main")
    fill(STORE, many(12))
    with open_store(STORE) as store:
        first = store.finished_runs("chat")[9]
        baseline_change.accept(store, first, "on purpose", REPORTS)
    commit_all("accepted")
    assert ids(referred(None)) == [9, 10, 11]


def test_other_fingerprints_in_files_are_incomparable_and_runs_of_the_store_may_still_serve() -> None:
    fill(STORE, [*many(3, branch=""), Made(50, facts=OTHER, branch=""), Made(51, facts=OTHER, branch="")])
    path = record()  # of the newest run's model
    found = referred(None)
    assert ids(found) == [0, 1, 2]
    fill(STORE, [Made(55, facts=replace(FACTS, version="2.0"), branch="")])
    found = referred(None, Made(55).run_id, number=-1)
    assert isinstance(found, Incomparable)
    assert {each.key for each in found.differing} == {"framework_version", "model"}
    assert str(path) in found.source


def test_an_empty_store_and_no_file_is_no_baseline() -> None:
    fill(STORE, [Made(1, branch="")])
    found = referred(None, Made(1).run_id)
    assert isinstance(found, NoBaseline)
    assert "reports/baselines/chat of the working tree" in found.because
    assert "llmload.db" in found.because


def test_a_scenario_without_relative_gates_looks_for_nothing() -> None:
    (REPORTS / "baselines" / "chat").mkdir(parents=True)
    (REPORTS / "baselines" / "chat" / "0123456789ab.json").write_text("no baseline")
    with open_store(STORE) as store:
        assert isinstance(refer_for(scenario_of(gate="goodput >= 90%"), None, store)({}), NoBaseline)
        with pytest.raises(DataFileError, match="is not JSON"):
            refer_for(scenario_of(), None, store)


def test_a_committed_file_that_cannot_be_trusted_is_refused_before_any_load() -> None:
    run_git("init", "--quiet", "--initial-branch", "main")
    (REPORTS / "baselines" / "chat").mkdir(parents=True)
    (REPORTS / "baselines" / "chat" / "0123456789ab.json").write_text('{"apiVersion": "llmload/baseline/v9"}')
    commit = commit_all("bad")
    with open_store(STORE) as store, pytest.raises(DataFileError, match=f"^{commit[:12]}:reports/baselines/chat"):
        refer_for(scenario_of(), None, store)


def test_a_run_is_not_compared_with_itself_where_it_became_part_of_the_baseline() -> None:
    fill(STORE, many(9, branch=""))
    record()
    assert ids(referred(None, Made(8).run_id)) == [*range(8)]


# ---------------------------------------------------------------- what the user named


def test_a_file_a_folder_of_them_and_the_folder_of_reports_may_be_named() -> None:
    fill(STORE, many(8, branch=""))
    path = record()
    for wanted in (path, path.parent, path.parent.parent, REPORTS):
        assert ids(referred(str(wanted))) == [*range(8)]


@pytest.mark.parametrize("ref", ["v1", "main", "HEAD~1", "COMMIT"])
def test_a_git_ref_names_what_was_committed_there(ref: str) -> None:
    run_git("init", "--quiet", "--initial-branch", "main")
    fill(STORE, many(8))
    record()
    commit = commit_all("the baseline")
    run_git("tag", "v1")
    run_git("checkout", "--quiet", "-b", "later")
    record(2)
    commit_all("another")
    assert ids(referred(commit if ref == "COMMIT" else ref)) == [*range(8)]


def test_a_stored_run_is_a_baseline_of_one() -> None:
    fill(STORE, many(3))
    found = referred(Made(1).run_id[:-2])
    assert isinstance(found, Baseline)
    assert found.source == f"the stored run {Made(1).run_id}"
    assert found.runs[0].steps["concurrency 8"]["p95(ttft)"].value == pytest.approx(119, abs=3)


def test_a_run_that_was_stored_without_estimates_is_judged_again() -> None:
    fill(STORE, many(2))
    with open_store(STORE) as store, store._writing() as connection:
        connection.execute("DELETE FROM estimates")
    found = referred("latest")
    assert isinstance(found, Baseline)
    assert "p95(ttft)" in found.runs[0].steps["concurrency 8"]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        pytest.param("nowhere", "is no file, no git ref, and no stored run", id="nothing of the kind"),
        pytest.param("no/such/file.json", "is no file", id="a file that is not there"),
        pytest.param("--output=stolen", "begins like an option", id="an option"),
        pytest.param("", "is empty", id="an unset variable of the shell"),
        pytest.param("main", "there is no baseline of chat in reports/baselines/chat at", id="a ref without one"),
        pytest.param("empty", "there is no baseline of chat in it", id="a folder without one"),
        pytest.param(Made(0).run_id, "is the run that is judged", id="the run itself"),
        pytest.param(Made(1).run_id, "was interrupted", id="a run that did not end"),
        pytest.param(Made(2).run_id, "could not be measured", id="a run that measured nothing"),
    ],
)
def test_what_is_named_and_not_there_is_a_bad_command_line(folder: Path, wanted: str, said: str) -> None:
    run_git("init", "--quiet", "--initial-branch", "main")
    commit_all("nothing")
    Path("empty").mkdir()
    fill(STORE, [Made(0), Made(1, status="interrupted"), Made(2, outcome=Outcome.HTTP_ERROR)])
    with open_store(STORE) as store, pytest.raises(UsageError, match=said) as refused:
        refer_for(scenario_of(), wanted, store, Made(0).run_id)
    assert refused.value.exit_code == 2
    assert not (folder / "stolen").exists()


def test_the_baseline_of_another_scenario_is_refused() -> None:
    fill(STORE, many(2, branch=""))
    path = record()
    with open_store(STORE) as store, pytest.raises(UsageError, match="belongs to the scenario chat, and not to batch"):
        refer_for(scenario_of("batch"), str(path), store)


def test_the_same_runs_are_the_same_baseline_whether_of_a_file_or_of_the_store() -> None:
    fill(STORE, many(8, branch=""))
    of_store = referred(None)
    record()
    of_file = referred(None)
    assert isinstance(of_store, Baseline)
    assert isinstance(of_file, Baseline)
    assert of_store.source != of_file.source
    assert of_store.runs == of_file.runs


def test_twenty_runs_that_a_run_was_held_against_take_little_room() -> None:
    """A run of six hundred requests takes 36 kB; what it was held against must not outweigh it."""
    fill(STORE, many(20, branch=""))
    held = replace(CLEAN, reference=referred(None))
    with open_store(STORE) as store:
        store.begin(held.header)
        store.finish(held.header.run_id, held, "finished")
        assert store.load(held.header.run_id).reference == held.reference
        with store.reading() as connection:
            (size,) = connection.execute("SELECT max(length(document)) FROM baselines").fetchone()
    assert size < 12_000
