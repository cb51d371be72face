"""A comparison for a pull request: what differs first, every figure folded below it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmload.analysis.comparison import Cell, Comparison, Contrast, Row
from llmload.reporters import comparison_wording as words
from llmload.reporters.escaping import markdown_code, markdown_prose

SIZE_LIMIT = 80_000  # bytes

_MOST_DIFFERENT = 100

_MARKS = {
    Contrast.SAME: "=",
    Contrast.BETTER: "✅ better",
    Contrast.WORSE: "❌ worse",
    Contrast.UNDECIDED: "❔ undecided",
    Contrast.MISSING: "n/a",
}
_COLUMNS = ("figure", "run", "A", "its own", "difference", "interval", "verdict", "from")


def render(comparison: Comparison) -> bytes:
    """GitHub-flavoured Markdown; where it would grow too large, steps are left out and that is said."""
    head = _text(_head(comparison))
    steps = [_text(_step(comparison, label, rows)) for label, rows in words.steps(comparison)]
    tail = _text(_tail(comparison))
    room = SIZE_LIMIT - len(head) - len(tail) - 200
    kept = b""
    for place, step in enumerate(steps):
        if len(kept) + len(step) > room:
            left = f"\n…and {len(steps) - place:,} more steps; the JSON format has them all.\n"
            return head + kept + left.encode() + tail
        kept += step
    return head + kept + tail


def _text(lines: Iterator[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _head(comparison: Comparison) -> Iterator[str]:
    yield "# Comparison"
    yield ""
    yield f"**{markdown_prose(words.verdict(comparison))}**"
    yield ""
    runs = [
        (words.letter(n), markdown_code(run.run_id), markdown_prose(words.about(run)))
        for n, run in enumerate(comparison.runs)
    ]
    yield from _table(("", "run", ""), runs)
    if conditions := list(words.conditions(comparison)):
        yield ""
        yield "Measured under other conditions:"
        yield ""
        told = [(who, markdown_prose(key), _told(theirs), _told(ours)) for who, key, theirs, ours in conditions]
        yield from _table(("run", "key", "A", "its own"), told)
    if absences := list(words.absences(comparison)):
        yield ""
        yield from (f"- {markdown_prose(each)}" for each in absences)
    different = [
        (row.step.label, *_line(row, place, cell))
        for row in comparison.rows
        for place, cell in enumerate(row.cells, start=1)
        if cell.contrast in (Contrast.BETTER, Contrast.WORSE)
    ]
    if different:
        yield ""
        yield from _table(("step", *_COLUMNS), different[:_MOST_DIFFERENT])
        if len(different) > _MOST_DIFFERENT:
            yield ""
            yield f"…and {len(different) - _MOST_DIFFERENT:,} more below."


def _told(text: str) -> str:
    return markdown_prose(text, 120)


def _step(comparison: Comparison, label: str, rows: Sequence[Row]) -> Iterator[str]:
    yield ""
    yield f"<details><summary>{markdown_prose(label)}</summary>"
    yield ""
    lines = [_line(row, place, cell) for row in rows for place, cell in enumerate(row.cells, start=1)]
    yield from _table(_COLUMNS, lines)
    yield ""
    yield "</details>"


def _line(row: Row, place: int, cell: Cell) -> tuple[str, ...]:
    return (
        row.figure,
        words.letter(place),
        words.value(row.figure, row.value),
        words.value(row.figure, cell.value),
        words.difference(row.figure, cell),
        words.interval(row.figure, cell),
        _MARKS[cell.contrast],
        words.basis(cell),
    )


def _tail(comparison: Comparison) -> Iterator[str]:
    yield ""
    yield from (f"{markdown_prose(rule)}" + "  " for rule in words.rules(comparison))


def _table(heading: Sequence[str], lines: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heading)} |"
    yield f"|{' --- |' * len(heading)}"
    for line in lines:
        yield f"| {' | '.join(line)} |"
