"""The summary of a job on GitHub: what all came to, then what broke and what to do, then everything else.

GitHub drops a summary above 1 MiB whole, so this one keeps to a budget by telling ever less: what passes goes first,
then figures, then reasons. The conclusion stays, and the names of broken gates as far as there is any room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate

from llmload.analysis.comparison import Comparison, Contrast
from llmload.analysis.conclusions import comparison_of, conclusion_of
from llmload.domain import RunResult
from llmload.outcome import Command, Conclusion, Outcome
from llmload.promises import Level
from llmload.reporters import comparison_markdown, comparison_wording
from llmload.reporters.aligned_table import Column, Side, table
from llmload.reporters.escaping import Markdown, markdown_code, markdown_prose
from llmload.reporters.figures import percent
from llmload.reporters.open_gates import gate_names, gates_with_steps
from llmload.reporters.rooms import ROOMS, fill
from llmload.reporters.summary_sections import (
    FINE,
    MARKS,
    Told,
    code,
    folded,
    folded_of_one,
    line,
    reason_in_brief,
    section,
    section_of_one,
    told_of,
    word,
)
from llmload.reporters.texts import Texts
from llmload.reporters.wording import sentence, tally
from llmload.verdict import Status

SIZE_LIMIT = 200_000
"""Bytes of a summary."""

GRAVEST = (
    *(Conclusion.DEFECT, Conclusion.INTERRUPTED, Conclusion.INVALID, Conclusion.FAIL, Conclusion.NOT_MEASURED),
    *(Conclusion.DIFFERENT, Conclusion.INCONCLUSIVE, Conclusion.NOT_GATED, Conclusion.PASS, Conclusion.VALID),
    Conclusion.SAME,
)
"""The order in which a reader needs them: that of the exit codes (METRICS.md)."""

_OPEN = {
    Status.ERROR: Conclusion.NOT_MEASURED,
    Status.INCONCLUSIVE: Conclusion.INCONCLUSIVE,
    Status.INCOMPARABLE: Conclusion.INCONCLUSIVE,
}
_MOST_ROWS = (100, 30, 10)
_MOST_KINDS = (40, 10, 3, 0)  # of gates, where the scenarios themselves have no room


def render(outcome: Outcome, texts: Texts, artifact: str = "", limit: int = SIZE_LIMIT) -> bytes:
    """GitHub-flavoured Markdown of at most `limit` bytes; nothing at all where not even the conclusion has room.

    `artifact` is the name of that with the reports, "" where nobody told it.
    """
    told = sorted(told_of(outcome), key=lambda each: GRAVEST.index(each.conclusion))
    comparison = comparison_of(outcome)
    head, foot = head_of(outcome, told, comparison, texts), _foot(outcome, told, artifact, texts)
    room = limit - _size(head) - _size(foot)
    if room < 0:
        return head.encode() if _size(head) <= limit else b""
    if outcome.command is Command.COMPARE:
        return (head + _compared(told, comparison, room, texts) + foot).encode()
    return (head + _body(told, room, texts) + foot).encode()


def _size(text: str) -> int:
    return len(text.encode())


# ---------------------------------------------------------------- what all came to


def head_of(outcome: Outcome, told: Sequence[Told], comparison: Comparison | None, texts: Texts) -> str:
    """The conclusion with its counts, and what it means for who reads it."""
    conclusion = conclusion_of(outcome)
    runs = [each.run for each in told if each.run is not None]
    if comparison is not None:
        lead, gates, occurring = _verdict(conclusion, comparison, texts), "", {conclusion}
    else:
        lead = f"{word(conclusion, texts).upper()}: {_counts(told, texts)}"
        is_told = len(told) < 2 or not runs
        gates = "" if is_told else f"{markdown_prose(sentence(tally(_as_one(runs), texts)))}\n\n"
        occurring = {conclusion, *(each.conclusion for each in told)}
    means = [each for each in GRAVEST if each in occurring and each not in FINE] or [conclusion]
    mark = _mark(conclusion, comparison)
    return f"## {mark} {lead}\n\n{gates}{_meaning(means, texts, {conclusion: mark})}"


def _meaning(conclusions: Sequence[Conclusion], texts: Texts, marks: Mapping[Conclusion, str] = MARKS) -> str:
    """A sentence for each, what it means for the pull request and what to do."""
    lines = [f"{marks.get(each, MARKS[each])} {texts[f'meaning.{each.name.lower()}']}" for each in conclusions]
    return "<br>\n".join(lines) + "\n\n" if lines else ""


def _verdict(conclusion: Conclusion, comparison: Comparison, texts: Texts) -> str:
    verdict = markdown_prose(comparison_wording.verdict(comparison, texts))
    is_said = conclusion in (Conclusion.SAME, Conclusion.DIFFERENT)
    return verdict if is_said else f"{word(conclusion, texts).upper()}: {verdict}"


def _mark(conclusion: Conclusion, comparison: Comparison | None) -> str:
    """A difference is bad news only where something became worse."""
    cells = [] if comparison is None else [cell for row in comparison.rows for cell in row.cells]
    is_worse = any(cell.contrast is Contrast.WORSE for cell in cells)
    return MARKS[Conclusion.FAIL] if conclusion is Conclusion.DIFFERENT and is_worse else MARKS[conclusion]


def _counts(told: Sequence[Told], texts: Texts) -> Markdown:
    """How many scenarios came to what; of one alone, how many of its gates."""
    if not told:
        return Markdown(texts["tally.nothing"])
    if len(told) == 1:
        run = told[0].run
        return code(told[0]) if run is None else Markdown(f"{code(told[0])} · {markdown_prose(tally(run, texts))}")
    counts = Counter(each.conclusion for each in told)
    parts = [
        fill(texts, "summary.came_to", {"count": f"{counts[each]:,}", "word": word(each, texts)})
        for each in GRAVEST
        if counts[each]
    ]
    return Markdown(f"{texts.counted('counted.scenario', len(told))} · {', '.join(parts)}")


def _as_one(runs: Sequence[RunResult]) -> RunResult:
    """All steps as those of one run, to be counted."""
    return replace(runs[0], steps=tuple(step for run in runs for step in run.steps))


def _foot(outcome: Outcome, told: Sequence[Told], artifact: str, texts: Texts) -> str:
    """What single gates mean that are open, where to look next, and what the columns mean."""
    runs = [each.run for each in told if each.run is not None]
    if not runs:
        return ""
    shown = markdown_code(f"llmload show {runs[0].header.run_id if len(runs) == 1 else 'RUN'}")
    has_reports = outcome.command is Command.APPLY or any(entry.reports for entry in outcome.entries)
    kept = artifact if has_reports else ""
    reports = fill(texts, "summary.in_artifact", {"artifact": markdown_code(kept)}) if kept else ""
    further = " ".join(filter(None, (reports, fill(texts, "summary.show", {"command": shown}))))
    if outcome.command is Command.COMPARE:
        return f"{further}\n"
    verdicts = [verdict for run in runs for verdict in run.verdicts]
    binding = (verdict.status for verdict in verdicts if verdict.gate.level is Level.FAIL)
    single = {_OPEN[status] for status in binding if status in _OPEN} - {each.conclusion for each in told}
    meaning = _meaning([each for each in GRAVEST if each in single], texts)
    has_figures = any(verdict.evidence is not None for verdict in verdicts)
    columns = f"\n<sub>{texts['markdown.interval']}. {texts['markdown.effective_n']}</sub>\n" if has_figures else ""
    return f"{meaning}{further}\n{columns}"


# ---------------------------------------------------------------- scenarios


def _body(told: Sequence[Told], room: int, texts: Texts) -> str:
    """First the names of what is broken, then whatever the room allows, what matters most first."""
    broken = [each for each in told if each.conclusion not in FINE]
    fine = [each for each in told if each.conclusion in FINE]
    lines = _told_more(broken, [], room * 2 // 3, partial(line, texts=texts))
    kept = len(lines)
    rest = _unnamed(broken[kept:], room // 4, texts)
    overview = _overview(told, room - _sum(lines) - _size(rest), texts)
    room -= _size(overview) + _size(rest)
    tellings = [lines]
    tell, fold = (section_of_one, folded_of_one) if len(told) == 1 else (section, folded)
    for each in ROOMS:
        tellings.append(_told_more(broken[:kept], tellings[-1], room, partial(tell, room=each, texts=texts)))
    brief, full = ROOMS[1], ROOMS[2]
    room -= _sum(tellings[-1])
    folds = _told_more(fine, [], room, partial(fold, room=brief, texts=texts))
    folds = _told_more(fine[: len(folds)], folds, room, partial(fold, room=full, texts=texts))
    opened = "".join(tellings[-1]).rstrip() + ("\n\n" if tellings[-1] else "")
    return overview + opened + rest + "".join(f"{each}\n" for each in folds)


def _sum(texts: Sequence[str]) -> int:
    return sum(map(_size, texts))


def _fitting(texts: Sequence[str], room: int) -> int:
    """How many of these have room, from the first."""
    return sum(size <= room for size in accumulate(map(_size, texts)))


def _told_more(told: Sequence[Told], before: Sequence[str], room: int, tell: Callable[[Told], str]) -> list[str]:
    """What is told already, with as much more of each as there is room for, from the first on."""
    kept = list(before)
    left = room - _sum(kept)
    for place, each in enumerate(told):
        text = tell(each)
        is_known = place < len(kept)
        left -= _size(text) + 1 - (_size(kept[place]) if is_known else 0)
        if left < 0:
            break
        kept[place : place + 1] = [text]
    return kept


def _unnamed(left: Sequence[Told], room: int, texts: Texts) -> str:
    """Scenarios that there was no room to name: how many, and which gates of theirs are not kept."""
    if not left:
        return ""
    found: Counter[str] = Counter()
    for each in left:
        found.update([] if each.run is None else gate_names(each.run, texts))
    named = [
        fill(texts, "summary.in_scenarios", {"gate": Markdown(gate), "count": f"{count:,}"})
        for gate, count in found.most_common(_MOST_KINDS[0])
    ]
    more = fill(texts, "summary.more_scenarios", {"count": f"{len(left):,}"})
    for most in _MOST_KINDS:
        unsaid = len(found) - most
        others = [fill(texts, "summary.more", {"count": f"{unsaid:,}"})] if unsaid > 0 else []
        told = f"**{more}** {', '.join([*named[:most], *others])}\n\n"
        if _size(told) <= room:
            return told
    return ""


def _overview(told: Sequence[Told], room: int, texts: Texts) -> str:
    """A row for each scenario, the gravest first; none for one alone, of which all else speaks."""
    if len(told) < 2:
        return ""
    rows = [_row(each, texts) for each in told[: _MOST_ROWS[0]]]
    columns = [
        Column("", Side.CENTRE),
        *(Column(texts[f"summary.column.{each}"]) for each in ("scenario", "verdict", "gates")),
        Column(texts["summary.column.goodput"], Side.RIGHT),
        Column(texts["summary.column.first"]),
    ]
    for most in _MOST_ROWS:
        left = len(told) - most
        more = f"\n{fill(texts, 'summary.more_rows', {'count': f'{left:,}'})}\n" if left > 0 else ""
        shown = f"{table(columns, rows[:most])}{more}\n"
        if _size(shown) <= room // 2:
            return shown
    return ""


def _row(told: Told, texts: Texts) -> tuple[str, ...]:
    run, mark, verdict = told.run, MARKS[told.conclusion], word(told.conclusion, texts)
    if run is None:
        return mark, code(told), verdict, "", "", reason_in_brief(told, texts)
    worst = next(iter(gates_with_steps(run, texts)), Markdown())
    counts = tally(run, texts)
    gates = counts.partition(": ")[2] or counts
    return mark, code(told), verdict, gates, percent(told.goodput), worst


# ---------------------------------------------------------------- a comparison


def _compared(told: Sequence[Told], comparison: Comparison | None, room: int, texts: Texts) -> str:
    """Why runs have no result, then those that have one side by side."""
    missing = _cut("".join(line(each, texts) for each in told if each.run is None), room // 2)
    if comparison is None:
        return f"{missing}\n"
    _title, _verdict, sides = comparison_markdown.render(comparison, texts).decode().split("\n\n", 2)  # said above
    whole = "\n".join(filter(None, (missing, sides.lstrip("\n")))) + "\n"
    return whole if _size(whole) <= room else _cut(f"{whole.partition('<details>')[0]}\n", room)


def _cut(text: str, room: int) -> str:
    """Whole lines, as many as there is room for."""
    lines = text.splitlines(keepends=True)
    return "".join(lines[: _fitting(lines, room)])
