"""A comparison for a browser: what differs first, then every figure; one file that asks nobody for anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from llmload.analysis.comparison import Comparison, Contrast, Row
from llmload.reporters import comparison_wording as words
from llmload.reporters import page
from llmload.reporters.charts import comparison_charts
from llmload.reporters.embedding import Figure, figures_of, pictures_of
from llmload.reporters.span import Span, span_of
from llmload.reporters.texts import Texts
from llmload.reporters.wording import label_in

SIZE_LIMIT = 600_000  # bytes

SLUGS = {
    Contrast.WORSE: "fail",
    Contrast.BETTER: "pass",
    Contrast.UNDECIDED: "inconclusive",
    Contrast.SAME: "not-gated",
    Contrast.MISSING: "not-gated",
}
"""The kind of hue of each contrast; MARKS has what tells it besides its hue."""

MARKS = {
    Contrast.WORSE: "✕",
    Contrast.BETTER: "✓",
    Contrast.UNDECIDED: "?",
    Contrast.SAME: "=",
    Contrast.MISSING: "–",
}


@dataclass(frozen=True, slots=True)
class _Room:
    """How many of each are told before it is said how many more there are."""

    steps: int
    lines: int


_ROOMS = (_Room(60, 200), _Room(20, 60), _Room(5, 20), _Room(1, 5))


@dataclass(frozen=True, slots=True)
class _Line:
    """One figure of one run against the first run's, in words."""

    step: str
    figure: str
    run: str
    first: str
    own: str
    difference: str
    interval: str
    span: Span | None
    verdict: str
    basis: str
    contrast: Contrast

    @property
    def slug(self) -> str:
        """Its kind of hue."""
        return SLUGS[self.contrast]

    @property
    def mark(self) -> str:
        """What tells it besides its hue."""
        return MARKS[self.contrast]


def render(comparison: Comparison, texts: Texts) -> bytes:
    """A whole page in UTF-8, with as much detail as the size limit has room for."""
    live = figures_of(comparison_charts(comparison, texts))
    steps = _steps(comparison, texts)
    content = b""
    for shown in (live, pictures_of(live), ()):
        for room in _ROOMS:
            told = _told(comparison, steps, texts, shown)
            content = page.render("comparison.html.j2", {**told, "room": room}, texts, shown)
            if len(content) < SIZE_LIMIT:
                return content
    return content


def told(comparison: Comparison, texts: Texts, charts: tuple[Figure, ...]) -> dict[str, object]:
    """What the template tells of a comparison, in as much detail as a report ever has."""
    return {**_told(comparison, _steps(comparison, texts), texts, charts), "room": _ROOMS[0]}


_Steps = list[tuple[str, list[_Line]]]


def _steps(comparison: Comparison, texts: Texts) -> _Steps:
    return [(label_in(label, texts), list(_lines(rows, texts))) for label, rows in words.steps(comparison)]


def _told(comparison: Comparison, steps: _Steps, texts: Texts, charts: tuple[Figure, ...]) -> dict[str, object]:
    said, _, tally = words.verdict(comparison, texts).partition(": ")
    lines = [line for _, each in steps for line in each]
    told: dict[str, object] = {
        "runs": comparison.runs,
        "conditions": list(words.conditions(comparison, texts)),
        "absences": list(words.absences(comparison, texts)),
        "different": [each for each in lines if each.contrast in (Contrast.WORSE, Contrast.BETTER)],
        "charts": charts,
        "steps": steps,
    }
    headings = {name: texts["heading.charts" if name == "charts" else f"comparison.heading.{name}"] for name in told}
    banner = _banner(comparison, lines)
    return {
        **told,
        "said": said,
        "tally": tally,
        "banner": SLUGS[banner],
        "mark": MARKS[banner],
        "word": words.contrast_word(banner, texts),
        "shares": _shares(lines),
        "rules": words.rules(comparison, texts),
        "letter": words.letter,
        "sections": [(name, headings[name]) for name, content in told.items() if content],
    }


def _banner(comparison: Comparison, lines: list[_Line]) -> Contrast:
    """What the page is coloured by: the gravest difference, and "same" only where most figures are shown to be."""
    found = Counter(line.contrast for line in lines)
    if found[Contrast.WORSE]:
        return Contrast.WORSE
    if comparison.is_spoilt:
        return Contrast.UNDECIDED
    if found[Contrast.BETTER]:
        return Contrast.BETTER
    is_known = found[Contrast.SAME] > found[Contrast.UNDECIDED]
    return Contrast.SAME if is_known else Contrast.UNDECIDED


def _shares(lines: list[_Line]) -> list[tuple[str, float, float]]:
    """The contrasts as a bar of 100 units, worst first: where each begins, and how long it is."""
    counts = Counter(line.contrast for line in lines)
    begun, told = 0.0, []
    for contrast, slug in SLUGS.items():
        length = 100 * counts[contrast] / max(1, len(lines))
        if length:
            told.append((slug, round(begun, 2), round(length, 2)))
        begun += length
    return told


def _lines(rows: list[Row], texts: Texts) -> Iterator[_Line]:
    for row in rows:
        for place, cell in enumerate(row.cells, start=1):
            yield _Line(
                step=label_in(row.step.label, texts),
                figure=row.figure,
                run=words.letter(place),
                first=words.value_in(row.figure, row.value, texts),
                own=words.value_in(row.figure, cell.value, texts),
                difference=words.difference(row.figure, cell, texts),
                interval=words.interval(row.figure, cell, texts),
                span=span_of(cell.low, cell.high, cell.difference, 0.0),
                verdict=words.contrast_word(cell.contrast, texts),
                basis=words.basis(cell, texts),
                contrast=cell.contrast,
            )
