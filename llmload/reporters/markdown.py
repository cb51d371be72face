"""`report.md`: what a reviewer reads in a pull request. The answer first, then how sure, then what to do.

Every string is escaped unless it is `Markdown` already, so that a template cannot forget it. It stays under 80 kB:
long lists are cut, worst first, and say how much is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import jinja2

from llmload.domain import RunResult, StepResult
from llmload.reporters import sections
from llmload.reporters.changes import climbs, compared_with
from llmload.reporters.escaping import Markdown, markdown_code, markdown_prose
from llmload.reporters.figures import MISSING, amount, bare_milliseconds, percent
from llmload.reporters.texts import Texts
from llmload.reporters.wording import (
    caveats,
    figures,
    readings,
    seen,
    senders,
    sentence,
    status_word,
    step_label,
    tally,
    worst,
)
from llmload.verdict import Caveat, Status

SIZE_LIMIT = 80_000  # bytes


@dataclass(frozen=True, slots=True)
class _Room:
    """How many of each a report tells before it says how many more there are."""

    details: int
    gates: int
    steps: int
    lines: int


_ROOMS = (_Room(20, 100, 50, 30), _Room(10, 50, 30, 10), _Room(3, 10, 10, 3))
_MARKS = {
    Status.PASS: "✅",
    Status.FAIL: "❌",
    Status.ERROR: "⛔",
    Status.INCONCLUSIVE: "❔",
    Status.INCOMPARABLE: "❔",
    Status.NOT_GATED: "⚪",
}


def render(run: RunResult, texts: Texts) -> bytes:
    """GitHub-flavoured Markdown, with as much detail as the size limit has room for."""
    text = b""
    for room in _ROOMS:
        text = _environment().get_template("report.md.j2").render(_told(run, room, texts)).encode()
        if len(text) < SIZE_LIMIT:
            break
    return text


def _told(run: RunResult, room: _Room, texts: Texts) -> dict[str, object]:
    told, spoilers = readings(run, texts), caveats(run, texts)
    to_look_at = [reading for reading in told if reading.status is not Status.PASS]
    target = run.target
    return {
        "run": run,
        "texts": texts,
        "room": room,
        "tally": tally(run, texts),
        "beside": [words for words in (compared_with(run, texts), climbs(run, texts)) if words],
        "is_relative": any(reading.is_relative for reading in told),
        "framework": sections.framework(target) if target else "",
        "to_look_at": to_look_at,
        "readings": told,
        "confidences": ", ".join(sorted({each.confidence for each in told if each.confidence != MISSING})),
        "caveats": spoilers,
        "errors": sections.errors(run.steps, texts),
        "senders": senders(run, texts),
        "is_open_loop": any(step.step.axis != "concurrency" for step in run.steps),
        "provenance": sections.provenance(run, texts, room.lines),
    }


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(  # noqa: S701 - `finalize` escapes, for Markdown instead of HTML
        loader=jinja2.PackageLoader("llmload.reporters"),
        finalize=_escape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "code": markdown_code,
        "percent": percent,
        "amount": amount,
        "mark": _mark,
        "sentence": sentence,
    }
    environment.tests |= {"fatal": _is_fatal}
    environment.globals |= {
        "latency": _latency,
        "worst": worst,
        "more": _more,
        "figures": figures,
        "seen": seen,
        "step_label": step_label,
        "status_word": status_word,
        "break": Markdown("<br>"),
    }
    return environment


def _escape(value: object) -> object:
    return value if isinstance(value, Markdown | int) else markdown_prose(str(value))


def _mark(status: Status) -> str:
    return _MARKS[status]


def _is_fatal(caveat: Caveat) -> bool:
    return caveat.is_fatal


def _more(everything: Sequence[object], told: int, file: str) -> Markdown:
    """How many are left untold, and which file tells them."""
    left = len(everything) - told
    return Markdown(f"\n…and {left:,} more; `{file}` has them all.\n" if left > 0 else "")


def _latency(step: StepResult, metric: str) -> str:
    """p50 / p95 / p99 in ms, in one cell."""
    summary = step.metrics.latency.get(metric)
    if summary is None:
        return MISSING
    return " / ".join(bare_milliseconds(value) for value in (summary.p50_ms, summary.p95_ms, summary.p99_ms))
