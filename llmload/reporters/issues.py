"""What is wrong with an outcome, issue by issue, each at the place where its author finds it.

CI systems show issues beside the lines of a change; the texts are English, as all text for machines is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

from llmload.analysis.comparison import Contrast, Row
from llmload.analysis.conclusions import breaks_build, comparison_of, conclusion_of, job_code
from llmload.domain import RunResult
from llmload.errors import Problem
from llmload.outcome import OWN_SOURCES, Command, Conclusion, Entry, FailOn, Outcome, own_source
from llmload.promises import Level
from llmload.reporters import comparison_wording
from llmload.reporters.cases import ENDINGS, KINDS
from llmload.reporters.texts import Language, texts_in
from llmload.reporters.wording import figures, gate_name, read, sentence, status_word
from llmload.verdict import Status, Verdict

_ENGLISH = texts_in(Language.EN)


class Gravity(IntEnum):
    """How grave an issue is, the gravest first. All but the last two make the exit code other than 0."""

    STOPPED = 0  # nothing could be judged: a bad document, a defect of ours, an interruption
    BROKEN = 1
    UNMEASURED = 2
    OPEN = 3  # undecided, and the policy says fail
    UNDECIDED = 4  # and the policy says warn
    ADVISED = 5  # a gate that cannot break the build


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that is wrong: `subject`, such as a gate, is `word`, such as "fail", at `step` ("" for all of a run).

    `source` is the file as it was named, "" where there is none; `line` and `column` count from 1. `kind` is the type
    that JUnit reports give it. `lines` say why, by which figures, and what to do.
    """

    gravity: Gravity
    source: str
    line: int | None
    column: int | None
    scenario: str
    subject: str
    word: str
    step: str
    kind: str
    lines: tuple[str, ...]


_BY_CODE = {3: Gravity.BROKEN, 4: Gravity.OPEN, 5: Gravity.UNMEASURED, 1: Gravity.BROKEN}
_KINDS = {
    2: "InvalidScenario",
    3: KINDS[Status.FAIL],
    4: KINDS[Status.INCONCLUSIVE],
    5: KINDS[Status.ERROR],
    **ENDINGS,
}


def issues_of(outcome: Outcome) -> list[Issue]:
    """Every issue, the gravest first; equals keep the order of the outcome."""
    found = [issue for entry in outcome.entries for issue in _of_entry(entry, outcome.command)]
    if outcome.command is Command.COMPARE:
        found += _of_comparison(outcome)
    if all(issue.gravity >= Gravity.UNDECIDED for issue in found):
        found += _of_whole(outcome)
    return sorted(found, key=lambda issue: issue.gravity)


def _of_entry(entry: Entry, command: Command) -> Iterator[Issue]:
    yield from (_of_problem(problem) for problem in entry.problems)
    if entry.result is None:
        if entry.exit_code and not entry.problems:
            is_file = command in (Command.APPLY, Command.VALIDATE) and entry.source not in OWN_SOURCES
            named = entry.source if is_file else ""
            yield _of_ending(entry, named, entry.source)
        return
    if command is Command.COMPARE:
        return
    run = entry.result
    told = [issue for verdict in run.verdicts if (issue := _of_verdict(run, verdict)) is not None]
    yield from told
    says_why = any(issue.gravity < Gravity.UNDECIDED for issue in told)
    if entry.exit_code in ENDINGS or (entry.exit_code and not says_why):
        yield _of_ending(entry, run.header.file, run.header.title)


def _of_whole(outcome: Outcome) -> Iterator[Issue]:
    """That the job fails, where no entry says why; a comparison may differ for the better alone."""
    code = job_code(outcome, FailOn.GATE)
    if code == 0 or conclusion_of(outcome) is Conclusion.DIFFERENT:
        return
    yield Issue(
        gravity=_BY_CODE.get(code, Gravity.STOPPED),
        source="",
        line=None,
        column=None,
        scenario=own_source(outcome.command),
        subject="",
        word=_word(code),
        step="",
        kind=_KINDS.get(code, KINDS[Status.ERROR]),
        lines=(
            f"It comes to exit code {code}, and none of its entries says why.",
            _todo("See the log of the job, and run it again"),
        ),
    )


def _of_problem(problem: Problem) -> Issue:
    return Issue(
        gravity=Gravity.STOPPED,
        source=problem.file,
        line=problem.line,
        column=problem.column,
        scenario=problem.file,
        subject=problem.path,
        word="invalid",
        step="",
        kind=_KINDS[2],
        lines=(sentence(problem.message), _ended(problem.hint)),
    )


