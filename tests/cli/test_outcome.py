"""`--outcome DIR`: what a verb came to lies in the folder, whatever became of it, and no earlier one does.

What takes a measured run (several files, Ctrl-C, a defect) is in test_exit_codes.py.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from llmload.analysis.conclusions import conclusion_of
from llmload.ci.outcome_folder import put_outcome, read_all
from llmload.cli.outcome_record import Keep, forget, recorded
from llmload.errors import Interrupted, LlmloadError, Terminated
from llmload.outcome import Command, Conclusion, Entry, Outcome
from llmload.store.database import open_store
from tests.cli.stored_runs import DOWN, document_of, put_run, run_id_of, scenario_of, whole
from tests.command import here, write_scenario
from tests.recorded_runs import CLEAN

FIRST, SECOND, GONE = run_id_of(7), run_id_of(8), run_id_of(9)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A folder with a store of two runs that pass, and one whose server was down."""
    with open_store(tmp_path / "llmload.db") as store:
        put_run(store, 7, scenario_of(more="  reports: {formats: [json]}\n"), whole())
        put_run(store, 8, scenario_of(more="  reports: {formats: [json]}\n"), whole())
        put_run(store, 9, scenario_of("down"), [], trouble=DOWN)
    return tmp_path


def outcome_in(folder: Path) -> Outcome:
    return read_all([folder / "out"])


# ---------------------------------------------------------------- gate


def test_gate_leaves_the_run_and_its_verdict(stored: Path) -> None:
    assert here("gate", FIRST, "--outcome", "out", cwd=stored).returncode == 0
    outcome = outcome_in(stored)
    (entry,) = outcome.entries
    assert (outcome.command, conclusion_of(outcome)) == (Command.GATE, Conclusion.PASS)
    assert (entry.source, entry.reports) == (FIRST, ())
    assert entry.result is not None
    assert entry.result.header.run_id == FIRST


def test_gate_by_another_scenario_names_its_file_and_writes_its_reports(stored: Path) -> None:
    (stored / "strict.yaml").write_text(document_of(gate="p95(ttft) <= 1ms", more="  reports: {formats: [csv]}\n"))
    words = ("gate", FIRST, "--scenario", "strict.yaml", "--out", "judged", "--outcome", "out")
    assert here(*words, cwd=stored).returncode == 3
    (entry,) = outcome_in(stored).entries
    assert entry.result is not None
    assert (entry.exit_code, entry.result.header.source) == (3, "strict.yaml")
    assert sorted(entry.reports) == [f"judged/chat/{name}" for name in ("junit.xml", "result.json", "steps.csv")]
    assert 'failures="2"' in (stored / "judged/chat/junit.xml").read_text()
    assert json.loads((stored / "judged/chat/result.json").read_text())["exit_code"] == 3
    lines = (stored / "strict.yaml").read_text().splitlines()
    assert {lines[(verdict.gate.line or 0) - 1] for verdict in entry.result.verdicts} == {
        '  gates: ["p95(ttft) <= 1ms"]'
    }


def test_reports_of_a_judgement_that_cannot_be_written_take_no_verdict_with_them(stored: Path) -> None:
    (stored / "full").write_text("a file where the directory should be")
    done = here("gate", FIRST, "--out", "full", "--outcome", "out", cwd=stored)
    (entry,) = outcome_in(stored).entries
    assert (done.returncode, entry.exit_code, entry.reports) == (5, 5, ())
    assert "the reports cannot be written" in entry.message
    assert entry.result is not None


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        pytest.param(("gate", "20990101"), 2, "20990101", id="no such run"),
        pytest.param(("gate", GONE), 5, "", id="a run whose server was down"),
        pytest.param(("gate", FIRST, "--scenario", "none.yaml"), 2, "none.yaml", id="no such scenario"),
        pytest.param(("gate", FIRST, "--store", "none.db"), 2, "none.db", id="no such store"),
        pytest.param(("compare", FIRST), 2, "one run alone", id="nothing to compare with"),
        pytest.param(("apply", "none.yaml"), 2, "none.yaml", id="no such file"),
        pytest.param(("apply", "a", "b", "--resume", "x"), 2, "names one run", id="a bad command line"),
        pytest.param(("validate", "a.yaml", "--env-file", "none.env"), 2, "none.env", id="no such environment"),
    ],
)
def test_what_could_not_be_done_says_why(stored: Path, words: tuple[str, ...], code: int, why: str) -> None:
    done = here(*words, cwd=stored, env={"LLMLOAD_OUTCOME": "out"})
    outcome = outcome_in(stored)
    assert (done.returncode, outcome.exit_code, outcome.command) == (code, code, Command(words[0]))
    told = outcome.entries[0]
    assert why in told.message + "".join(str(problem) for problem in told.problems)


# ---------------------------------------------------------------- validate, rehearsals


def test_validate_leaves_the_problems_of_every_file_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(document_of())
    (tmp_path / "bad.yaml").write_text(document_of(gate="goodput > lots"))
    assert here("validate", "good.yaml", "bad.yaml", "--outcome", "out", cwd=tmp_path).returncode == 2
    outcome = outcome_in(tmp_path)
    good, bad = outcome.entries
    assert (conclusion_of(outcome), outcome.command) == (Conclusion.INVALID, Command.VALIDATE)
    assert (good.source, good.exit_code, good.problems) == ("good.yaml", 0, ())
    assert (bad.source, bad.exit_code, bad.problems[0].file) == ("bad.yaml", 2, "bad.yaml")
    assert (tmp_path / "bad.yaml").read_text().splitlines()[bad.problems[0].line - 1].strip().startswith("gates:")


