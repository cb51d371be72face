"""Annotations as GitHub's runner reads them: one for each gate, at its line, and no text that begins a command."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.baseline import SIDE_LABEL
from llmload.domain import COMMAND_LINE
from llmload.outcome import Command, Entry, Outcome
from llmload.planned import Step
from llmload.promises import Bound, Gate, Level
from llmload.reporters import junit
from llmload.reporters.annotations import MOST, annotations_of, render
from llmload.reporters.workflow_commands import Annotation, command
from llmload.reporters.workflow_commands import Level as Shown
from llmload.verdict import Status, Verdict
from tests.recorded_outcomes import COMPARED, HOSTILE_INVALID, INTERRUPTED, INVALID, MIXED, SERVER_DOWN, of_runs
from tests.recorded_runs import CLEAN, HOSTILE, TROUBLE
from tests.reporters.goldens_on_disk import assert_golden

KNOWN = ("error", "warning", "notice", "set-output", "stop-commands", "add-mask", "save-state", "debug", "group")


def as_named(source: str) -> str:
    return source


def nowhere(_: str) -> None:
    return None


def unescaped(text: str, *pairs: str) -> str:
    for token in (*pairs, "%0D", "%0A", "%25"):
        text = text.replace(token, bytes.fromhex(token[1:]).decode())
    return text


def read_by_runner(line: str) -> tuple[str, dict[str, str], str] | None:
    """What `ActionCommand.TryParseV2` and `TryParse` of github.com/actions/runner make of a line of a log."""
    text = line.lstrip()
    if text.startswith("::") and (end := text.find("::", 2)) >= 0:
        name, _, rest = text[2:end].partition(" ")
        if name in KNOWN:
            pairs = (each.partition("=") for each in rest.strip().split(",") if each)
            return name, {key: unescaped(value, "%3A", "%2C") for key, _, value in pairs}, unescaped(text[end + 2 :])
    if (at := line.find("##[")) >= 0 and "]" in line[at:]:
        name = line[at + 3 : line.index("]", at)].partition(" ")[0]
        return (name, {}, "") if name in KNOWN else None
    return None


def read_log(rendered: bytes) -> list[tuple[str, dict[str, str], str]]:
    """Whatever ends a line for .NET ends one here."""
    text = rendered.decode()
    for end in ("\r\n", "\r", "\x85", "\u2028", "\u2029", "\f", "\v"):
        text = text.replace(end, "\n")
    return [found for line in text.split("\n") if (found := read_by_runner(line)) is not None]


@pytest.mark.parametrize(
    ("outcome", "name"),
    [
        pytest.param(of_runs(CLEAN), "clean", id="clean"),
        pytest.param(of_runs(TROUBLE), "trouble", id="full of trouble"),
        pytest.param(INVALID, "invalid", id="invalid"),
        pytest.param(MIXED, "mixed", id="some of everything"),
        pytest.param(COMPARED, "compared", id="compared"),
    ],
)
def test_an_outcome_is_annotated_as_reviewed(outcome: Outcome, name: str, update_goldens: bool) -> None:
    assert_golden(f"{name}-annotations.txt", render(outcome, as_named), update=update_goldens)


def test_what_passes_is_not_annotated() -> None:
    assert render(of_runs(CLEAN), as_named) == b""


def test_a_broken_gate_stands_at_its_line_with_its_step_its_figures_and_what_to_do() -> None:
    level, place, message = read_log(render(of_runs(TROUBLE), as_named))[0]
    assert (level, place["file"], place["line"]) == ("error", TROUBLE.header.source, "31")
    assert place["title"] == "goodput >= 95% at concurrency <= 50: fail at concurrency 50"
    because, figures, todo = message.split("\n")
    assert "(90.68%)" in because
    assert figures.startswith("Observed 90.68%, 4.31 points below the target")
    assert todo == "To do: Lower the load, or give the server more capacity."


def test_a_problem_of_a_document_stands_at_its_line_and_column() -> None:
    level, place, message = read_log(render(INVALID, as_named))[0]
    assert (level, place["line"], place["col"], place["title"]) == ("error", "7", "15", "spec.slo.ttft: invalid")
    assert message == "a time needs a unit, and 500 has none.\nDid you mean 500ms?"


def broken_at(*loads: int, gate: Gate) -> Outcome:
    step = CLEAN.steps[0]
    steps = tuple(
        replace(step, step=at, verdicts=(Verdict(gate, at.label, Status.FAIL, "too slow", "do less"),))
        for at in (Step(n, "concurrency", load) for n, load in enumerate(loads))
    )
    return of_runs(replace(CLEAN, steps=steps, exit_code=3))


def test_one_annotation_gathers_all_steps_of_a_gate() -> None:
    outcome = broken_at(8, 16, 32, gate=Gate("goodput", Bound(">=", 0.95), line=4))
    (only,) = annotations_of(outcome, as_named)
    assert only.title == "goodput >= 95%: fail at concurrency 8, 16, 32"
    assert only.lines[0] == "At concurrency 8: too slow."


def test_many_steps_are_counted_instead_of_named() -> None:
    (only,) = annotations_of(broken_at(*range(1, 10), gate=Gate("goodput", Bound(">=", 0.95))), as_named)
    assert only.title.endswith("fail at concurrency 1, 2, 3, 4, 5, 6 and 3 more")


@pytest.mark.parametrize(
    ("level", "status", "fails_on", "shown"),
    [
        pytest.param(Level.FAIL, Status.FAIL, (), Shown.ERROR, id="broken"),
        pytest.param(Level.FAIL, Status.ERROR, (), Shown.ERROR, id="could not measure"),
        pytest.param(Level.FAIL, Status.INCONCLUSIVE, (), Shown.WARNING, id="undecided"),
        pytest.param(Level.FAIL, Status.INCONCLUSIVE, ("inconclusive",), Shown.ERROR, id="undecided, which fails"),
        pytest.param(Level.FAIL, Status.INCOMPARABLE, (), Shown.WARNING, id="incomparable"),
        pytest.param(Level.WARN, Status.FAIL, (), Shown.WARNING, id="level warn"),
        pytest.param(Level.WARN, Status.ERROR, (), Shown.WARNING, id="level warn, not measured"),
    ],
)
def test_what_breaks_the_build_is_an_error_and_nothing_else(
    level: Level, status: Status, fails_on: tuple[str, ...], shown: Shown
) -> None:
    step = CLEAN.steps[0]
    verdict = Verdict(Gate("goodput", Bound(">=", 0.95), level=level), step.step.label, status, "so")
    code = 3 if shown is Shown.ERROR else 0
    run = replace(CLEAN, steps=(replace(step, verdicts=(verdict,)),), fails_on=fails_on, exit_code=code)
    assert [each.level for each in annotations_of(of_runs(run), as_named)] == [shown]


@pytest.mark.parametrize(
    ("outcome", "title"),
    [
        pytest.param(SERVER_DOWN, "could not measure", id="server down"),
        pytest.param(INTERRUPTED, "interrupted", id="interrupted"),
    ],
)
def test_a_run_that_no_gate_can_speak_for_is_annotated_as_a_whole(outcome: Outcome, title: str) -> None:
    (only,) = annotations_of(outcome, as_named)
    assert (only.level, only.title, only.file) == (Shown.ERROR, title, "scenarios/quickstart.yaml")


@pytest.mark.parametrize(
    ("outcome", "title"),
    [
        pytest.param(Outcome(Command.APPLY, 0, ()), "llmload apply: could not measure", id="an outcome of nothing"),
        pytest.param(Outcome(Command.VALIDATE, 0, ()), "llmload validate: invalid", id="no document"),
        pytest.param(Outcome(Command.COMPARE, 0, ()), "llmload compare: could not measure", id="no runs"),
        pytest.param(replace(of_runs(CLEAN), exit_code=70), "llmload apply: defect of llmload", id="died at its end"),
    ],
)
def test_a_job_that_fails_for_no_entrys_sake_is_annotated_all_the_same(outcome: Outcome, title: str) -> None:
    (told,) = annotations_of(outcome, as_named)
    assert (told.level, told.title, told.file) == (Shown.ERROR, title, "")


def test_a_run_of_the_store_that_is_not_there_names_no_file() -> None:
    outcome = Outcome(Command.GATE, 2, (Entry("latest", 2, message="there is no run yet"),))
    (only,) = annotations_of(outcome, as_named)
    assert (only.file, only.title) == ("", "latest: invalid")


@pytest.mark.parametrize(("count", "more"), [(MOST, None), (MOST + 1, "and 1 more error"), (99, "and 91 more errors")])
def test_github_never_gets_more_than_ten_of_a_level(count: int, more: str | None) -> None:
    step = CLEAN.steps[0]
    verdicts = tuple(
        Verdict(Gate("goodput", Bound(">=", 0.95), id=f"gate-{n}", line=n), step.step.label, status, "so")
        for n in range(1, count + 1)
        for status in (Status.FAIL,)
    )
    run = replace(CLEAN, steps=(replace(step, verdicts=verdicts),), exit_code=3)
    told = annotations_of(of_runs(run), as_named)
    assert [each.line for each in told[:MOST]] == list(range(1, MOST + 1))
    assert [each.title for each in told[MOST:]] == ([] if more is None else [more])


def test_the_gravest_come_first() -> None:
    titles = [each.title for each in annotations_of(MIXED, as_named) if each.level is Shown.ERROR]
    words = [next(word for word in ("invalid", "fail", "could not measure") if word in title) for title in titles]
    assert words == sorted(words, key=("invalid", "fail", "could not measure").index)
    assert set(words) == {"invalid", "fail", "could not measure"}


def test_a_scenario_outside_of_the_repository_is_named_in_the_title() -> None:
    told = annotations_of(of_runs(TROUBLE), nowhere)
    assert {each.file for each in told} == {""}
    assert all(each.title.startswith("qwen3-14b-chat: ") for each in told)
    assert b"line=" not in render(of_runs(TROUBLE), nowhere)


@pytest.mark.parametrize(
    ("source", "side", "file"),
    [
        pytest.param("B: s/chat.yaml --set spec.target.model=m", "B", "s/chat.yaml", id="a side with values over it"),
        pytest.param("A: s/chat.yaml", "A", "s/chat.yaml", id="a side of its own file"),
        pytest.param("A: s/chat.yaml, against itself", "A", "s/chat.yaml", id="a server against itself"),
        pytest.param("s/chat.yaml", "B", "s/chat.yaml", id="a side that another file judged again"),
        pytest.param("B: s/chat.yaml", None, "B: s/chat.yaml", id="a file that is called like a side"),
        pytest.param(COMMAND_LINE, None, "", id="flags alone"),
    ],
)
def test_a_gate_is_shown_in_the_file_that_promises_it(source: str, side: str | None, file: str) -> None:
    labels = {} if side is None else {SIDE_LABEL: side}
    run = replace(TROUBLE, header=replace(TROUBLE.header, source=source, labels=labels))
    assert {each.file for each in annotations_of(of_runs(run), as_named)} == {file}
    told = {case.get("file") for case in ET.fromstring(junit.render(run)).iter("testcase") if case.get("line")}
    assert told <= {file}
    assert bool(told) == bool(file)


ATTACKS = [
    "\n::set-output name=verdict::pass",
    "\r::stop-commands::x",
    "\x85::error::x",
    "\u2028::error::x",
    "%0A::set-output name=a::b",
    "x::error::y",
    "##[error]x",
    "##[set-output name=a;]b",
    "a,file=/etc/passwd,line=1::x",
    HOSTILE,
]


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("place", ["lines", "file", "title"])
def test_no_text_begins_a_command_or_another_property(attack: str, place: str) -> None:
    whole = Annotation(Shown.WARNING, ("message",), "a.yaml", 3, 4, "title")
    told = command(replace(whole, **{place: (attack, attack) if place == "lines" else attack}))
    ((level, properties, _),) = read_log(told.encode("utf-8", "replace"))
    assert level == "warning"
    assert list(properties) in (["file", "line", "col", "title"], ["title"])
    assert properties["title"] == "title" or place == "title"
    assert properties.get("file", "a.yaml") in ("a.yaml", attack)


@given(st.text(), st.text(), st.lists(st.text(), min_size=1, max_size=3))
def test_whatever_is_told_is_one_command(file: str, title: str, lines: list[str]) -> None:
    told = command(Annotation(Shown.ERROR, tuple(lines), file, 1, 1, title)).encode("utf-8", "replace")
    ((level, properties, message),) = read_log(told)
    assert level == "error"
    assert set(properties) <= {"file", "line", "col", "title"}
    assert message.count("\n") == len(lines) - 1


def test_hostile_documents_annotate_nothing_but_themselves() -> None:
    told = read_log(render(HOSTILE_INVALID, as_named))
    assert [level for level, _, _ in told] == ["error"]
    assert render(HOSTILE_INVALID, as_named).count(b"\n") == 1
