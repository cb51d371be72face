"""Annotations for GitHub: what is broken, at the gate's line of the scenario, the gravest first.

GitHub shows at most ten errors and ten warnings of a step, so a gate has one annotation for all its steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from llmload.outcome import Outcome
from llmload.reporters.issues import Gravity, Issue, issues_of
from llmload.reporters.wording import at_loads
from llmload.reporters.workflow_commands import Annotation, Level, command, names_file

MOST = 8
"""Of each level, before one more says how many are left."""

_MOST_STEPS = 6  # named in one title

Locate = Callable[[str], str | None]
"""A file as the command line named it -> its path from the root of the repository; None for one that is not in it."""


def render(outcome: Outcome, locate: Locate) -> bytes:
    """A workflow command a line; nothing where nothing is wrong."""
    return "".join(f"{command(each)}\n" for each in annotations_of(outcome, locate)).encode("utf-8", "replace")


def annotations_of(outcome: Outcome, locate: Locate) -> list[Annotation]:
    """Errors, then warnings; an issue that breaks the build is an error."""
    told = [_annotation(issues, locate) for issues in _by_subject(issues_of(outcome))]
    return [each for level in (Level.ERROR, Level.WARNING) for each in _at_most(told, level)]


def _at_most(told: Sequence[Annotation], level: Level) -> Iterator[Annotation]:
    mine = [annotation for annotation in told if annotation.level is level]
    yield from mine[:MOST]
    left = len(mine) - MOST
    if left > 0:
        where = "The summary of this job names them; its reports have every figure."
        yield Annotation(level, (where,), title=f"and {left:,} more {level.value}{'s' if left > 1 else ''}")


def _by_subject(issues: Sequence[Issue]) -> list[list[Issue]]:
    """Issues of one gate together, in the order of the gravest of each."""
    gathered: dict[tuple[object, ...], list[Issue]] = {}
    for issue in issues:
        place = issue.scenario, issue.source, issue.line, issue.column, issue.subject
        several = (*place, *(() if issue.step else issue.lines))
        gathered.setdefault(several, []).append(issue)
    return list(gathered.values())


def _annotation(issues: Sequence[Issue], locate: Locate) -> Annotation:
    """The gravest speaks; the title names the steps of all."""
    first = issues[0]
    located = (locate(first.source) if first.source else None) or ""
    file = located if names_file(located) else ""
    lead = f"At {first.step}: " if len(issues) > 1 and first.step else ""
    because, *others = first.lines
    return Annotation(
        level=Level.ERROR if first.gravity < Gravity.UNDECIDED else Level.WARNING,
        lines=(lead + because, *others),
        file=file,
        line=first.line,
        column=first.column,
        title=": ".join(filter(None, ("" if file else first.scenario, first.subject, _became(issues)))),
    )


def _became(issues: Sequence[Issue]) -> str:
    """Such as `fail at concurrency 8, 16; could not measure at concurrency 32`."""
    words: dict[str, list[str]] = {}
    for issue in issues:
        words.setdefault(issue.word, []).append(issue.step)
    return "; ".join(f"{word} at {steps}" if (steps := _steps(told)) else word for word, told in words.items())


def _steps(labels: Sequence[str]) -> str:
    """Loads of one axis under one name."""
    named = [label for label in dict.fromkeys(labels) if label]
    told = at_loads(named[:_MOST_STEPS])
    return told + (f" and {len(named) - _MOST_STEPS:,} more" if len(named) > _MOST_STEPS else "")
