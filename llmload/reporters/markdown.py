"""`report.md`: what a reviewer reads in a pull request. The answer first, then how sure, then what to do.

Every string is escaped unless it is `Markdown` already, so that a template cannot forget it. It stays under 80 kB:
long lists are cut, worst first, and say how much is missing. Its pictures count, and the least important ones are
left out where they do not fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

import jinja2

from llmload.domain import RunResult
from llmload.reporters import capacity_sections, markdown_tables, part_sections, sections, serving_sections
from llmload.reporters.aligned_table import escaped
from llmload.reporters.changes import climbs, compared_with
from llmload.reporters.charts import run_charts
from llmload.reporters.content_sections import contents
from llmload.reporters.drawing import svg
from llmload.reporters.escaping import Markdown, markdown_code, markdown_quote
from llmload.reporters.figures import MISSING
from llmload.reporters.reasons import in_language
from llmload.reporters.texts import Texts
from llmload.reporters.wording import (
    capital,
    caveats,
    figures,
    finding_cause,
    finding_figures,
    finding_kind,
    finding_remedy,
    place_of,
    readings,
    senders,
    sentence,
    status_word,
    tally,
)
from llmload.reporters.written_sections import written
from llmload.verdict import Caveat, Finding, Status

SIZE_LIMIT = 80_000  # bytes


@dataclass(frozen=True, slots=True)
class _Room:
    """How many of each a report tells before it says how many more there are."""

    details: int
    gates: int
    steps: int
    lines: int
    letters: int  # of a written analysis


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart as a file beside the report, and what it shows in words."""

    file: str
    summary: str
    content: bytes


_FOR_PICTURES = SIZE_LIMIT // 2  # of a run that has too much of everything, the text gets half
_ROOMS = (_Room(20, 100, 50, 30, 8_000), _Room(10, 50, 30, 10, 4_000), _Room(3, 10, 10, 3, 1_000))


def render(run: RunResult, texts: Texts) -> Mapping[str, bytes]:
    """`report.md` in GitHub-flavoured Markdown and the pictures that it shows, all within the size limit."""
    pictures = [Picture(f"report-{chart.name}.svg", chart.summary, svg(chart)) for chart in run_charts(run, texts)]
    most = SIZE_LIMIT - (_FOR_PICTURES if pictures else 0)
    text = b""
    for room in _ROOMS:
        text = _text(run, room, texts, pictures, pictures)
        if len(text) < most:
            break
    kept = _within(SIZE_LIMIT - len(text), pictures)
    text = text if len(kept) == len(pictures) else _text(run, room, texts, kept, pictures)
    return {"report.md": text} | {picture.file: picture.content for picture in kept}


def _within(room: int, pictures: Sequence[Picture]) -> list[Picture]:
    """Those that there is room for, the most important one first."""
    kept = []
    for picture in pictures:
        if len(picture.content) < room:
            kept.append(picture)
            room -= len(picture.content)
    return kept


def _text(run: RunResult, room: _Room, texts: Texts, pictures: Sequence[Picture], drawn: Sequence[Picture]) -> bytes:
    told = _told(run, room, texts) | {"pictures": pictures, "drawn": drawn}
    return _environment().get_template("report.md.j2").render(told).encode()


def _told(run: RunResult, room: _Room, texts: Texts) -> dict[str, object]:
    told, target = readings(run, texts), run.target
    return {
        "run": run,
        "texts": texts,
        "room": room,
        "tally": tally(run, texts),
        "beside": [
            words for words in (compared_with(run, texts), climbs(run, texts), sections.knee(run, texts)) if words
        ],
        "is_relative": any(reading.is_relative for reading in told),
        "framework": sections.framework(target) if target else "",
        "to_look_at": [reading for reading in told if reading.status is not Status.PASS],
        "readings": told,
        "confidences": ", ".join(sorted({each.confidence for each in told if each.confidence != MISSING})),
        "caveats": caveats(run, texts),
        "advised": capacity_sections.recommendation(run, texts),
        "parts": part_sections.part_tables(run, texts),
        "contents": contents(run, texts),
        "errors": sections.errors(run.steps, texts),
        "senders": senders(run, texts),
        "searched": capacity_sections.searched(run, texts),
        "written": written(run.analyses, texts, room.letters),
        "server": serving_sections.server(run, texts),
        "server_note": serving_sections.server_note(run, texts),
        "checked": serving_sections.checked(run, texts),
        "gpus": sections.gpus(run, texts),
        "gpu_steps": serving_sections.gpu_steps(run, texts),
        "findings": [_found(finding, texts) for finding in run.findings],
        "provenance": sections.provenance(run, texts, room.lines),
        "fill": partial(_fill, texts),
        "more": partial(_more, texts),
        "status_word": partial(status_word, texts=texts),
        "figures": partial(figures, texts=texts),
        "told": partial(in_language, texts=texts),
    }


def _found(finding: Finding, texts: Texts) -> Mapping[str, str]:
    """A finding in the language of the report, not yet escaped."""
    told = in_language(finding.subject, texts)
    subject = told if finding.kind in ("", "declared") else capital(told)  # names of settings stay as they are
    return {
        "subject": subject,
        "kind": finding_kind(finding, texts),
        "place": place_of(finding, texts),
        "cause": finding_cause(finding, texts),
        "figures": f"{subject}: {finding_figures(finding, texts)}",
        "remedy": finding_remedy(finding, texts),
    }


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(  # noqa: S701 - `finalize` escapes, for Markdown instead of HTML
        loader=jinja2.PackageLoader("llmload.reporters"),
        finalize=escaped,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"code": markdown_code, "mark": _mark, "sentence": sentence, "listed": _listed}
    environment.filters |= {"codes": _codes, "quoted": markdown_quote}
    environment.tests |= {"fatal": _is_fatal}
    environment.globals |= {"tables": markdown_tables, "break": Markdown("<br>")}
    return environment


def _fill(texts: Texts, key: str, values: Mapping[str, object]) -> Markdown:
    """A sentence of the catalogue around values of which some may be Markdown."""
    return Markdown(texts[key].format(**{name: escaped(value) for name, value in values.items()}))


def _mark(status: Status) -> str:
    return markdown_tables.MARKS[status]


def _codes(figures: Sequence[str]) -> Markdown:
    return Markdown(", ".join(markdown_code(figure) for figure in figures))


def _is_fatal(caveat: Caveat) -> bool:
    return caveat.is_fatal


def _more(texts: Texts, everything: Sequence[object], told: int, file: str) -> Markdown:
    """How many are left untold, and which file tells them."""
    left = len(everything) - told
    if left <= 0:
        return Markdown("")
    return Markdown(f"\n{texts['markdown.more'].format(count=f'{left:,}', file=f'`{file}`')}\n")


def _listed(pairs: sections.Pairs) -> str:
    """Names and values in one line; what is not known is not named."""
    return " · ".join(f"{name} {value}" for name, value in pairs if value != MISSING)
