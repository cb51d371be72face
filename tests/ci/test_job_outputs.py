"""Outputs of a job: what they say, and that no value of theirs can pass for another output."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.ci.job_outputs import append_outputs, lines_of, outputs_of
from llmload.outcome import Command, Entry, FailOn, Outcome
from tests.recorded_runs import CLEAN, TROUBLE


def applied(*entries: Entry, code: int = 0) -> Outcome:
    """What an apply of these came to."""
    return Outcome(Command.APPLY, code, entries)


def reported(*paths: str) -> Outcome:
    """A run with these reports."""
    return applied(Entry("a.yaml", 0, CLEAN, reports=paths))


def read_outputs(text: str) -> dict[str, str]:
    """As GitHub's runner reads the file: `name<<delimiter`, and lines up to the one that is the delimiter."""
    found: dict[str, str] = {}
    lines = iter(text.split("\n"))
    for line in lines:
        if line:
            name, arrows, delimiter = line.partition("<<")
            assert arrows
            assert name not in found
            value = iter(lambda: next(lines), delimiter)
            found[name] = "\n".join(value)
    return found


def test_a_run_that_passed_is_told_in_words_and_numbers() -> None:
    outcome = reported("reports/chat/report.md", "reports/chat/junit.xml", "reports/chat/result.json")
    assert outputs_of(outcome, FailOn.GATE) == outputs_of(outcome, FailOn.NEVER)
    assert outputs_of(outcome, FailOn.GATE).values == {
        "verdict": "pass",
        "exit-code": "0",
        "job-code": "0",
        "goodput": "0.72125",  # of its worst step
        "failed-gates": "0",
        "regressions": "0",
        "run-id": CLEAN.header.run_id,
        "report-dir": "reports/chat",
        "junit-path": "reports/chat/junit.xml",
        "json-path": "reports/chat/result.json",
        "artifact-suffix": "",
    }


def test_a_run_that_failed_may_leave_the_job_green() -> None:
    outcome = applied(Entry("a.yaml", 3, TROUBLE), code=3)
    told = outputs_of(outcome, FailOn.NEVER, "-2-of-4").values
    assert (told["verdict"], told["exit-code"], told["job-code"]) == ("fail", "3", "0")
    assert int(told["failed-gates"]) > 0
    assert told["artifact-suffix"] == "-2-of-4"


def test_what_is_not_known_is_empty_and_never_a_figure() -> None:
    told = outputs_of(applied(Entry("a.yaml", 5, message="the server is down"), code=5), FailOn.NEVER).values
    assert (told["verdict"], told["exit-code"], told["job-code"]) == ("not-measured", "5", "0")
    assert [told[name] for name in ("goodput", "run-id", "report-dir", "junit-path", "json-path")] == [""] * 5


@pytest.mark.parametrize(
    ("share", "told"),
    [
        pytest.param(0.985, "0.985", id="as it is"),
        pytest.param(0.0, "0", id="none"),
        pytest.param(1.0, "1", id="all"),
        pytest.param(0.99999999, "0.999999", id="never up to all"),
        pytest.param(2 / 3, "0.666666", id="six places"),
        pytest.param(1e-9, "0", id="next to nothing, without an exponent"),
    ],
)
def test_a_share_is_a_plain_decimal(share: float, told: str) -> None:
    step = CLEAN.steps[0]
    run = replace(CLEAN, steps=(replace(step, metrics=replace(step.metrics, goodput=share)),))
    assert outputs_of(applied(Entry("a.yaml", 0, run)), FailOn.GATE).values["goodput"] == told


@pytest.mark.parametrize(
    ("paths", "folders"),
    [
        pytest.param((), "", id="no reports"),
        pytest.param(("reports/a/junit.xml", "reports/a/x/result.json"), "reports/a", id="one above the other"),
        pytest.param(("reports/a/junit.xml", "reports/b/junit.xml"), "reports", id="side by side"),
        pytest.param(("reports/ab/x.md", "reports/a/x.md"), "reports", id="names that begin alike"),
        pytest.param(("./reports/a/x.md", "reports/b/x.md"), "reports", id="with a dot in front"),
        pytest.param(("a/x.md", "b/x.md"), "a\nb", id="nothing but the working directory in common"),
        pytest.param(("../o/a/x.md", "../o/b/x.md"), "../o/a\n../o/b", id="above the working directory"),
        pytest.param(("/o/a/x.md", "/o/b/x.md"), "/o/a\n/o/b", id="from the root on"),
        pytest.param(("x.md",), ".", id="in the working directory itself"),
    ],
)
def test_the_folder_of_the_reports_never_holds_a_whole_checkout_unless_they_lie_there(
    paths: tuple[str, ...], folders: str
) -> None:
    assert outputs_of(reported(*paths), FailOn.GATE).values["report-dir"] == folders


def test_several_runs_are_told_side_by_side() -> None:
    outcome = applied(
        Entry("a.yaml", 0, CLEAN, reports=("r/a/junit.xml", "r/a/result.json")),
        Entry("b.yaml", 3, TROUBLE, reports=("r/b/junit.xml", "r/b/result.json")),
        code=3,
    )
    told = outputs_of(outcome, FailOn.GATE).values
    assert told["run-id"] == f"{CLEAN.header.run_id} {TROUBLE.header.run_id}"
    assert told["junit-path"] == "r/a/junit.xml\nr/b/junit.xml"
    assert "junit-path=r/a/junit.xml" in list(lines_of(told))
    assert "junit-path=r/b/junit.xml" in list(lines_of(told))


def test_a_path_that_would_break_a_line_is_left_out_and_told() -> None:
    outputs = outputs_of(reported("r/a/junit.xml", "r/a\nverdict=pass/junit.xml", "r/\x1b[2J/junit.xml"), FailOn.GATE)
    assert outputs.left_out == ("r/a\nverdict=pass/junit.xml", "r/\x1b[2J/junit.xml")
    assert outputs.values["junit-path"] == "r/a/junit.xml"
    assert outputs.values["report-dir"] == "r/a"


@pytest.mark.parametrize("run_id", ["x\nverdict=pass", "$(touch x)", "a b", "-rf", "::error::x", "", "x" * 101])
def test_an_id_that_is_none_of_ours_is_not_told(run_id: str) -> None:
    """As of a result.json that a pull request brought, which `compare` reads."""
    other = replace(CLEAN, header=replace(CLEAN.header, run_id=run_id))
    outcome = applied(Entry("a.yaml", 0, other), Entry("b.yaml", 0, CLEAN))
    assert outputs_of(outcome, FailOn.GATE).values["run-id"] == CLEAN.header.run_id


@given(
    st.dictionaries(
        st.sampled_from(["verdict", "goodput", "report-dir"]),
        st.one_of(st.text(), st.sampled_from(["x\nverdict=pass", "EOF\nverdict<<EOF\npass\nEOF", "\n", "<<"])),
    )
)
def test_no_value_can_end_itself_or_begin_another(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, str]
) -> None:
    file = tmp_path_factory.getbasetemp() / "outputs"
    file.unlink(missing_ok=True)
    append_outputs(file, values)
    assert read_outputs(file.read_bytes().decode()) == values


def test_outputs_are_added_to_those_that_are_there(tmp_path: Path) -> None:
    file = tmp_path / "outputs"
    file.write_text("mine<<END\nkept\nEND\n")
    append_outputs(file, {"verdict": "pass"})
    assert read_outputs(file.read_text()) == {"mine": "kept", "verdict": "pass"}
