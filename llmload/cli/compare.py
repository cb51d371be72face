"""`llmload compare`: runs side by side, and which differences are more than noise."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, assert_never

import typer

from llmload.cli import VerdictExit, options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmload.analysis.comparison import ComparedRun, Comparison
    from llmload.domain import RunResult


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
) -> None:
    """Hold runs against the first one, step by step: exit code 0 for no difference beyond noise, 1 for one.

    Example: llmload compare reports/main/result.json latest --format markdown
    """
    from llmload.analysis.comparison import compare as hold_against
    from llmload.cli import stored

    comparison = hold_against(_runs(runs, store))
    _refuse_strangers(comparison)
    rendered = _render(comparison, format)
    if output is None:
        stored.print_bytes(rendered)
    else:
        stored.write_file(output, rendered)
    raise VerdictExit(_exit_code(comparison))


def _runs(names: Sequence[str], store: Path) -> list[ComparedRun]:
    """In the order of the command line; the store is opened only where a run of it is named."""
    from llmload.errors import UsageError
    from llmload.store.result_file import read_result

    if len(names) < 2:
        raise UsageError("compare", "one run alone cannot be compared", "Name two runs or more")
    files = {name: read_result(Path(name)) for name in names if _is_file(name)}
    stored = _of_store([name for name in names if name not in files], store)
    return [files[name] if name in files else stored[name] for name in names]


def _is_file(name: str) -> bool:
    """No id of a run has a slash, or ends like a file; a folder may have the name of a run."""
    path = Path(name)
    return "/" in name or path.suffix == ".json" or (path.exists() and not path.is_dir())


def _of_store(names: Sequence[str], store: Path) -> dict[str, ComparedRun]:
    from llmload.cli import stored
    from llmload.store.database import open_existing

    if not names:
        return {}
    with open_existing(store) as opened:
        return {name: _of_result(name, stored.judged(opened, opened.find(name))) for name in names}


def _of_result(name: str, result: RunResult) -> ComparedRun:
    from llmload.analysis.comparison import ComparedRun

    header = result.header
    return ComparedRun(
        name, header.run_id, header.scenario, header.created, result.status, result.fingerprint, result.steps
    )


def _refuse_strangers(comparison: Comparison) -> None:
    """Runs without a step in common have nothing to be compared by, and "no difference" would be no answer."""
    from llmload.errors import UsageError
    from llmload.plain_text import plain

    if not comparison.rows and not comparison.is_spoilt:
        had = "; ".join(
            f"{run.run_id} has {', '.join(each.step.label for each in run.steps) or 'no step'}"
            for run in comparison.runs
        )
        raise UsageError(
            "compare", f"no other run has a step of the first one: {plain(had)}", "Compare runs of one load"
        )


def _render(comparison: Comparison, told_as: Format) -> bytes:
    from llmload.reporters import comparison_json, comparison_markdown, comparison_text

    match told_as:
        case Format.TEXT:
            return comparison_text.render(comparison)
        case Format.MARKDOWN:
            return comparison_markdown.render(comparison)
        case Format.JSON:
            return comparison_json.render(comparison)
        case _:
            assert_never(told_as)


def _exit_code(comparison: Comparison) -> int:
    """A difference counts first; else a step that could not be measured must not pass for one that is the same."""
    if comparison.is_different:
        return 1
    return 5 if comparison.is_spoilt else 0
