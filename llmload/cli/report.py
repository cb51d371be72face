"""`llmload report`: any report of a stored run again, or several runs side by side."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmload.cli import options
from llmload.cli.opening import show
from llmload.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llmload.cli.report_files import Jobs, Rendered, Written
    from llmload.domain import RunResult
    from llmload.reporters.texts import Texts
    from llmload.store.database import Store

_ONE_ONLY = {
    "junit": "tells of the gates of one run, and a comparison has none (`llmload compare` is the gate)",
    "csv": "has the steps of one run, one a row",
}
"""Why a format has no meaning for several runs."""


class JunitFlavor(StrEnum):
    """Whose schema junit.xml keeps."""

    STANDARD = "standard"
    STRICT = "strict"


Runs = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN...",
        help='Id of a run, the beginning of one, or "latest"; several, result.json files too, are compared.',
    ),
]
Formats = Annotated[
    list[str],
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="markdown, html, excel, junit, csv or json, several times if you like; those of the scenario if left out.",
    ),
]


def report(
    runs: Runs,
    formats: Formats = [],  # noqa: B006 - typer copies it
    store: options.Store = options.DEFAULT_STORE,
    out: Annotated[
        Path | None, typer.Option(help="Directory for reports: DIR/SCENARIO of one run, DIR itself of several.")
    ] = None,
    lang: options.Lang = None,
    requests: Annotated[bool, typer.Option("--requests", help="Add a sheet of every request to excel.")] = False,
    opens: Annotated[bool, typer.Option("--open", help="Show the HTML report, or else the first one.")] = False,
    junit_flavor: Annotated[
        JunitFlavor, typer.Option(help="strict: without file and line, valid by the Jenkins xunit schema.")
    ] = JunitFlavor.STANDARD,
) -> None:
    """Write reports of a stored run, judged from its stored requests; of several runs, a comparison with the first.

    Exit code: 0 written, whatever the verdict; `llmload gate` and `llmload compare` are what fails a build.

    Example: llmload report latest --format html --open

    Example: llmload report latest --format markdown --format junit --out reports/nightly

    Example: llmload report 20261101 latest --format markdown --lang ko
    """
    from llmload.analysis.conclusions import worst_code
    from llmload.cli import stored
    from llmload.cli.display import stages
    from llmload.cli.report_files import tell_troubles
    from llmload.reporters.registry import REPORTERS
    from llmload.reporters.texts import texts_in

    texts = texts_in(options.language(lang, os.environ))
    with stages() as begin:
        known = stored.known_formats(formats, tuple(REPORTERS))
        wanted = _Wanted(known, store, out, texts, begin, junit_flavor, requests)
        written = _of_several(runs, wanted) if len(runs) > 1 else _of_one(runs[0], wanted)
    if written.files:
        stored.print_text("".join(f"{_line(path)}\n" for path in written.files))
    tell_troubles(written)
    if opens:
        show(written.files)
    raise typer.Exit(worst_code((0, *written.exit_codes)))


def _line(path: Path) -> str:
    """A path for a terminal or a pipe: a folder's name may hold anything, and a scenario names the folder."""
    name = str(path)
    return name if name.isprintable() else repr(name)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the command line asks for, whether of one run or of several; no formats where it names none."""

    formats: tuple[str, ...]
    store: Path
    out: Path | None
    texts: Texts
    begin: Callable[[str], None]
    flavor: JunitFlavor
    has_requests: bool


def _of_one(run: str, wanted: _Wanted) -> Written:
    from llmload.cli import stored
    from llmload.cli.comparing import is_file
    from llmload.cli.report_files import render
    from llmload.store.database import open_existing
    from llmload.store.judgement import judged

    if is_file(run):
        remedy = "Name the run's id, or a second run to compare it with"
        raise UsageError(run, "is a file, and reports of one run are made from the store", remedy)
    with open_existing(wanted.store) as opened:
        run_id = opened.find(run)
        wanted.begin(f"{run_id}: reading")
        result = judged(opened, run_id)
        rendered = render(_jobs(result, wanted, opened), lambda name: wanted.begin(f"{run_id}: {name}"))
    return _put(rendered, stored.report_folder(result, wanted.out), f"llmload report {run_id}")


def _jobs(result: RunResult, wanted: _Wanted, store: Store) -> Jobs:
    """What makes the reports of one run; requests are read while they are written."""
    from llmload.analysis.requests import request_rows
    from llmload.cli import stored
    from llmload.cli.report_files import jobs_of
    from llmload.reporters import junit
    from llmload.store.parts import parts_of_requests

    run_id = result.header.run_id
    formats = wanted.formats or stored.formats_of(result)
    if not formats:
        raise UsageError(run_id, "its scenario asks for no report", "Name one: --format html")
    jobs = jobs_of(result, formats, wanted.texts)
    if wanted.flavor is JunitFlavor.STRICT:
        if "junit" not in jobs:
            raise UsageError("--junit-flavor", "is of junit, which is not asked for", "Add --format junit")
        jobs["junit"] = lambda: {"junit.xml": junit.render_strict(result)}
    if wanted.has_requests:
        if "excel" not in jobs:
            raise UsageError("--requests", "is a sheet of excel, which is not asked for", "Add --format excel")
        if result.is_imported:
            raise UsageError("--requests", f"run {run_id} was imported, and has none", "Leave it out")
        from llmload.reporters import excel  # openpyxl takes a while to load

        rows = request_rows(store.whole_windows(run_id), result.promised)
        parts = parts_of_requests(store, run_id)
        jobs["excel"] = lambda: {"report.xlsx": excel.render_with_requests(result, wanted.texts, rows, parts)}
    return jobs


def _of_several(runs: Sequence[str], wanted: _Wanted) -> Written:
    from llmload.cli.comparing import held_against_first
    from llmload.cli.report_files import render
    from llmload.reporters.registry import COMPARISON_REPORTERS

    if wanted.has_requests:
        raise UsageError("--requests", "adds the requests of one run, and several are named", "Leave it out")
    if wanted.flavor is JunitFlavor.STRICT:
        raise UsageError("--junit-flavor", "is of junit, which tells of one run", "Leave it out")
    formats = wanted.formats or tuple(COMPARISON_REPORTERS)
    for name in formats:
        if name not in COMPARISON_REPORTERS:
            raise UsageError(f"--format {name}", _ONE_ONLY[name], f"Choose of: {', '.join(COMPARISON_REPORTERS)}")
    comparison = held_against_first("report", runs, wanted.store, lambda run: wanted.begin(f"{run}: reading"))
    jobs = {name: partial(COMPARISON_REPORTERS[name], comparison, wanted.texts) for name in formats}
    rendered = render(jobs, lambda name: wanted.begin(f"comparison: {name}"))
    return _put(rendered, wanted.out or Path("reports") / "comparison", f"llmload report {' '.join(runs)}")


def _put(rendered: Rendered, directory: Path, again: str) -> Written:
    """Write to the end what has begun to be written, and only then heed Ctrl-C."""
    from llmload.cli.report_files import put
    from llmload.cli.stopping import listening

    with listening() as stop:
        stop.remedy = "The reports are whole"
        written = put(rendered, directory, again)
    if stop.signum:
        raise stop.error()
    return written
