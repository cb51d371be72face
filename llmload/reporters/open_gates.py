"""Gates that are not kept, as Markdown: by name, or with what was seen, how sure that is, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from llmload.domain import RunResult
from llmload.reporters import markdown_tables
from llmload.reporters.escaping import Markdown, markdown_code, markdown_prose
from llmload.reporters.figures import MISSING
from llmload.reporters.reasons import in_language
from llmload.reporters.rooms import NAME, Room, fill, said, todo
from llmload.reporters.texts import Texts
from llmload.reporters.wording import Reading, at_loads, figures, readings, sentence, status_word
from llmload.verdict import Status

MOST_NAMES = 12
"""Of gates in one line."""

_MOST_STEPS = 6  # of one gate


def not_kept(every: Sequence[Reading]) -> list[Reading]:
    """Those that do not pass, in the same order."""
    return [reading for reading in every if reading.status is not Status.PASS]


# ---------------------------------------------------------------- names alone


def gates_with_steps(run: RunResult, texts: Texts) -> list[Markdown]:
    """Every gate that is not kept, the gravest first, with the steps at which it is not."""
    return _with_steps([(_marked(reading), reading) for reading in not_kept(readings(run, texts))], texts)


def gate_names(run: RunResult, texts: Texts) -> list[Markdown]:
    """The same without the steps."""
    return list(dict.fromkeys(_marked(reading) for reading in not_kept(readings(run, texts))))


def _with_steps(found: Sequence[tuple[Markdown, Reading]], texts: Texts) -> list[Markdown]:
    steps: dict[Markdown, list[str]] = {}
    for gate, reading in found:
        steps.setdefault(gate, []).append(reading.step)
    return [
        Markdown(f"{gate} {fill(texts, 'markdown.at', {'step': _steps_in_brief(each, texts)})}")
        for gate, each in steps.items()
    ]


def _marked(reading: Reading) -> Markdown:
    return Markdown(f"{markdown_tables.MARKS[reading.status]} {_gate(reading, NAME)}")


def _gate(reading: Reading, letters: int) -> Markdown:
    """With its name, unless that leaves no room for the promise itself."""
    return markdown_code(reading.gate if len(reading.gate) <= letters else reading.promise, letters)


def _steps_in_brief(steps: Sequence[str], texts: Texts) -> str:
    """The first few steps, and how many more."""
    named = at_loads(steps[:_MOST_STEPS])
    left = len(steps) - _MOST_STEPS
    return named if left <= 0 else f"{named}, {texts['summary.more'].format(count=f'{left:,}')}"


# ---------------------------------------------------------------- in full


def look_at(found: Sequence[Reading], room: Room, texts: Texts) -> Iterator[str]:
    """What broke first in full, then the others; what there is no room for by name."""
    if not found:
        return
    groups = _of_one_cause(found)
    yield "\n".join(_details(groups[: room.details], room, texts))
    if left := [reading for group in groups[room.details :] for reading in group]:
        distinct: list[str] = list(dict.fromkeys(_marked(each) for each in left))
        more = len(distinct) - 2 * MOST_NAMES
        unsaid = [str(fill(texts, "summary.more", {"count": f"{more:,}"}))] if more > 0 else []
        lead = fill(texts, "summary.also", {"count": f"{len(left):,}"})
        yield f"{lead} {', '.join([*distinct[: 2 * MOST_NAMES], *unsaid])}"


def details(found: Sequence[Reading], room: Room, texts: Texts) -> Iterator[str]:
    """An item for each figure that is not as promised, and one for each cause for which there are no figures."""
    return _details(_of_one_cause(found), room, texts)


def _of_one_cause(found: Sequence[Reading]) -> list[list[Reading]]:
    """Gates without a figure are together where the same thing came between; any other one is alone."""
    groups: dict[object, list[Reading]] = {}
    alone = count()
    for each in found:
        cause = (each.status, each.weight, each.because, each.remedy)
        groups.setdefault(cause if each.observed == MISSING else next(alone), []).append(each)
    return list(groups.values())


def _details(groups: Sequence[Sequence[Reading]], room: Room, texts: Texts) -> Iterator[str]:
    """What to do about a gate is said where it is first named, and not again for each load."""
    told: set[tuple[str, str]] = set()
    for group in groups:
        first = group[0]
        remedy = "" if (first.gate, first.remedy) in told else in_language(first.remedy, texts)
        told.add((first.gate, first.remedy))
        yield "<br>\n  ".join([*_detail(group, room, texts), *todo(remedy, room, texts)])


def _detail(group: Sequence[Reading], room: Room, texts: Texts) -> Iterator[str]:
    """What came to what, why, and by how much; a gate without a figure has none to tell."""
    first = group[0]
    status = status_word(first.status, texts)
    lead = f"- {markdown_tables.MARKS[first.status]} **{status}{f', {first.weight}' if first.weight else ''}**"
    if len(group) == 1:
        yield f"{lead} {fill(texts, 'markdown.at', {'step': first.step})}: {_gate(first, room.letters)}"
    else:
        gates = _with_steps([(_gate(each, NAME), each) for each in group], texts)
        more = len(gates) - MOST_NAMES
        unsaid = [fill(texts, "summary.more", {"count": f"{more:,}"})] if more > 0 else []
        yield f"{lead}: {'; '.join([*gates[:MOST_NAMES], *unsaid])}"
    yield said(in_language(first.because, texts).removeprefix(f"{status}: "), room)
    if first.observed != MISSING:
        yield markdown_prose(sentence(figures(first, texts)))
