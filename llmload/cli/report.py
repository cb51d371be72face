"""`llmload report`: any report of a stored run again."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from llmload.cli import options
from llmload.cli.stored import Run


class JunitFlavor(StrEnum):
    """Whose schema junit.xml keeps."""

    STANDARD = "standard"
    STRICT = "strict"


def report(
    run: Run,
    formats: Annotated[
        list[str], typer.Option("--format", help="markdown, json, junit or csv; may be given several times.")
    ],
    store: options.Store = options.DEFAULT_STORE,
    out: Annotated[Path | None, typer.Option(help="Directory for reports, in place of spec.reports.dir.")] = None,
    junit_flavor: Annotated[
        JunitFlavor, typer.Option(help="strict: without file and line, valid by the Jenkins xunit schema.")
    ] = JunitFlavor.STANDARD,
) -> None:
    """Write reports of a stored run, judged from its stored requests.

    Example: llmload report latest --format markdown --format junit --out reports/nightly
    """
    from llmload.cli import stored
    from llmload.cli.report_files import write_reports
    from llmload.reporters import junit
    from llmload.reporters.registry import REPORTERS
    from llmload.reporters.texts import Language, texts_in
    from llmload.store.database import open_existing

    stored.refuse_unknown(formats, tuple(REPORTERS))
    with open_existing(store) as opened:
        result = stored.judged(opened, opened.find(run))
    reporters = dict(REPORTERS)
    if junit_flavor is JunitFlavor.STRICT:
        reporters["junit"] = lambda run, _: {"junit.xml": junit.render_strict(run)}
    directory = (out or stored.reports_directory(result)) / result.header.scenario
    print("\n".join(str(path) for path in write_reports(result, directory, formats, texts_in(Language.EN), reporters)))