def test_apply_tells_the_problems_of_a_file_that_is_not_valid(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(document_of(gate="goodput > lots"))
    assert here("apply", "bad.yaml", "--outcome", "out", cwd=tmp_path).returncode == 2
    (entry,) = outcome_in(tmp_path).entries
    assert (entry.problems[0].path, entry.message, entry.result) == ("spec.gates[0]", "It has 1 problem.", None)


def test_a_rehearsal_is_valid_and_no_pass(tmp_path: Path) -> None:
    write_scenario(tmp_path, "chat")
    assert here("apply", "chat.yaml", "--dry-run", "client", "--outcome", "out", cwd=tmp_path).returncode == 0
    assert conclusion_of(outcome_in(tmp_path)) is Conclusion.VALID


def test_no_secret_of_the_environment_comes_into_an_outcome(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(document_of(gate="${TEAM_API_KEY} >= 95%"))
    env = {"TEAM_API_KEY": "hunter2hunter2", "LLMLOAD_OUTCOME": "out"}
    done = here("validate", "bad.yaml", cwd=tmp_path, env=env)
    text = (tmp_path / "out" / "outcome.json").read_text()
    assert (done.returncode, "hunter2" in text) == (2, False)


# ---------------------------------------------------------------- compare


def test_compare_leaves_every_run_in_order_with_its_result(stored: Path) -> None:
    here("gate", SECOND, "--out", "judged", cwd=stored)
    words = ("compare", FIRST, "judged/chat/result.json", "--output", "c.txt", "--outcome", "out")
    done = here(*words, cwd=stored)
    outcome = outcome_in(stored)
    assert (done.returncode, conclusion_of(outcome)) == (0, Conclusion.SAME), done.stderr
    assert [entry.source for entry in outcome.entries] == [FIRST, "judged/chat/result.json"]
    runs = [entry.result.header.run_id for entry in outcome.entries if entry.result is not None]
    assert runs == [FIRST, SECOND]
    assert outcome.entries[0].reports == ("c.txt",)


def test_a_comparison_with_a_run_that_could_not_be_measured_is_none(stored: Path) -> None:
    assert here("compare", FIRST, GONE, "--outcome", "out", cwd=stored).returncode == 5
    outcome = outcome_in(stored)
    assert conclusion_of(outcome) is Conclusion.NOT_MEASURED
    assert [entry.exit_code for entry in outcome.entries] == [0, 5]


# ---------------------------------------------------------------- however it ends


def keep_one(keep: Keep, code: int = 0) -> int:
    keep(Entry("", code, CLEAN))
    return code


@pytest.mark.parametrize(("code", "ended"), [(0, 5), (3, 3), (4, 4), (2, 2), (70, 70)])
def test_an_outcome_that_cannot_be_written_changes_no_verdict_but_a_0(
    tmp_path: Path, code: int, ended: int, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"

    def work(keep: Keep) -> int:
        folder.write_text("a file where the folder should be")
        return keep_one(keep, code)

    assert recorded(folder, Command.APPLY, ["a.yaml"], work) == ended
    assert "the outcome cannot be written" in capsys.readouterr().err


def test_an_earlier_outcome_does_not_pass_for_one_of_a_command_that_was_killed(tmp_path: Path) -> None:
    put_outcome(tmp_path, Outcome(Command.APPLY, 0, (Entry("a.yaml", 0, CLEAN),)))
    seen = []

    def work(keep: Keep) -> int:
        seen.append((tmp_path / "outcome.json").exists())
        return keep_one(keep)

    assert recorded(tmp_path, Command.APPLY, ["a.yaml"], work) == 0
    assert seen == [False]
    assert read_all([tmp_path]).entries[0].source == "a.yaml"


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, Interrupted), (signal.SIGTERM, Terminated)], ids=["ctrl-c", "terminate"]
)
def test_a_signal_between_runs_leaves_what_was_kept(
    tmp_path: Path, number: signal.Signals, error: type[LlmloadError]
) -> None:
    def work(keep: Keep) -> int:
        keep_one(keep)
        os.kill(os.getpid(), number)
        raise AssertionError("unreachable")

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(error) as raised:
        recorded(tmp_path, Command.APPLY, ["a.yaml", "b.yaml"], work)
    outcome = read_all([tmp_path])
    assert outcome.exit_code == raised.value.exit_code
    assert [(entry.source, entry.exit_code) for entry in outcome.entries] == [
        ("a.yaml", 0),
        ("b.yaml", raised.value.exit_code),
    ]
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_defect_is_told_by_its_type_alone(tmp_path: Path) -> None:
    def work(_: Keep) -> int:
        raise ValueError("Bearer hunter2")

    with pytest.raises(ValueError, match="hunter2"):
        recorded(tmp_path, Command.GATE, ["latest"], work)
    (entry,) = read_all([tmp_path]).entries
    assert (entry.source, entry.exit_code) == ("latest", 70)
    assert entry.message == "internal error (ValueError); the log has the lines to report"


def test_where_nobody_asks_for_an_outcome_there_is_none(tmp_path: Path) -> None:
    assert recorded(None, Command.APPLY, [], lambda keep: 3 if keep is forget else 0) == 3
    (tmp_path / "a.yaml").write_text(document_of())
    here("validate", "a.yaml", cwd=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.yaml"]
