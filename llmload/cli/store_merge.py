"""`llmload store merge`: the runs of other stores put into one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmload.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmload.store.merging import Merged


def merge(
    others: Annotated[list[Path], typer.Argument(metavar="OTHER...", help="Stores of others; they are not changed.")],
    store: options.Store = options.DEFAULT_STORE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be merged, and change nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print an array, an object for each file merged.")] = False,
) -> None:
    """Put the runs of other stores into this one.

    A run that is here already is not put in twice. A file is merged whole or not at all: where one of its runs
    differs from ours of the same id, or it is no sound store, it is told with what is wrong, the other files go on,
    and the exit code is 2. Runs that have not ended are left out. Each run is judged from its requests as it comes
    in.

    Example: llmload store merge ../colleague/llmload.db nightly/*.db
    """
    from llmload.cli.display import stages
    from llmload.errors import DataFileError
    from llmload.plain_text import plain
    from llmload.store.merging import merge, preview

    put = preview if dry_run else merge
    done: list[Merged] = []
    for other in others:
        try:
            with stages() as say:
                say(f"{other}: reading and judging")
                done.append(put(store, other))
        except DataFileError as error:
            print("llmload:", "\n".join(plain(line) for line in str(error).splitlines()), file=sys.stderr)
    if json:
        _print_json(done)
    else:
        _print_text(done, "would be merged" if dry_run else "merged")
    if len(done) < len(others):
        raise typer.Exit(2)


def _print_text(done: Sequence[Merged], word: str) -> None:
    from llmload.analysis.wording import counted
    from llmload.plain_text import plain

    for each in done:
        words = [f"{counted(len(each.added), 'run')} {word} ({counted(each.requests, 'request')})"]
        if each.known:
            words.append(f"{counted(len(each.known), 'run')} here already")
        print(plain(f"{each.source}: {', '.join(words)}"))
        for run_id in each.going_on:
            print(f"  left out: {plain(run_id)} has not ended there")
        for notice in each.notices:
            print(f"  note: {plain(notice)}")


def _print_json(done: Sequence[Merged]) -> None:
    import json

    documents = [
        {
            "file": str(each.source),
            "added": each.added,
            "requests": each.requests,
            "known": each.known,
            "going_on": each.going_on,
            "notices": each.notices,
        }
        for each in done
    ]
    print(json.dumps(documents, indent=2))
