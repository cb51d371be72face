"""`llmload baseline` and `--baseline`, as a user calls them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from llmload.baseline import SIDE_LABEL
from llmload.store.baseline_file import read_file
from llmload.store.database import open_store
from tests.analysis.builders import FACTS
from tests.cli.stored_history import Made, fill, many, write_scenario
from tests.command import here, start
from tests.repositories import commit_all, run_git

OTHER = replace(FACTS, model="large", settings={"max_num_seqs": 64, "dtype": "auto"})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, outside of any repository, with a store of twelve runs of one scenario."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    fill(tmp_path / "llmload.db", many(12, branch=""))
    return tmp_path


def only_file(folder: Path) -> Path:
    (path,) = (folder / "reports" / "baselines" / "chat").glob("*.json")
    return path


def update(folder: Path, *words: str, reason: str = "recorded") -> dict[str, object]:
    done = here("baseline", "update", "chat", "--reason", reason, "--json", *words, cwd=folder)
    assert done.returncode == 0, done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    return told


# ---------------------------------------------------------------- update


def test_update_takes_the_newest_runs_of_the_newest_fingerprint(folder: Path) -> None:
    fill(folder / "llmload.db", [Made(20, facts=OTHER)])
    fill(folder / "llmload.db", many(2, first=21, branch=""))
    done = here("baseline", "update", "chat", "--reason", "first baseline", cwd=folder)
    assert done.returncode == 0, done.stderr
    path = only_file(folder)
    assert done.stdout == (
        f"{path.relative_to(folder)}: 14 runs, 14 added, 0 removed\n"
        "Commit the file, so that it can be reviewed and others are held against it.\n"
    )
    file = read_file(path)
    assert [run.past.run_id for run in file.runs] == [Made(n).run_id for n in (*range(12), 21, 22)]
    assert [(each.action, each.reason) for each in file.history] == [("update", "first baseline")]
    assert sum(file.histograms["concurrency 8"]["ttft"].counts) == 14 * 200


def test_a_later_update_says_which_runs_came_and_went_and_keeps_the_history(folder: Path) -> None:
    update(folder, "--last", "10")
    fill(folder / "llmload.db", many(1, first=30, branch=""))
    told = update(folder, "--last", "10", reason="한 달 뒤")
    entry = told["entry"]
    assert isinstance(entry, dict)
    assert (entry["added"], entry["removed"], entry["reason"]) == ([Made(30).run_id], [Made(2).run_id], "한 달 뒤")
    assert [each.reason for each in read_file(only_file(folder)).history] == ["recorded", "한 달 뒤"]


def test_the_same_runs_again_change_nothing(folder: Path) -> None:
    update(folder)
    before = only_file(folder).read_bytes()
    assert update(folder, reason="again")["entry"] is None
    assert only_file(folder).read_bytes() == before


def test_fewer_than_eight_runs_are_advisory_and_said_to_be(folder: Path) -> None:
    told = update(folder, "--last", "3")
    assert told["is_advisory"] is True
    assert "3 of 8 runs: advisory" in str(told["notices"])


def test_runs_of_two_levels_are_told_apart_by_the_first_of_the_second(folder: Path) -> None:
    fill(folder / "llmload.db", many(8, first=20, ttft_ms=140.0, branch=""))
    (notice,) = update(folder)["notices"]  # type: ignore[misc]  # JSON
    assert f"the level changed at run {Made(20).run_id}: " in notice
    assert f"`llmload baseline accept chat {Made(20).run_id}`" in notice


def test_a_run_that_lies_far_out_is_named(folder: Path) -> None:
    fill(folder / "llmload.db", [Made(20, ttft_ms=400.0, branch="")])
    (notice,) = update(folder)["notices"]  # type: ignore[misc]  # JSON
    assert f"run {Made(20).run_id} lies far out" in notice
    assert "p50(e2e) at concurrency 8 is 2.5 times the median" in notice


def test_runs_may_be_named_one_by_one_or_together_in_any_order(folder: Path) -> None:
    update(folder, "--runs", Made(5).run_id, "--runs", f"{Made(1).run_id},{Made(3).run_id},{Made(5).run_id}")
    assert [run.past.run_id for run in read_file(only_file(folder)).runs] == [Made(n).run_id for n in (1, 3, 5)]


def test_runs_of_two_fingerprints_are_not_mixed_and_the_keys_are_named(folder: Path) -> None:
    fill(folder / "llmload.db", [Made(20, facts=OTHER)])
    done = here(
        "baseline", "update", "chat", "--reason", "x", "--runs", f"{Made(1).run_id},{Made(20).run_id}", cwd=folder
    )
    assert done.returncode == 2
    assert "model tiny and large" in done.stderr
    assert "framework_config.max_num_seqs unknown and 64" in done.stderr
    assert not (folder / "reports").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["chat"], "--reason", id="no reason"),
        pytest.param(["chat", "--reason", " \u200b"], "--reason: is empty", id="a reason that says nothing"),
        pytest.param(["chat", "--reason", "x" * 500], "more than 400 characters", id="a reason without end"),
        pytest.param(["none", "--reason", "x"], "has no run in llmload.db", id="a scenario without runs"),
        pytest.param(["../../etc", "--reason", "x"], "is not the name of a scenario", id="a name that is a path"),
        pytest.param(["chat", "--reason", "x", "--runs", "2027"], "no such run", id="a run that is not there"),
        pytest.param(["chat", "--reason", "x", "--runs", Made(40).run_id], "could not be measured", id="exit code 5"),
        pytest.param(["chat", "--reason", "x", "--runs", Made(41).run_id], "is interrupted", id="interrupted"),
        pytest.param(
            ["chat", "--reason", "x", "--runs", Made(42).run_id], "belongs to the scenario batch", id="another's"
        ),
        pytest.param(["chat", "--reason", "x", "--runs", Made(43).run_id], "in turns with another run", id="of an A/B"),
        pytest.param(["chat", "--reason", "x", "--runs", Made(1).run_id, "--last", "2"], "contradicts", id="both"),
        pytest.param(["chat", "--reason", "x", "--store", "no.db"], "there is no store here", id="no store"),
    ],
)
def test_what_cannot_be_a_baseline_is_a_bad_command_line(bad_runs: Path, words: list[str], said: str) -> None:
    done = here("baseline", "update", *words, cwd=bad_runs)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert not (bad_runs / "reports").exists()


@pytest.fixture(scope="module")
def bad_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from llmload.domain import Outcome

    folder = tmp_path_factory.mktemp("bad")
    unfit = [Made(40, outcome=Outcome.HTTP_ERROR), Made(41, status="interrupted"), Made(42, scenario="batch")]
    unfit.append(Made(43, labels={SIDE_LABEL: "A"}))
    fill(folder / "llmload.db", [*many(2), *unfit])
    return folder


def test_an_imported_run_is_refused(folder: Path) -> None:
    old = (Path(__file__).parents[1] / "store" / "loadtest" / "command.json").read_text(encoding="utf-8")
    (folder / "old.json").write_text(old, encoding="utf-8")
    assert here("store", "import", "old.json", cwd=folder).returncode == 0
    with open_store(folder / "llmload.db") as store:
        run = next(run for run in store.list_runs() if run.status == "imported")
    done = here("baseline", "update", run.scenario, "--reason", "x", "--runs", run.run_id, cwd=folder)
    assert done.returncode == 2
    assert "is imported: only a run that ended by itself" in done.stderr


def test_two_updates_at_once_both_stand_in_the_history(folder: Path) -> None:
    words = ("baseline", "update", "chat", "--reason")
    with (
        start(*words, "left", "--last", "8", cwd=folder) as left,
        start(*words, "right", "--last", "9", cwd=folder) as right,
    ):
        codes = [process.wait(90) for process in (left, right)]
        for process in (left, right):
            process.communicate()
    assert codes == [0, 0]
    assert sorted(each.reason for each in read_file(only_file(folder)).history) == ["left", "right"]


def test_the_file_of_the_scenario_names_it_too_and_where_its_reports_go(folder: Path) -> None:
    path = write_scenario(folder)
    path.write_text(path.read_text().rstrip() + "\n  reports: {dir: elsewhere, formats: [json]}\n")
    told = update(folder, "--dir", "there")
    done = here("baseline", "update", "chat.yaml", "--reason", "x", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert str(told["file"]).startswith("there/baselines/chat/")
    assert len(list((folder / "elsewhere" / "baselines" / "chat").glob("*.json"))) == 1


# ---------------------------------------------------------------- list and show


def test_list_tells_each_file_with_its_last_reason_and_show_everything(folder: Path) -> None:
    assert here("baseline", "list", cwd=folder).stdout == "No baselines in reports/baselines.\n"
    fill(folder / "llmload.db", [Made(20, facts=OTHER)])
    update(folder, "--runs", Made(20).run_id, reason="a larger model")
    update(folder, "--runs", ",".join(Made(n).run_id for n in range(12)), reason="the small one")
    heading, *lines = here("baseline", "list", cwd=folder).stdout.splitlines()
    assert heading.split() == ["scenario", "id", "runs", "last", "change", "reason"]
    assert sorted(line.split(maxsplit=4)[2:5:2] for line in lines) == [["1", "a larger model"], ["12", "the small one"]]
    listed = json.loads(here("baseline", "list", "--json", cwd=folder).stdout)
    assert {each["run_count"]: each["is_advisory"] for each in listed} == {1: True, 12: False}
    shown = here("baseline", "show", "chat", cwd=folder).stdout
    assert "concurrency 8  p95(ttft)   119." in shown
    assert "12 added, 0 removed  the small one" in shown
    assert "1 run, advisory: fewer than 8" in shown
    small = next(each["file"] for each in listed if each["run_count"] == 12)
    (document,) = json.loads(here("baseline", "show", small, "--json", cwd=folder).stdout)
    figure = document["figures"]["concurrency 8"]["p95(ttft)"]
    assert (figure["runs"], document["fingerprint"]["model"]) == (12, "tiny")
    assert figure["mean"] == pytest.approx(119.9, abs=0.5)
    assert 0.003 < figure["cv"] < 0.01


def test_a_hostile_file_is_told_on_stderr_beside_the_others(folder: Path) -> None:
    update(folder)
    bad = only_file(folder).parent / "0123456789ab.json"
    bad.write_text('{"\\u001b[2Jx": 1}')
    done = here("baseline", "list", cwd=folder)
    assert done.returncode == 2
    assert "chat" in done.stdout
    assert "0123456789ab.json" in done.stderr
    assert "\x1b" not in done.stderr
    assert here("baseline", "show", "chat", cwd=folder).returncode == 2


@pytest.mark.parametrize("wanted", ["none", "no.json", "../x"])
def test_what_is_not_there_cannot_be_shown(folder: Path, wanted: str) -> None:
    assert here("baseline", "show", wanted, cwd=folder).returncode == 2


# ---------------------------------------------------------------- accept


def test_an_accepted_shift_drops_the_runs_before_it_and_later_updates_do_not_take_them_back(folder: Path) -> None:
    update(folder)
    done = here("baseline", "accept", "chat", Made(9).run_id, "--reason", "slower on purpose", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "Runs before 2026-11-21T00:00:09.000Z no longer count." in done.stdout
    assert "3 of 8 runs: advisory" in done.stdout
    file = read_file(only_file(folder))
    assert [run.past.run_id for run in file.runs] == [Made(n).run_id for n in (9, 10, 11)]
    assert sum(file.histograms["concurrency 8"]["ttft"].counts) == 3 * 200
    assert file.since == "2026-11-21T00:00:09.000Z"
    fill(folder / "llmload.db", many(1, first=30, branch=""))
    assert update(folder)["run_count"] == 4
    again = here("baseline", "accept", "chat", Made(8).run_id, "--reason", "x", cwd=folder)
    assert again.returncode == 2
    assert "a shift was accepted already, from 2026-11-21T00:00:09.000Z on" in again.stderr


def test_a_shift_may_be_accepted_before_there_is_a_baseline(folder: Path) -> None:
    done = here("baseline", "accept", "chat", "--reason", "a new start", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["run_count"], told["since"]) == (1, "2026-11-21T00:00:11.000Z")


def test_the_accepted_run_and_those_measured_since_it_are_the_baseline(folder: Path) -> None:
    update(folder)
    fill(folder / "llmload.db", many(3, first=20, branch=""))
    fill(folder / "llmload.db", [Made(23, facts=OTHER)])
    done = here("baseline", "accept", "chat", Made(20).run_id, "--reason", "fp8", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    entry = json.loads(done.stdout)["entry"]
    assert entry["added"] == [Made(n).run_id for n in (20, 21, 22)]
    assert len(entry["removed"]) == 12
    file = read_file(only_file(folder))
    assert [run.past.run_id for run in file.runs] == [Made(n).run_id for n in (20, 21, 22)]
    assert sum(file.histograms["concurrency 8"]["ttft"].counts) == 3 * 200


def test_accepting_a_shift_keeps_the_later_runs_that_only_the_file_knows(folder: Path, tmp_path: Path) -> None:
    update(folder)
    (elsewhere := tmp_path / "elsewhere").mkdir()
    fill(elsewhere / "llmload.db", [Made(9, branch=""), Made(30, branch="")])
    store = str(elsewhere / "llmload.db")
    done = here("baseline", "accept", "chat", Made(9).run_id, "--reason", "fp8", "--store", store, cwd=folder)
    assert done.returncode == 0, done.stderr
    runs = read_file(only_file(folder)).runs
    assert [run.past.run_id for run in runs] == [Made(n).run_id for n in (9, 10, 11, 30)]


# ---------------------------------------------------------------- the verdict


def test_gate_holds_a_run_against_the_baseline_that_is_named_and_repeats_it_no_more(folder: Path) -> None:
    update(folder)
    fill(folder / "llmload.db", [Made(40, ttft_ms=130.0, branch="")])
    judged = here("gate", "latest", "--baseline", "auto", "--json", cwd=folder)
    assert judged.returncode == 3, judged.stderr
    assert json.loads(judged.stdout)["steps"][0]["verdicts"][0]["status"] == "fail"
    assert here("gate", "latest", "--baseline", Made(3).run_id, cwd=folder).returncode == 0  # one run is advisory
    stored = here("gate", "latest", "--json", cwd=folder)
    assert json.loads(stored.stdout)["verdict"] == "incomparable"  # what it was held against when it ended
    refused = here("gate", "latest", "--baseline", "nowhere", cwd=folder)
    assert refused.returncode == 2
    assert "is no file, no git ref, and no stored run" in refused.stderr


def test_a_baseline_that_cannot_be_used_ends_apply_before_a_run_begins(folder: Path) -> None:
    path = write_scenario(folder)
    update(folder)
    only_file(folder).write_text("{")
    for words in ([], ["--baseline", "reports"], ["--baseline", "nowhere"]):
        done = here("apply", path.name, *words, cwd=folder)
        assert done.returncode == 2, done.stdout
        rehearsed = here("apply", path.name, *words, "--dry-run", "client", cwd=folder)
        assert (rehearsed.returncode, rehearsed.stderr) == (2, done.stderr)
    with open_store(folder / "llmload.db") as store:
        assert len(store.list_runs()) == 12


def test_a_dry_run_makes_no_store_to_look_for_a_baseline(tmp_path: Path) -> None:
    path = write_scenario(tmp_path)
    assert here("apply", path.name, "--dry-run", "client", cwd=tmp_path).returncode == 0
    assert here("apply", path.name, "--dry-run", "client", "--baseline", "latest", cwd=tmp_path).returncode == 2
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.measuring
def test_a_run_keeps_the_baseline_that_it_was_held_against(tmp_path: Path) -> None:
    """On the simulator, in a repository: the stored verdict is repeated after the file has changed."""
    from tests.command import measured
    from tests.command import write_scenario as on_the_simulator

    env = {"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    path = on_the_simulator(tmp_path, gates="['p50(e2e) within 400% of baseline']", reports="{formats: [json]}")
    first = measured("apply", path.name, cwd=tmp_path, env=env)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "there is no baseline of chat" in " ".join(first.stdout.split())
    assert here("baseline", "update", "chat", "--reason", "first", cwd=tmp_path, env=env).returncode == 0
    second = measured("apply", path.name, "--json", cwd=tmp_path, env=env)
    assert second.returncode == 0, second.stderr
    document = json.loads(second.stdout)
    assert document["steps"][0]["verdicts"][0]["kind"] == "Advisory"
    only_file(tmp_path).unlink()
    assert json.loads(here("show", "latest", "--json", cwd=tmp_path, env=env).stdout) == document
    again = here("gate", "latest", "--json", cwd=tmp_path, env=env)
    assert json.loads(again.stdout) == document


def test_a_pull_request_is_held_against_the_baseline_of_the_branch_it_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_git("init", "--quiet", "--initial-branch", "main")
    fill(tmp_path / "llmload.db", many(8))
    update(tmp_path)
    commit_all("baseline")
    run_git("checkout", "--quiet", "-b", "slower")
    fill(tmp_path / "llmload.db", many(9, first=20, ttft_ms=150.0, branch="slower"))
    update(tmp_path, "--last", "8", reason="let it pass")
    commit_all("let it pass")
    assert here("gate", "latest", "--baseline", "auto", cwd=tmp_path).returncode == 3
    assert here("gate", "latest", "--baseline", "reports", cwd=tmp_path).returncode == 0
    assert here("gate", "latest", "--baseline", "main", cwd=tmp_path).returncode == 3
