"""`llmload store check`: whether a store is sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llmload.cli import options

if TYPE_CHECKING:
    from llmload.store.checking import Checked

_NEWEST = 20
_TROUBLE = 5
"""As every verb exits on a store that it cannot use."""


def check(
    store: options.Store = options.DEFAULT_STORE,
    deep: Annotated[bool, typer.Option("--deep", help="Judge every run again, not only the newest ones.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one object and nothing else.")] = False,
) -> None:
    """Look whether the store is sound; only read.

    The file, its rows, its packed numbers and its kept results are looked at, and nothing is changed. The newest 20
    runs are judged again from their requests; --deep judges all. Exits 0 where nothing is wrong, 5 where something
    stored cannot be relied on.

    Example: llmload store check --deep
    """
    from llmload.cli.display import stages
    from llmload.store.checking import check

    with stages() as say:
        say(f"{store}: reading and judging")
        checked = check(store, None if deep else _NEWEST)
    if json:
        _print_json(checked)
    else:
        _print_text(checked)
    if checked.faults:
        raise typer.Exit(_TROUBLE)


def _print_text(checked: Checked) -> None:
    from llmload.analysis.wording import counted
    from llmload.plain_text import plain

    free = f", {checked.free_bytes / 1e6:,.1f} MB of it unused" if checked.free_bytes else ""
    runs = counted(checked.runs, "run")
    print(plain(f"{checked.path}: {runs}, {checked.size_bytes / 1e6:,.1f} MB{free}"))
    print(f"  {'table':<20}{'rows':>14}{'size':>12}")
    for table in sorted(checked.tables, key=lambda table: -(table.size_bytes or 0)):
        if table.rows:
            size = "n/a" if table.size_bytes is None else f"{table.size_bytes / 1e6:,.2f} MB"
            print(f"  {table.name:<20}{table.rows:>14,}{size:>12}")
    for notice in checked.notices:
        print(f"note: {notice}")
    for fault in checked.faults:
        print(f"fault: {fault}")
    judged = f"{counted(checked.judged, 'run')} judged again from the requests"
    print(f"{counted(len(checked.faults), 'fault')} found." if checked.faults else f"Sound; {judged}.")


def _print_json(checked: Checked) -> None:
    import json
    from dataclasses import asdict

    document = {**asdict(checked), "path": str(checked.path), "is_sound": not checked.faults}
    print(json.dumps(document, indent=2))