def _of_ending(entry: Entry, source: str, scenario: str) -> Issue:
    """Why an entry is red where no gate and no problem says it."""
    because = entry.message or ("" if entry.result is None else entry.result.because)
    caveats = () if entry.result is None else entry.result.caveats
    fatal = next((caveat for caveat in caveats if caveat.is_fatal), None)
    remedy = (_todo(fatal.remedy),) if fatal is not None and fatal.remedy else ()
    kind = _KINDS.get(entry.exit_code, KINDS[Status.ERROR])
    return Issue(
        gravity=_BY_CODE.get(entry.exit_code, Gravity.STOPPED),
        source=source,
        line=None,
        column=None,
        scenario=scenario,
        subject="",
        word=_word(entry.exit_code),
        step="",
        kind=fatal.kind if fatal is not None and fatal.kind and entry.exit_code == 5 else kind,
        lines=(sentence(because) or f"Exit code {entry.exit_code}.", *remedy),
    )


def _of_verdict(run: RunResult, verdict: Verdict) -> Issue | None:
    gravity = _gravity(run, verdict)
    if gravity is None:
        return None
    reading = read(verdict, run.reference, _ENGLISH)
    excuse = f"{'Advisory' if reading.is_advisory else 'Level warn'}: it does not break the build."
    told = (sentence(verdict.because), sentence(figures(reading, _ENGLISH)))
    return Issue(
        gravity=gravity,
        source=run.header.file,
        line=verdict.gate.line,
        column=None,
        scenario=run.header.title,
        subject=gate_name(verdict.gate),
        word=status_word(verdict.status, _ENGLISH),
        step=verdict.step,
        kind=verdict.kind or KINDS[verdict.status],
        lines=(
            *((excuse,) if gravity is Gravity.ADVISED else ()),
            *told,
            *((_todo(verdict.remedy),) if verdict.remedy else ()),
        ),
    )


def _gravity(run: RunResult, verdict: Verdict) -> Gravity | None:
    """None for what is no issue."""
    if verdict.status in (Status.PASS, Status.NOT_GATED):
        return None
    if not breaks_build(verdict, run.fails_on):
        return Gravity.ADVISED if verdict.gate.level is Level.WARN else Gravity.UNDECIDED
    return {Status.FAIL: Gravity.BROKEN, Status.ERROR: Gravity.UNMEASURED}.get(verdict.status, Gravity.OPEN)


def _word(code: int) -> str:
    """What an exit code means, as the summary says it."""
    return _ENGLISH[f"conclusion.{conclusion_of(Outcome(Command.APPLY, code, ())).name.lower()}"]


def _todo(remedy: str) -> str:
    return f"{_ENGLISH['label.to_do']}: {_ended(remedy)}"


def _ended(text: str) -> str:
    """A question keeps its mark."""
    return text if text.endswith(("?", "!")) else sentence(text)


# ---------------------------------------------------------------- of a comparison


def _of_comparison(outcome: Outcome) -> Iterator[Issue]:
    """What became worse beyond noise, and what could not be compared since it could not be measured."""
    comparison = comparison_of(outcome)
    if comparison is None:
        return
    runs = comparison.runs
    of_run = Issue(Gravity.BROKEN, "", None, None, "", "", "worse", "", "Regression", ())
    for row in comparison.rows:
        for place, cell in enumerate(row.cells, start=1):
            if cell.contrast is Contrast.WORSE:
                run = runs[place]
                lines = (_worse(row, place), f"{run.run_id} held against {runs[0].run_id}.")
                yield replace(of_run, scenario=run.scenario, subject=row.figure, step=row.step.label, lines=lines)
    for absence in comparison.absences:
        if absence.is_spoilt:
            run = runs[absence.run]
            yield replace(
                of_run,
                gravity=Gravity.UNMEASURED,
                scenario=run.scenario,
                subject=run.run_id,
                word="could not measure",
                step=absence.step,
                kind="NotMeasured",
                lines=(sentence(absence.because),),
            )


def _worse(row: Row, place: int) -> str:
    """Such as `421 ms, 380 ms before: +10.8% (+8.1% to +13.2%).`"""
    cell = row.cells[place - 1]
    value, before = (comparison_wording.value(row.figure, each) for each in (cell.value, row.value))
    change = comparison_wording.difference(row.figure, cell, _ENGLISH)
    interval = comparison_wording.interval(row.figure, cell, _ENGLISH)
    return f"{value}, {before} before: {change or 'n/a'}{f' ({interval})' if interval else ''}."
