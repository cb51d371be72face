"""`llmload export`: a stored run as one document, on stdout or in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmload.cli import options
from llmload.cli.stored import Run


def export(
    run: Run,
    format: Annotated[str, typer.Option(help="csv (one row per step) or json (the result document).")],  # noqa: A002
    store: options.Store = options.DEFAULT_STORE,
    output: Annotated[Path | None, typer.Option(help="File to write; stdout when left out.")] = None,
) -> None:
    """Print a stored run, judged from its stored requests, as CSV or JSON.

    Example: llmload export latest --format csv --output steps.csv
    """
    from llmload.cli import stored
    from llmload.reporters.registry import REPORTERS
    from llmload.reporters.texts import Language, texts_in
    from llmload.store.database import open_existing

    stored.refuse_unknown([format], ("csv", "json"))
    with open_existing(store) as opened:
        result = stored.judged(opened, opened.find(run))
    (rendered,) = REPORTERS[format](result, texts_in(Language.EN)).values()
    if output is None:
        stored.print_bytes(rendered)
    else:
        stored.write_file(output, rendered)
