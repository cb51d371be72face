"""What a commit of reports says of itself, and what the pull request that proposes it says.

Names, reasons and what is told of runs come from scenarios, stores and people: one harmless line each in a commit, and
no markup in a pull request.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from llmload.analysis.wording import counted
from llmload.ci.report_commit import TRAILER
from llmload.plain_text import plain
from llmload.reporters.escaping import markdown_code, markdown_prose

_LONGEST_TITLE = 200
_NAMED = 3  # scenarios in a title
_MOST_FIGURES = 48  # of one baseline: six of each of eight steps
_ODD = re.compile(r"[^\w .:/=+()%-]")  # GitHub heeds mentions, issues and [skip ci] in messages of commits
_HEADS = ("step", "figure", "before", "now", "change", "CV")


@dataclass(frozen=True, slots=True)
class Moved:
    """The mean of a figure over the runs of a baseline, before (empty where there was none) and now, as people read it.

    `cv` is how much the figure varies between the runs now.
    """

    step: str
    figure: str
    before: str
    now: str
    change: str
    cv: str


@dataclass(frozen=True, slots=True)
class RecordedBaseline:
    """A baseline as it is committed: its path in the repository, what it has, and what a reviewer should know."""

    path: str
    runs: int
    added: int
    removed: int
    notices: tuple[str, ...]
    moved: tuple[Moved, ...] = ()


@dataclass(frozen=True, slots=True)
class Recorded:
    """One run whose report is committed; `came_to` is its verdict in words, `report` the first file's path."""

    scenario: str
    run_id: str
    came_to: str
    report: str
    baseline: RecordedBaseline | None = None


def title_of(recorded: Sequence[Recorded], asked: str | None) -> str:
    """The first line: what was asked for, else what is recorded."""
    if asked is not None:
        return plain(asked, _LONGEST_TITLE)
    names = [_name(each.scenario) for each in recorded]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    has_baseline = any(each.baseline is not None for each in recorded)
    what = "baseline and report" if has_baseline else "report"
    return f"Record {what} of {', '.join(names[:_NAMED])}{more}"


def commit_message(recorded: Sequence[Recorded], title: str, reason: str) -> str:
    """The whole message. The last lines mark the commit as ours."""
    told = "\n".join(_line(each) for each in recorded)
    why = f"Why: {plain(reason)}\n\n" if reason else ""
    trailers = "".join(f"{TRAILER}: {_name(each.run_id)}\n" for each in recorded)
    return f"{title}\n\n{why}{told}\n\n{trailers}"


def _line(recorded: Recorded) -> str:
    line = f"{_name(recorded.scenario)}: run {_name(recorded.run_id)}, {plain(recorded.came_to)}"
    if recorded.baseline is None:
        return line
    lines = [f"{line}; baseline of {_baseline(recorded.baseline)}"]
    if recorded.baseline.moved:
        cells = [_HEADS, *(_cells(each) for each in recorded.baseline.moved[:_MOST_FIGURES])]
        widths = [max(len(row[column]) for row in cells) for column in range(len(_HEADS))]
        lines += ["  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells]
        lines += [f"  and {more} more figures" for more in _more(recorded.baseline)]
    return "\n".join(lines)


def _cells(moved: Moved) -> tuple[str, ...]:
    return tuple(_name(each) for each in (moved.step, moved.figure, moved.before, moved.now, moved.change, moved.cv))


def _name(text: str) -> str:
    """A name as it is, where it is one of ours; of others what GitHub could heed is a question mark."""
    return _ODD.sub("?", plain(text, 100))


def _more(baseline: RecordedBaseline) -> list[int]:
    return [len(baseline.moved) - _MOST_FIGURES] if len(baseline.moved) > _MOST_FIGURES else []


def _baseline(baseline: RecordedBaseline) -> str:
    return f"{counted(baseline.runs, 'run')}, {baseline.added} added, {baseline.removed} removed"


def pull_request_body(recorded: Sequence[Recorded], reason: str) -> str:
    """Markdown: why, what is recorded, what to know of it, and what merging does."""
    parts = [f"**Why:** {markdown_prose(reason)}"] if reason else []
    parts.append("\n".join(("| scenario | run | verdict | files |", "| --- | --- | --- | --- |", *map(_row, recorded))))
    parts += [_figures(each.scenario, each.baseline) for each in recorded if each.baseline and each.baseline.moved]
    if notices := [f"- {markdown_prose(each.scenario, 100)}: {markdown_prose(n)}" for each, n in _notices(recorded)]:
        parts.append("\n".join(("**To know:**", *notices)))
    if any(each.baseline is not None for each in recorded):
        parts.append(
            "Merging makes these runs what later ones are compared with (relative gates, `within … of baseline`). Look"
            " at the report and at the figures in the baseline's difference first; close the pull request to leave the"
            " baseline as it is."
        )
    return "\n\n".join(parts) + "\n"


def _figures(scenario: str, baseline: RecordedBaseline) -> str:
    rows = [f"| {' | '.join(_HEADS)} |", "| --- | --- | ---: | ---: | ---: | ---: |"]
    rows += [
        f"| {' | '.join(markdown_prose(cell) for cell in _cells(each))} |" for each in baseline.moved[:_MOST_FIGURES]
    ]
    told = "\n".join(rows)
    more = "".join(f"\n\nand {count} more figures in the file" for count in _more(baseline))
    heading = (
        f"**Baseline of {markdown_prose(scenario, 100)}:** means over its runs; CV: how much they vary between runs."
    )
    return f"{heading}\n\n{told}{more}"


def _notices(recorded: Sequence[Recorded]) -> list[tuple[Recorded, str]]:
    return [(each, n) for each in recorded if each.baseline is not None for n in each.baseline.notices]


def _row(recorded: Recorded) -> str:
    files = [f"report {markdown_code(recorded.report, 300)}"]
    if recorded.baseline is not None:
        files.append(f"baseline {markdown_code(recorded.baseline.path, 300)}: {_baseline(recorded.baseline)}")
    cells = (
        markdown_prose(recorded.scenario, 100),
        markdown_code(recorded.run_id, 100),
        markdown_prose(recorded.came_to),
        "<br>".join(files),
    )
    return f"| {' | '.join(cells)} |"
