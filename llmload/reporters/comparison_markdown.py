"""A comparison for a pull request: what differs first, every figure folded below it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from llmload.analysis.comparison import Cell, Comparison, Contrast, Row
from llmload.reporters import comparison_wording as words
from llmload.reporters.charts import comparison_charts
from llmload.reporters.drawing import svg
from llmload.reporters.escaping import markdown_code, markdown_prose
from llmload.reporters.texts import Texts
from llmload.reporters.wording import label_in

SIZE_LIMIT = 80_000  # bytes, of the text alone or with its pictures

_MOST_DIFFERENT = 100
_FOR_PICTURES = SIZE_LIMIT // 2

_FIRST = words.letter(0)

_MARKS = {Contrast.BETTER: "✅ ", Contrast.WORSE: "❌ ", Contrast.UNDECIDED: "🟡 "}
_COLUMNS = ("figure", "run", "own", "difference", "interval", "verdict", "basis")


def render(comparison: Comparison, texts: Texts) -> bytes:
    """GitHub-flavoured Markdown; where it would grow too large, steps are left out and that is said."""
    return _text(comparison, texts, {}, SIZE_LIMIT)


def render_files(comparison: Comparison, texts: Texts) -> Mapping[str, bytes]:
    """`comparison.md` and the pictures that it shows, all within the size limit."""
    pictures: dict[str, bytes] = {}
    summaries: dict[str, str] = {}
    room = _FOR_PICTURES
    for chart in comparison_charts(comparison, texts):
        picture = svg(chart)
        if len(picture) <= room:
            room -= len(picture)
            pictures[f"{chart.name}.svg"], summaries[f"{chart.name}.svg"] = picture, chart.summary
    drawn = sum(len(picture) for picture in pictures.values())
    return {"comparison.md": _text(comparison, texts, summaries, SIZE_LIMIT - drawn)} | pictures


def _text(comparison: Comparison, texts: Texts, pictures: Mapping[str, str], limit: int) -> bytes:
    head = _lines([*_head(comparison, texts), *_pictures(pictures, texts)])
    steps = [_lines(_step(label, rows, texts)) for label, rows in words.steps(comparison)]
    tail = _lines(_tail(comparison, texts))
    room = limit - len(head) - len(tail) - 200
    kept = b""
    for place, step in enumerate(steps):
        if len(kept) + len(step) > room:
            left = texts["comparison.more_steps"].format(count=f"{len(steps) - place:,}")
            return head + kept + f"\n{left}\n".encode() + tail
        kept += step
    return head + kept + tail


def _lines(lines: Iterator[str] | Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def brief(comparison: Comparison, texts: Texts, most: int) -> str:
    """Without title, verdict, pictures and the figures that are alike: what differs, in so many rows, by which rule."""
    return _lines([*_answer(comparison, texts, most), *_tail(comparison, texts)]).decode()


def _head(comparison: Comparison, texts: Texts) -> Iterator[str]:
    yield f"# {texts['comparison.title']}"
    yield ""
    yield f"**{markdown_prose(words.verdict(comparison, texts))}**"
    yield ""
    yield from _answer(comparison, texts, _MOST_DIFFERENT)


def _answer(comparison: Comparison, texts: Texts, most: int) -> Iterator[str]:
    runs = [
        (words.letter(n), markdown_code(run.run_id), markdown_prose(words.about(run, texts)))
        for n, run in enumerate(comparison.runs)
    ]
    yield from _table(("", texts["comparison.column.run"], ""), runs)
    yield from _conditions(comparison, texts)
    if absences := list(words.absences(comparison, texts)):
        yield ""
        yield from (f"- {markdown_prose(each)}" for each in absences)
    yield from _different(comparison, texts, most)


def _conditions(comparison: Comparison, texts: Texts) -> Iterator[str]:
    if conditions := list(words.conditions(comparison, texts)):
        yield ""
        yield f"{texts['comparison.heading.conditions']}:"
        yield ""
        told = [(who, markdown_prose(key), _told(theirs), _told(ours)) for who, key, theirs, ours in conditions]
        run, key, own = (texts[f"comparison.column.{name}"] for name in ("run", "key", "own"))
        yield from _table([run, key, _FIRST, own], told)


def _told(text: str) -> str:
    return markdown_prose(text, 120)


def _different(comparison: Comparison, texts: Texts, most: int) -> Iterator[str]:
    different = [
        (markdown_prose(label_in(row.step.label, texts)), *_line(row, place, cell, texts))
        for row in comparison.rows
        for place, cell in enumerate(row.cells, start=1)
        if cell.contrast in (Contrast.BETTER, Contrast.WORSE)
    ]
    if different:
        yield ""
        yield from _table([texts["comparison.column.step"], *_columns(texts)], different[:most])
        if len(different) > most:
            yield ""
            yield texts["comparison.more_below"].format(count=f"{len(different) - most:,}")


def _columns(texts: Texts) -> list[str]:
    figure, run, *others = (texts[f"comparison.column.{name}"] for name in _COLUMNS)
    return [figure, run, _FIRST, *others]


def _pictures(summaries: Mapping[str, str], texts: Texts) -> Iterator[str]:
    if summaries:
        yield ""
        yield f"## {texts['heading.charts']}"
    for file, summary in summaries.items():
        yield ""
        yield f"![{markdown_prose(summary)}]({file})"


def _step(label: str, rows: Sequence[Row], texts: Texts) -> Iterator[str]:
    yield ""
    yield f"<details><summary>{markdown_prose(label_in(label, texts))}</summary>"
    yield ""
    lines = [_line(row, place, cell, texts) for row in rows for place, cell in enumerate(row.cells, start=1)]
    yield from _table(_columns(texts), lines)
    yield ""
    yield "</details>"


def _line(row: Row, place: int, cell: Cell, texts: Texts) -> tuple[str, ...]:
    mark = (
        "="
        if cell.contrast is Contrast.SAME
        else _MARKS.get(cell.contrast, "") + words.contrast_word(cell.contrast, texts)
    )
    return (
        row.figure,
        words.letter(place),
        words.value_in(row.figure, row.value, texts),
        words.value_in(row.figure, cell.value, texts),
        words.difference(row.figure, cell, texts),
        words.interval(row.figure, cell, texts),
        "=" if cell.contrast is Contrast.SAME else mark,
        words.basis(cell, texts),
    )


def _tail(comparison: Comparison, texts: Texts) -> Iterator[str]:
    yield ""
    yield from (f"{markdown_prose(rule)}" + "  " for rule in words.rules(comparison, texts))


def _table(heading: Sequence[str], lines: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heading)} |"
    yield f"|{' --- |' * len(heading)}"
    for line in lines:
        yield f"| {' | '.join(line)} |"
