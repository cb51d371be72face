"""What a summary tells of one entry of an outcome, as Markdown: in full, in brief, or by the names of gates alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from llmload.analysis.conclusions import conclusion_of
from llmload.domain import RunResult
from llmload.errors import Problem
from llmload.outcome import Command, Conclusion, Entry, Outcome
from llmload.plain_text import display_width, plain_lines
from llmload.reporters import capacity_sections, markdown_tables, sections
from llmload.reporters.aligned_table import escaped
from llmload.reporters.changes import compared_with
from llmload.reporters.escaping import Markdown, markdown_code, markdown_html, markdown_prose
from llmload.reporters.reasons import in_language
from llmload.reporters.texts import Texts
from llmload.reporters.wording import (
    Reading,
    capital,
    caveats,
    figures,
    finding_cause,
    finding_figures,
    finding_kind,
    finding_remedy,
    place_of,
    readings,
    sentence,
    status_word,
    tally,
)
from llmload.verdict import Status

MARKS = {
    Conclusion.PASS: "✅",
    Conclusion.FAIL: "❌",
    Conclusion.INCONCLUSIVE: "❔",
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

_NAME = 80  # characters of a scenario, a gate or a file where names alone are told
_MOST_NAMES = 12
_MOST_VALUES = 6  # of the steps of one gate
_CODE_WIDTH = 160  # characters of a line of a document


@dataclass(frozen=True, slots=True)
class Room:
    """How many of each a section tells before it says how many more there are; `letters` of one foreign text."""

    details: int
    gates: int
    steps: int
    lines: int
    letters: int


ROOMS = (Room(1, 0, 0, 1, 300), Room(3, 20, 10, 3, 450), Room(10, 50, 30, 10, 450))
"""From the least to the most."""


@dataclass(frozen=True, slots=True)
class Told:
    """An entry, and in a word what it came to."""

    entry: Entry
    conclusion: Conclusion

    @property
    def run(self) -> RunResult | None:
        """Its result, where there is one."""
        return self.entry.result


def told_of(outcome: Outcome) -> list[Told]:
    """Every entry as if the command had been for it alone."""
    alone = Command.APPLY if outcome.command is Command.COMPARE else outcome.command
    return [Told(entry, conclusion_of(Outcome(alone, entry.exit_code, (entry,)))) for entry in outcome.entries]


def word(conclusion: Conclusion, texts: Texts) -> str:
    """What something came to, in the language of the summary."""
    return texts[f"conclusion.{conclusion.name.lower()}"]


def fill(texts: Texts, key: str, values: Mapping[str, object]) -> Markdown:
    """A sentence of the catalogue around values, of which some may be Markdown."""
    return Markdown(texts[key].format(**{name: escaped(value) for name, value in values.items()}))


def name(told: Told) -> str:
    """The scenario; where it was not loaded, the file or the run as it was named."""
    return told.entry.source if told.run is None else told.run.header.scenario


def code(told: Told) -> Markdown:
    """The same for a table."""
    return markdown_prose(name(told), _NAME) if told.run is not None else markdown_code(name(told), _NAME)


# ---------------------------------------------------------------- names alone


def line(told: Told, texts: Texts) -> str:
    """One line: what it is, what it came to, and the names of the gates to look at."""
    names = gates_with_steps(told.run, texts) if told.run is not None else []
    if not names:
        names = [reason_in_brief(told, texts)]
    left = len(names) - _MOST_NAMES
    more = f"; {fill(texts, 'summary.more', {'count': f'{left:,}'})}" if left > 0 else ""
    return f"- {MARKS[told.conclusion]} **{code(told)}** {'; '.join(names[:_MOST_NAMES])}{more}\n"


def gates_with_steps(run: RunResult, texts: Texts) -> list[Markdown]:
    """Every gate that is not kept, the gravest first, with the steps at which it is not."""
    found: dict[Markdown, list[str]] = {}
    for reading in _to_look_at(readings(run, texts)):
        found.setdefault(_named(reading), []).append(reading.step)
    return [
        Markdown(f"{gate} {fill(texts, 'markdown.at', {'step': steps_in_brief(steps, texts)})}")
        for gate, steps in found.items()
    ]


def gate_names(run: RunResult, texts: Texts) -> list[Markdown]:
    """The same without the steps."""
    return list(dict.fromkeys(_named(reading) for reading in _to_look_at(readings(run, texts))))


def _to_look_at(every: Sequence[Reading]) -> list[Reading]:
    return [reading for reading in every if reading.status is not Status.PASS]


def _named(reading: Reading) -> Markdown:
    return Markdown(f"{markdown_tables.MARKS[reading.status]} {_gate(reading, _NAME)}")


def _gate(reading: Reading, letters: int) -> Markdown:
    """With its name, unless that leaves no room for the promise itself."""
    return markdown_code(reading.gate if len(reading.gate) <= letters else reading.promise, letters)


def steps_in_brief(steps: Sequence[str], texts: Texts) -> str:
    """The first few steps, and how many more."""
    named = ", ".join(steps[:_MOST_VALUES])
    left = len(steps) - _MOST_VALUES
    return named if left <= 0 else f"{named}, {texts['summary.more'].format(count=f'{left:,}')}"


def reason_in_brief(told: Told, texts: Texts) -> Markdown:
    """Why there is no result, in a line."""
    problems = told.entry.problems
    if problems:
        first = problems[0]
        return markdown_prose(f"{first.file}:{first.line}: {first.message}", 2 * _NAME)
    return markdown_prose(_because(told, texts), 2 * _NAME)


def _because(told: Told, texts: Texts) -> str:
    because = told.entry.message or ("" if told.run is None else told.run.because)
    return in_language(because, texts) or word(told.conclusion, texts)


# ---------------------------------------------------------------- sections


def section(told: Told, room: Room, texts: Texts) -> str:
    """An entry that somebody has to look at, open."""
    head = f"### {MARKS[told.conclusion]} {markdown_prose(name(told), 2 * _NAME)}: {word(told.conclusion, texts)}"
    counts = [] if told.run is None else [markdown_prose(sentence(tally(told.run, texts)))]
    return _joined([head, *counts, *_blocks(told, room, texts)])


def section_of_one(told: Told, room: Room, texts: Texts) -> str:
    """The same where the heading of all says what it is already."""
    return _joined(_blocks(told, room, texts))


def _blocks(told: Told, room: Room, texts: Texts) -> list[str]:
    blocks = list(_problems(told.entry.problems, room, texts))
    if told.run is None:
        return blocks or [_said(_because(told, texts), room)]
    return [*blocks, *_of_run(told, told.run, room, texts)]


def folded(told: Told, room: Room, texts: Texts) -> str:
    """An entry that is fine, as a fold; "" where nothing is to be told of it."""
    if told.run is None:
        return ""
    about = f"<b>{markdown_html(name(told), 2 * _NAME)}</b>: {word(told.conclusion, texts)}"
    return _fold(f"{MARKS[told.conclusion]} {about} · {tally(told.run, texts)}", _of_run(told, told.run, room, texts))


def folded_of_one(told: Told, room: Room, texts: Texts) -> str:
    """An entry that is fine and alone: what it advises is read without opening the fold."""
    if told.run is None:
        return ""
    advised = f"{_recommended(told.run, room, texts)}\n\n".lstrip()
    return advised + _fold(texts["summary.figures"], _of_run(told, told.run, room, texts))


def items(told: Told, to_tell: Sequence[Reading], room: Room, texts: Texts) -> Iterator[str]:
    """Of an entry its problems, why there is no verdict, and these readings in full, one block each."""
    yield from _problems(told.entry.problems, room, texts)
    if told.entry.exit_code and (told.entry.message or not (to_tell or told.entry.problems)):
        yield _said(_because(told, texts), room)
    yield from (_detail(reading, room, texts) for reading in to_tell)


def figures_folded(run: RunResult, summary: Markdown, room: Room, texts: Texts) -> str:
    """Every gate and step of a run, and what was noted beside them, behind a summary that is HTML already."""
    tables = _tables(run, readings(run, texts), room, texts)
    return _fold(summary, [*tables, *_caveats(run, room, texts), *_findings(run, room, texts)])


def _fold(summary: str, blocks: Iterable[str]) -> str:
    return f"<details>\n<summary>{summary}</summary>\n\n{_joined(blocks)}</details>\n"


def _joined(blocks: Iterable[str]) -> str:
    return "".join(f"{block.rstrip()}\n\n" for block in blocks if block.strip())


def _said(text: str, room: Room) -> Markdown:
    return markdown_prose(sentence(text), room.letters)


def _of_run(told: Told, run: RunResult, room: Room, texts: Texts) -> Iterator[str]:
    every = readings(run, texts)
    to_look_at = _to_look_at(every)
    if told.entry.message or not to_look_at:
        yield _said(_because(told, texts), room)
    yield from _look_at(to_look_at, room, texts)
    yield _recommended(run, room, texts)
    yield from _tables(run, every, room, texts)
    yield from _caveats(run, room, texts)
    yield from _findings(run, room, texts)


def _recommended(run: RunResult, room: Room, texts: Texts) -> str:
    """The advice in one line; "" where the run gives none."""
    advised = capacity_sections.recommendation(run, texts)
    if advised is None:
        return ""
    return f"**{texts['heading.recommendation']}:** {_said(advised.headline, room)}"


def _look_at(found: Sequence[Reading], room: Room, texts: Texts) -> Iterator[str]:
    """What broke first in full, then the others; what there is no room for by name."""
    if not found:
        return
    yield "\n".join(_detail(reading, room, texts) for reading in found[: room.details])
    if left := found[room.details :]:
        distinct: list[str] = list(dict.fromkeys(_named(each) for each in left))
        more = len(distinct) - 2 * _MOST_NAMES
        count = [str(fill(texts, "summary.more", {"count": f"{more:,}"}))] if more > 0 else []
        lead = fill(texts, "summary.also", {"count": f"{len(left):,}"})
        yield f"{lead} {', '.join([*distinct[: 2 * _MOST_NAMES], *count])}"


def _detail(reading: Reading, room: Room, texts: Texts) -> str:
    status = status_word(reading.status, texts) + (f", {reading.weight}" if reading.weight else "")
    at = fill(texts, "markdown.at", {"step": reading.step})
    lines = [
        f"- {markdown_tables.MARKS[reading.status]} **{status}** {at}: {_gate(reading, room.letters)}",
        _said(in_language(reading.because, texts), room),
        markdown_prose(sentence(figures(reading, texts))),
    ]
    return "<br>\n  ".join([*lines, *_todo(in_language(reading.remedy, texts), room, texts)])


def _todo(remedy: str, room: Room, texts: Texts) -> list[str]:
    return [f"**{texts['label.to_do']}:** {_said(remedy, room)}"] if remedy else []


def _caveats(run: RunResult, room: Room, texts: Texts) -> Iterator[str]:
    told = caveats(run, texts)
    if not told or (not room.gates and not any(caveat.is_fatal for _, caveat in told)):
        return
    yield f"**{texts['heading.caveats']}**"
    lines = [
        "<br>\n  ".join(
            [
                f"- {'⛔' if caveat.is_fatal else '⚠️'} **{markdown_prose(in_language(caveat.rule, texts), _NAME)}** "
                f"({markdown_prose(where)}): {_said(in_language(caveat.figure, texts), room)}",
                *_todo(in_language(caveat.remedy, texts), room, texts),
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
        cause = _said(finding_cause(finding, texts), room)
        lead = f"- **{markdown_prose(kind, _NAME)}** ({markdown_prose(place_of(finding, texts))}): {cause}"
        todo = _todo(finding_remedy(finding, texts), room, texts)
        lines.append("<br>\n  ".join([lead, _said(figured, room), *todo]))
    yield "\n".join(lines) + _more(len(run.findings) - room.lines, texts)


def _tables(run: RunResult, every: Sequence[Reading], room: Room, texts: Texts) -> Iterator[str]:
    if every and room.gates:
        yield f"**{texts['heading.gates']}**"
        yield markdown_tables.gates(every[: room.gates], texts) + _more(len(every) - room.gates, texts)
        if words := compared_with(run, texts):
            yield _said(words, room)
    if run.steps and room.steps:
        yield f"**{texts['heading.steps']}**"
        yield markdown_tables.steps(run.steps[: room.steps], texts) + _more(len(run.steps) - room.steps, texts)
        if words := sections.knee(run, texts):
            yield _said(words, room)


def _more(left: int, texts: Texts) -> str:
    if left <= 0:
        return ""
    return f"\n\n{texts['markdown.more'].format(count=f'{left:,}', file='`result.json`')}"


# ---------------------------------------------------------------- problems of a document


def _problems(problems: Sequence[Problem], room: Room, texts: Texts) -> Iterator[str]:
    for problem in problems[: room.lines]:
        path = markdown_code(problem.path, room.letters)
        place = markdown_code(f"{problem.file}:{problem.line}:{problem.column}", room.letters)
        yield f"{place} · **{path}**: {_said(problem.message, room)}<br>\n{markdown_prose(problem.hint, room.letters)}"
        if problem.source_line:
            yield _fenced(_pointed_at(problem))
    left = len(problems) - room.lines
    if left > 0:
        yield fill(
            texts, "summary.more_problems", {"count": f"{left:,}", "file": markdown_code(problems[0].file, _NAME)}
        )


def _pointed_at(problem: Problem) -> list[str]:
    """The line of the document with a caret below the place, cut where it is long."""
    whole = plain_lines(problem.source_line.expandtabs(1)).replace("\n", " ")
    column = min(max(problem.column, 1), len(whole) + 1) - 1
    start = max(0, column - _CODE_WIDTH // 2)
    shown = whole[start : start + _CODE_WIDTH]
    return [shown.rstrip(), " " * display_width(shown[: column - start]) + "^"]


def _fenced(lines: Sequence[str]) -> str:
    """A block of code that no line of it ends."""
    fence = "```"
    while any(fence in each for each in lines):
        fence += "`"
    return "\n".join((f"{fence}text", *lines, fence))
