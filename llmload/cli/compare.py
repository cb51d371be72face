"""`llmload compare`: runs side by side, and which differences are more than noise."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, assert_never

import typer

from llmload.cli import VerdictExit, options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from llmload.analysis.comparison import Comparison
    from llmload.domain import RunResult
    from llmload.outcome import Entry

UNMEASURED = 5
"""Exit code of a comparison of which a step could not be measured."""


class Format(StrEnum):
    """How a comparison is told."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


Runs = Annotated[
    list[str],
    typer.Argument(metavar="RUN", help='Runs of the store (id, beginning of one, "latest") or result.json files.'),
]


def compare(
    runs: Runs,
    store: options.Store = options.DEFAULT_STORE,
    format: Annotated[Format, typer.Option(help="How to tell it.")] = Format.TEXT,  # noqa: A002 - the option's name
    output: Annotated[Path | None, typer.Option(help="Write it to this file.")] = None,
    outcome: options.Outcome = None,
) -> None:
    """Hold runs against the first one, step by step: exit code 0 for no difference beyond noise, 1 for one.

    Example: llmload compare reports/main/result.json latest --format markdown
    """
    from llmload.cli import stored
    from llmload.cli.comparing import held_against_first
    from llmload.cli.outcome_record import Keep, recorded
    from llmload.outcome import Command

    def work(keep: Keep) -> int:
        results: dict[str, RunResult] = {}
        comparison = held_against_first("compare", runs, store, take=results.__setitem__)
        rendered = _render(comparison, format)
        if output is None:
            stored.print_bytes(rendered)
        else:
            stored.write_file(output, rendered)
        if outcome is not None:
            for entry in _entries(comparison, results, output):
                keep(entry)
        return _exit_code(comparison)

    raise VerdictExit(recorded(outcome, Command.COMPARE, runs, work))


def _entries(comparison: Comparison, results: Mapping[str, RunResult], output: Path | None) -> Iterator[Entry]:
    """Each run with its result, that of a file as far as it tells one; the first has the comparison as its report."""
    from llmload.errors import DataFileError
    from llmload.outcome import Entry
    from llmload.store.result_document import read_run

    spoilt = {absence.run for absence in comparison.absences if absence.is_spoilt}
    for place, run in enumerate(comparison.runs):
        code = UNMEASURED if place in spoilt else 0
        reports = (str(output),) if output is not None and place == 0 else ()
        try:
            result = results.get(run.name) or read_run(Path(run.name))
        except DataFileError as error:
            yield Entry(run.name, code, message=str(error), reports=reports)
        else:
            yield Entry(run.name, code, result, reports=reports)


def _render(comparison: Comparison, told_as: Format) -> bytes:
    from llmload.reporters import comparison_json, comparison_markdown, comparison_text
    from llmload.reporters.texts import Language, texts_in

    match told_as:
        case Format.TEXT:
            return comparison_text.render(comparison)
        case Format.MARKDOWN:
            return comparison_markdown.render(comparison, texts_in(Language.EN))
        case Format.JSON:
            return comparison_json.render(comparison)
        case _:
            assert_never(told_as)


def _exit_code(comparison: Comparison) -> int:
    """A difference counts first; else a step that could not be measured must not pass for one that is the same."""
    if comparison.is_different:
        return 1
    return UNMEASURED if comparison.is_spoilt else 0
