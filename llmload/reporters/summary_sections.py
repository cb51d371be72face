"""What a summary tells of one entry of an outcome, as Markdown: in full, in brief, or by the names of gates alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from llmload.analysis.conclusions import conclusion_of, lowest_goodput
from llmload.baseline import NoBaseline
from llmload.domain import RunResult, StepResult
from llmload.errors import Problem
from llmload.outcome import Command, Conclusion, Entry, Outcome
from llmload.reporters import capacity_sections, markdown_tables, sections
from llmload.reporters.changes import compared_with
from llmload.reporters.escaping import Markdown, markdown_code, markdown_html, markdown_prose
from llmload.reporters.figures import MISSING
from llmload.reporters.open_gates import MOST_NAMES, details, gates_with_steps, look_at, not_kept
from llmload.reporters.reasons import in_language
from llmload.reporters.rooms import NAME, Room, fill, said, todo
from llmload.reporters.source_excerpt import fenced, pointed_at
from llmload.reporters.texts import Texts
from llmload.reporters.wording import (
    Reading,
    capital,
    caveats,
    finding_cause,
    finding_figures,
    finding_kind,
    finding_remedy,
    place_of,
    readings,
    tally,
)
from llmload.verdict import Caveat, Status

MARKS = {
    Conclusion.PASS: "✅",
    Conclusion.FAIL: "❌",
    Conclusion.INCONCLUSIVE: "🟡",
    Conclusion.NOT_GATED: "⚪",
    Conclusion.NOT_MEASURED: "⛔",
    Conclusion.INVALID: "⛔",
    Conclusion.INTERRUPTED: "⛔",
    Conclusion.DEFECT: "⛔",
    Conclusion.VALID: "✅",
    Conclusion.SAME: "✅",
    Conclusion.DIFFERENT: "⚠️",
}
"""What a reader sees before any word."""

FINE = frozenset((Conclusion.PASS, Conclusion.NOT_GATED, Conclusion.VALID, Conclusion.SAME))
"""Nothing to look at: told folded."""


@dataclass(frozen=True, slots=True)
class Told:
    """An entry, and in a word what it came to."""

    entry: Entry
    conclusion: Conclusion

    @property
    def run(self) -> RunResult | None:
        """Its result, where there is one."""
        return self.entry.result

    @property
    def goodput(self) -> float | None:
        """The share (0..1) of good requests at its worst step; None where nothing was measured."""
        return lowest_goodput(Outcome(Command.APPLY, self.entry.exit_code, (self.entry,)))


def told_of(outcome: Outcome) -> list[Told]:
    """Every entry as if the command had been for it alone."""
    alone = Command.APPLY if outcome.command is Command.COMPARE else outcome.command
    return [Told(entry, conclusion_of(Outcome(alone, entry.exit_code, (entry,)))) for entry in outcome.entries]


def word(conclusion: Conclusion, texts: Texts) -> str:
    """What something came to, in the language of the summary."""
    return texts[f"conclusion.{conclusion.name.lower()}"]


def name(told: Told) -> str:
    """The scenario; where it was not loaded, the file or the run as it was named."""
    return told.entry.source if told.run is None else told.run.header.title


def code(told: Told) -> Markdown:
    """The same for a table."""
    return markdown_prose(name(told), NAME) if told.run is not None else markdown_code(name(told), NAME)


# ---------------------------------------------------------------- names alone


def line(told: Told, texts: Texts) -> str:
    """One line: what it is, what it came to, and the names of the gates to look at."""
    names = gates_with_steps(told.run, texts) if told.run is not None else []
    if not names:
        names = [reason_in_brief(told, texts)]
    left = len(names) - MOST_NAMES
    more = f"; {fill(texts, 'summary.more', {'count': f'{left:,}'})}" if left > 0 else ""
    return f"- {MARKS[told.conclusion]} **{code(told)}** {'; '.join(names[:MOST_NAMES])}{more}\n"


def reason_in_brief(told: Told, texts: Texts) -> Markdown:
    """Why there is no result, in a line."""
    problems = told.entry.problems
    if problems:
        first = problems[0]
        return markdown_prose(f"{first.file}:{first.line}: {first.message}", 2 * NAME)
    return markdown_prose(_because(told, texts), 2 * NAME)


def _because(told: Told, texts: Texts) -> str:
    because = told.entry.message or ("" if told.run is None else told.run.because)
    return in_language(because, texts) or word(told.conclusion, texts)


# ---------------------------------------------------------------- sections


def section(told: Told, room: Room, texts: Texts) -> str:
    """An entry that somebody has to look at, open."""
    head = f"### {MARKS[told.conclusion]} {markdown_prose(name(told), 2 * NAME)}: {word(told.conclusion, texts)}"
    return _joined([head, *_blocks(told, room, texts)])


def section_of_one(told: Told, room: Room, texts: Texts) -> str:
    """The same where the heading of all says what it is already."""
    return _joined(_blocks(told, room, texts))


def _blocks(told: Told, room: Room, texts: Texts) -> list[str]:
    blocks = list(_problems(told.entry.problems, room, texts))
    if told.run is None:
        return blocks or [said(_because(told, texts), room)]
    return [*blocks, *_of_run(told, told.run, room, texts), _full(told.run, room, texts)]


def folded(told: Told, room: Room, texts: Texts) -> str:
    """An entry that is fine, as a fold; "" where nothing is to be told of it."""
    if told.run is None:
        return ""
    about = f"<b>{markdown_html(name(told), 2 * NAME)}</b>: {word(told.conclusion, texts)}"
    blocks = [*_of_run(told, told.run, room, texts), *_figures(told.run, room, texts)]
    return _fold(f"{MARKS[told.conclusion]} {about} · {tally(told.run, texts)}", blocks)


def folded_of_one(told: Told, room: Room, texts: Texts) -> str:
    """An entry that is fine and alone: what it advises is read without opening the fold."""
    if told.run is None:
        return ""
    return _joined(_of_run(told, told.run, room, texts)) + _full(told.run, room, texts)


def items(told: Told, to_tell: Sequence[Reading], room: Room, texts: Texts) -> Iterator[str]:
    """Of an entry its problems, why there is no verdict, and these readings in full, one block each."""
    yield from _problems(told.entry.problems, room, texts)
    if told.entry.exit_code and not told.entry.problems and (told.entry.message or not to_tell):
        yield said(_because(told, texts), room)
    yield from details(to_tell, room, texts)


def figures_folded(run: RunResult, room: Room, texts: Texts) -> str:
    """The same behind the name of the scenario and the number of its gate checks, steps, caveats and findings."""
    scenario = f"<b>{markdown_html(run.header.title, 2 * NAME)}</b>"
    about = texts["summary.scenario_in_full"].format(scenario=scenario, contents=_contents(run, texts))
    blocks = list(_figures(run, room, texts))
    return _fold(about, blocks) if blocks else ""


def _full(run: RunResult, room: Room, texts: Texts) -> str:
    """The same where a heading has the name; "" where there is no room for any of it."""
    blocks = list(_figures(run, room, texts))
    return _fold(texts["summary.in_full"].format(contents=_contents(run, texts)), blocks) if blocks else ""


def _contents(run: RunResult, texts: Texts) -> str:
    """How much a fold has of what: "9 gate checks, 3 steps, 1 caveat"."""
    counts = {
        "gate_check": len(_measured(run, texts)),
        "step": len(_steps(run)),
        "caveat": len(_unsaid(run, texts)),
        "finding": len(run.findings),
    }
    return ", ".join(texts.counted(f"counted.{each}", count) for each, count in counts.items() if count)


def _fold(summary: str, blocks: Iterable[str]) -> str:
    return f"<details>\n<summary>{summary}</summary>\n\n{_joined(blocks)}</details>\n"


def _joined(blocks: Iterable[str]) -> str:
    return "".join(f"{block.rstrip()}\n\n" for block in blocks if block.strip())


def _of_run(told: Told, run: RunResult, room: Room, texts: Texts) -> Iterator[str]:
    found = not_kept(readings(run, texts))
    if told.entry.message or not (found or told.conclusion in FINE):
        yield said(_because(told, texts), room)
    yield from look_at(found, room, texts)
    yield _recommended(run, room, texts)


def _figures(run: RunResult, room: Room, texts: Texts) -> Iterator[str]:
    """Which run it is, every gate and step of it, and what was noted beside them."""
    measured = _measured(run, texts)
    blocks = [
        *_tables(run, measured, room, texts),
        *_caveats(run, room, texts),
        *_findings(run, room, texts),
    ]
    if blocks:
        yield fill(texts, "summary.run", {"run": markdown_code(run.header.run_id, NAME)})
    yield from blocks


def _recommended(run: RunResult, room: Room, texts: Texts) -> str:
    """The advice in one line; "" where the run gives none."""
    advised = capacity_sections.recommendation(run, texts)
    if advised is None:
        return ""
    return f"**{texts['heading.recommendation']}:** {said(advised.headline, room)}"


def _measured(run: RunResult, texts: Texts) -> list[Reading]:
    """Gates that have a figure; why the others have none is told of them already."""
    return [reading for reading in readings(run, texts) if reading.observed != MISSING]


def _steps(run: RunResult) -> list[StepResult]:
    """Those that requests were sent at."""
    return [step for step in run.steps if step.metrics.attempts]


def _unsaid(run: RunResult, texts: Texts) -> list[tuple[str, Caveat]]:
    """Caveats that no gate has for its reason."""
    reasons = {verdict.because for verdict in run.verdicts if verdict.status is Status.ERROR}
    return [(where, each) for where, each in caveats(run, texts) if not any(each.figure in told for told in reasons)]


def _caveats(run: RunResult, room: Room, texts: Texts) -> Iterator[str]:
    told = _unsaid(run, texts)
    if not told or (not room.gates and not any(caveat.is_fatal for _, caveat in told)):
        return
    yield f"**{texts['heading.caveats']}**"
    lines = [
        "<br>\n  ".join(
            [
                f"- {'⛔' if caveat.is_fatal else '⚠️'} **{markdown_prose(in_language(caveat.rule, texts), NAME)}** "
                f"({markdown_prose(where)}): {said(in_language(caveat.figure, texts), room)}",
                *todo(in_language(caveat.remedy, texts), room, texts),
            ]
        )
        for where, caveat in told[: room.lines]
    ]
    yield "\n".join(lines) + _more(len(told) - room.lines, texts)


def _findings(run: RunResult, room: Room, texts: Texts) -> Iterator[str]:
    if not run.findings or not room.gates:
        return
    yield f"**{texts['heading.findings']}**"
    lines = []
    for finding in run.findings[: room.lines]:
        subject = in_language(finding.subject, texts)
        kind = finding_kind(finding, texts) or subject
        told = subject if finding.kind in ("", "declared") else capital(subject)  # names of settings stay as they are
        figured = f"{told}: {finding_figures(finding, texts)}"
        cause = said(finding_cause(finding, texts), room)
        lead = f"- **{markdown_prose(kind, NAME)}** ({markdown_prose(place_of(finding, texts))}): {cause}"
        advice = todo(finding_remedy(finding, texts), room, texts)
        lines.append("<br>\n  ".join([lead, said(figured, room), *advice]))
    yield "\n".join(lines) + _more(len(run.findings) - room.lines, texts)


def _tables(run: RunResult, every: Sequence[Reading], room: Room, texts: Texts) -> Iterator[str]:
    if every and room.gates:
        yield f"**{texts['heading.gates']}**"
        yield markdown_tables.gates(every[: room.gates], texts) + _more(len(every) - room.gates, texts)
        if not isinstance(run.reference, NoBaseline) and (words := compared_with(run, texts)):  # else said above
            yield said(words, room)
    if (steps := _steps(run)) and room.steps:
        yield f"**{texts['heading.steps']}**"
        yield markdown_tables.steps(steps[: room.steps], texts) + _more(len(steps) - room.steps, texts)
        if words := sections.knee(run, texts):
            yield said(words, room)


def _more(left: int, texts: Texts) -> str:
    if left <= 0:
        return ""
    return f"\n\n{texts['markdown.more'].format(count=f'{left:,}', file='`result.json`')}"


# ---------------------------------------------------------------- problems of a document


def _problems(problems: Sequence[Problem], room: Room, texts: Texts) -> Iterator[str]:
    for problem in problems[: room.lines]:
        path = markdown_code(problem.path, room.letters)
        place = markdown_code(f"{problem.file}:{problem.line}:{problem.column}", room.letters)
        yield f"{place} · **{path}**: {said(problem.message, room)}<br>\n{markdown_prose(problem.hint, room.letters)}"
        if problem.source_line:
            yield fenced(pointed_at(problem))
    left = len(problems) - room.lines
    if left > 0:
        yield fill(
            texts, "summary.more_problems", {"count": f"{left:,}", "file": markdown_code(problems[0].file, NAME)}
        )
