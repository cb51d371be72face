"""The comment in a pull request: the verdict first, then what is broken and what to do; all else is folded.

It is made of the outcome alone and of what the job knows of itself; whatever is in the outcome is hostile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from llmload.analysis.comparison import Comparison
from llmload.analysis.conclusions import comparison_of
from llmload.domain import RunResult
from llmload.outcome import Command, Outcome
from llmload.reporters import comparison_markdown
from llmload.reporters.aligned_table import Column, Side, table
from llmload.reporters.escaping import Markdown, markdown_code, markdown_prose
from llmload.reporters.figures import percent
from llmload.reporters.rooms import ROOMS, fill
from llmload.reporters.step_summary import GRAVEST, head_of
from llmload.reporters.summary_sections import (
    MARKS,
    Told,
    code,
    figures_folded,
    items,
    line,
    name,
    reason_in_brief,
    told_of,
    word,
)
from llmload.reporters.texts import Texts
from llmload.reporters.wording import Reading, readings, seen, tally
from llmload.reporters.workflow_commands import inert
from llmload.verdict import Status

LIMIT = 60_000
"""Characters; GitHub refuses a comment of more than 65,536."""

_ROOM = ROOMS[-1]
_MOST_ROWS = 64
_MOST_DIFFERENT = 50
_FOR_LOOKING = 30_000  # characters of what is broken, so that the folded rest is not left out for it

Rewriting = Literal["on-change", "always"]
"""When a comment that is there already is written anew: when what it says has changed, or after each run."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a job knows of itself: the commit that was measured, the page of the run, and when comments are rewritten.

    Empty where nobody told.
    """

    commit: str = ""
    run_url: str = ""
    rewriting: Rewriting = "on-change"


def render(outcome: Outcome, facts: Facts, texts: Texts, limit: int = LIMIT) -> str:
    """GitHub's Markdown of so many characters at most; what there is no room for is counted."""
    told = sorted(told_of(outcome), key=lambda each: GRAVEST.index(each.conclusion))
    comparison = comparison_of(outcome)
    head, foot = head_of(outcome, told, comparison, texts), _foot(facts, texts)
    if outcome.command is Command.COMPARE:
        blocks = _compared(told, comparison, texts)
    else:
        blocks = [_overview(told, texts), _looked_at(told, texts), *(_folded(each, texts) for each in told)]
    body = "".join(_within(blocks, limit - len(head) - len(foot), texts))
    return inert(f"{head}{body}{foot}")  # since `--dry-run` prints it in a job


def _within(blocks: Sequence[str], room: int, texts: Texts) -> Iterator[str]:
    """Those that there is room for, the first ones first; a last line counts the others."""
    left, room = 0, room - len(_more(10**9, texts))
    for block in blocks:
        if len(block) > room:
            left += 1
        else:
            room -= len(block)
            yield block
    yield _more(left, texts)


def _more(left: int, texts: Texts) -> str:
    return f"{texts['comment.more'].format(count=f'{left:,}')}\n\n" if left > 0 else ""


# ---------------------------------------------------------------- a row for each scenario


def _overview(told: Sequence[Told], texts: Texts) -> str:
    """A row for each scenario, the gravest first; without the last column where every gate holds."""
    if len(told) < 2:
        return ""  # all that is known of it stands above and below
    columns = [
        Column("", Side.CENTRE),
        *(Column(texts[f"summary.column.{each}"]) for each in ("scenario", "verdict", "gates")),
        Column(texts["summary.column.goodput"], Side.RIGHT),
        Column(texts["summary.column.first"]),
    ]
    rows = [_row(each, texts) for each in told[:_MOST_ROWS]]
    width = len(columns) if any(row[-1] for row in rows) else len(columns) - 1
    shown = table(columns[:width], [row[:width] for row in rows])
    return f"{shown}\n{_more(len(told) - _MOST_ROWS, texts)}"


def _row(told: Told, texts: Texts) -> tuple[str, ...]:
    lead = (MARKS[told.conclusion], code(told), word(told.conclusion, texts))
    if told.run is None:
        return (*lead, "", "", reason_in_brief(told, texts))
    counts = tally(told.run, texts)
    return (*lead, counts.partition(": ")[2] or counts, percent(told.goodput), _worst(told.run, texts))


def _worst(run: RunResult, texts: Texts) -> str:
    """The gravest gate with what was observed and wanted; nothing of a run whose gates all hold."""
    open_ones = _open_readings(run, texts)
    if not open_ones:
        return ""
    worst = open_ones[0]
    place = fill(texts, "markdown.at", {"step": worst.step})
    figures = fill(texts, "comment.seen", {"observed": seen(worst, texts), "target": worst.target})
    return Markdown(f"{markdown_code(worst.gate, 120)} {place}<br>{figures}")


# ---------------------------------------------------------------- what is broken


def _looked_at(told: Sequence[Told], texts: Texts) -> str:
    """What stands between this and a pass, the gravest scenario first; what there is no room for is counted."""
    kept, left, room = [], 0, _FOR_LOOKING
    for each in told:
        heading = f"#### {MARKS[each.conclusion]} {markdown_prose(name(each), 160)}\n\n" if len(told) > 1 else ""
        for item in items(each, _open_readings(each.run, texts), _ROOM, texts):
            block = f"{heading}{item}\n\n"
            if len(block) > room:
                left += 1
                continue
            room -= len(block)
            heading = ""
            kept.append(block)
    return "".join(kept) + _more(left, texts)


def _open_readings(run: RunResult | None, texts: Texts) -> list[Reading]:
    """Every gate that does not hold, one that only warns too; nothing where there is no run."""
    if run is None:
        return []
    return [reading for reading in readings(run, texts) if reading.status is not Status.PASS]


# ---------------------------------------------------------------- folded


def _folded(told: Told, texts: Texts) -> str:
    """Every gate and load of a scenario behind its name; nothing where none was measured."""
    if told.run is None:
        return ""
    return f"{figures_folded(told.run, _ROOM, texts)}\n".lstrip()


def _compared(told: Sequence[Told], comparison: Comparison | None, texts: Texts) -> list[str]:
    """Runs without a result, then what differs between the others."""
    missing = "".join(line(each, texts) for each in told if each.run is None)
    brief = [] if comparison is None else [comparison_markdown.brief(comparison, texts, _MOST_DIFFERENT)]
    return [f"{block}\n" for block in (missing, *brief) if block]


def _foot(facts: Facts, texts: Texts) -> str:
    """At which commit and in which run its figures were measured, and whether later runs rewrite them."""
    commit = f"`{facts.commit[:12]}`" if re.fullmatch(r"[0-9a-f]{7,64}", facts.commit) else ""
    run = f"[{texts['comment.run']}]({facts.run_url})" if _is_address(facts.run_url) else ""
    if commit and run:
        measured = texts["comment.measured_at_in"].format(commit=commit, run=run)
    elif commit:
        measured = texts["comment.measured_at"].format(commit=commit)
    else:
        measured = texts["comment.measured_in"].format(run=run) if run else ""
    stays = texts["comment.stays" if facts.rewriting == "on-change" else "comment.follows"]
    return f"---\n{' '.join(filter(None, (measured, stays)))}\n"


def _is_address(url: str) -> bool:
    """Whether this is an address that can stand in a link, of the web and of nothing else."""
    return re.fullmatch(r"https?://[A-Za-z0-9.:-]+/[A-Za-z0-9_./-]+", url) is not None
