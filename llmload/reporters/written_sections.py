"""What reports tell of an analysis that a language model wrote: by whom, its text in paragraphs, what to doubt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

from llmload.plain_text import plain
from llmload.reporters.texts import Texts
from llmload.written_analysis import Close, WrittenAnalysis

_LONGEST_NAME = 120  # characters of a model's name, and of a figure
_MOST_FIGURES = 20


@dataclass(frozen=True, slots=True)
class Written:
    """An analysis in words. `paragraphs` are lines of foreign text without control characters, not yet escaped."""

    by: str
    note: str  # what it is, and that it decides nothing
    language: str  # of the text
    paragraphs: Sequence[Sequence[str]]
    ending: str  # how it ended; "" where it is whole
    doubts: str  # before the unknown figures; "" where there are none
    unknown: Sequence[str]


def newest(analyses: Sequence[WrittenAnalysis], texts: Texts) -> WrittenAnalysis | None:
    """The newest one in the language of the report, else the newest; None where there is none."""
    found = sorted(analyses, key=lambda each: each.created, reverse=True)
    return next((each for each in found if each.language == texts.language.value), next(iter(found), None))


def written(analyses: Sequence[WrittenAnalysis], texts: Texts, most: int) -> Written | None:
    """What was written of a run, with so many characters of its text at most."""
    found = newest(analyses, texts)
    if found is None:
        return None
    paragraphs, left = shortened(paragraphs_of(found.text), most)
    unknown = [plain(each, _LONGEST_NAME) for each in found.unknown_figures[:_MOST_FIGURES]]
    return Written(
        by=texts["analysis.by"].format(model=plain(found.model, _LONGEST_NAME), date=_date(found.created)),
        note=texts["analysis.note"],
        language=plain(found.language, 8),
        paragraphs=paragraphs,
        ending=" ".join(_endings(found.close, left, texts)),
        doubts=texts.counted("counted.doubt", len(found.unknown_figures)) if unknown else "",
        unknown=unknown,
    )


def _endings(close: Close, left: int, texts: Texts) -> Iterator[str]:
    match close:
        case Close.WHOLE:
            pass
        case Close.AT_LIMIT:
            yield texts["analysis.at_limit"]
        case Close.BROKEN_OFF:
            yield texts["analysis.broken_off"]
        case _:
            assert_never(close)
    if left:
        yield texts["analysis.cut"].format(count=f"{left:,}")


def _date(created: str) -> str:
    return plain(created[:16].replace("T", " "))


def paragraphs_of(text: str) -> list[list[str]]:
    """Lines, each harmless by itself, in paragraphs that empty lines part."""
    found: list[list[str]] = [[]]
    for line in text.splitlines():
        told = plain(line, max(1, len(line)))
        if told:
            found[-1].append(told)
        elif found[-1]:
            found.append([])
    return [paragraph for paragraph in found if paragraph]


def shortened(paragraphs: Sequence[Sequence[str]], most: int) -> tuple[list[list[str]], int]:
    """The first so many characters, and how many are left out; the line that goes beyond is cut."""
    kept: list[list[str]] = []
    room, left = most, 0
    for paragraph in paragraphs:
        lines = []
        for line in paragraph:
            if room > 0:
                lines.append(line if len(line) <= room else f"{line[:room].rstrip()} …")
            left += max(0, len(line) - max(0, room))
            room -= len(line)
        if lines:
            kept.append(lines)
    return kept, left
