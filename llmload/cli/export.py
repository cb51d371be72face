"""`llmload export`: a stored run as one document, on stdout or in a file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from llmload.cli import options
from llmload.cli.stored import Run
from llmload.errors import UsageError

_FORMATS = ("csv", "excel", "json")


def export(
    run: Run,
    format: Annotated[  # noqa: A002
        str, typer.Option(help="csv (one row per step), excel (or xlsx) or json (the result document).")
    ],
    store: options.Store = options.DEFAULT_STORE,
    output: Annotated[Path | None, typer.Option(help="File to write; stdout when left out.")] = None,
    lang: options.Lang = None,
) -> None:
    """Print a stored run, judged from its stored requests, as CSV, Excel or JSON.

    Example: llmload export latest --format csv --output steps.csv
    """
    from llmload.cli import stored
    from llmload.reporters.registry import REPORTERS
    from llmload.reporters.texts import texts_in
    from llmload.store.database import open_existing
    from llmload.store.judgement import judged

    (name,) = stored.known_formats([format], _FORMATS)
    texts = texts_in(options.language(lang, os.environ))
    if name == "excel" and output is None and sys.stdout.isatty():
        raise UsageError("--format excel", "is no text for a terminal", "Name a file: --output report.xlsx")
    with open_existing(store) as opened:
        result = judged(opened, opened.find(run))
    rendered, *_ = REPORTERS[name](result, texts).values()
    if output is None:
        stored.print_bytes(rendered)
    else:
        stored.write_file(output, rendered)
