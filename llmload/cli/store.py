"""`llmload store`: what is done to the SQLite file itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmload.cli import options
from llmload.cli.store_check import check
from llmload.cli.store_delete import delete, prune
from llmload.cli.store_merge import merge

if TYPE_CHECKING:
    from llmload.domain import RunResult

store = typer.Typer(
    name="store", help="Look after the SQLite file of runs.", no_args_is_help=True, rich_markup_mode=None
)
store.command()(merge)
store.command()(delete)
store.command()(prune)
store.command()(check)


@store.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Result files of llm-loadtest (JSON).")],
    store: options.Store = options.DEFAULT_STORE,
    json: Annotated[bool, typer.Option("--json", help="Print an array of what was imported and nothing else.")] = False,
) -> None:
    """Bring results of llm-loadtest into the store, as runs of status imported.

    Files that can be read are imported, the others are told with their faults and the exit code is 2. The same file
    is imported once. What it lacks is shown as n/a, and nothing of it can be gated: it has no requests.

    Example: llmload store import results/*.json
    """
    from llmload.errors import DataFileError
    from llmload.plain_text import plain
    from llmload.store.database import open_store
    from llmload.store.imports import read_file

    runs: list[RunResult] = []
    for path in files:
        try:
            runs.append(read_file(path))
        except DataFileError as error:
            print("llmload:", "\n".join(plain(line) for line in str(error).splitlines()), file=sys.stderr)
    earlier: list[str | None] = []
    if runs:  # a file that cannot be read makes no store
        with open_store(store) as opened:
            earlier = [opened.take_in(run) for run in runs]
    taken = list(zip(runs, earlier, strict=True))
    if json:
        _print_json(taken)
    else:
        _print_text(taken)
    if len(runs) < len(files):
        raise typer.Exit(2)


_Taken = list[tuple["RunResult", str | None]]  # with the id that the same file has already


def _print_text(taken: _Taken) -> None:
    from llmload.analysis.wording import counted
    from llmload.plain_text import plain

    for run, earlier in taken:
        server = f"{run.target.framework}, {run.target.model}" if run.target else ""
        words = f"imported as {run.header.run_id} ({server}, {counted(len(run.steps), 'step')}, {run.header.created})"
        if earlier is not None:
            words = f"is the run {earlier} already; nothing was added"
        print(plain(f"{run.header.source}: {words}"))
        for caveat in run.caveats[1:] if earlier is None else ():
            print(f"  note: {plain(caveat.rule)}: {plain(caveat.figure)}")


def _print_json(taken: _Taken) -> None:
    import json

    documents = [
        {
            "file": run.header.source,
            "run_id": earlier or run.header.run_id,
            "is_new": earlier is None,
            "created": run.header.created,
            "framework": run.target.framework if run.target else None,
            "model": run.target.model if run.target else None,
            "steps": len(run.steps),
            "notices": [f"{caveat.rule}: {caveat.figure}" for caveat in run.caveats[1:]],
        }
        for run, earlier in taken
    ]
    print(json.dumps(documents, indent=2))
