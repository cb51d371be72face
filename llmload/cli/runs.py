"""`llmload runs`: the history in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llmload.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmload.store.database import RunSummary


def runs(
    store: options.Store = options.DEFAULT_STORE,
    scenario: Annotated[str | None, typer.Option(help="Only runs of the scenario of this name.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many runs at most, the newest first.")] = 100,
    json: Annotated[bool, typer.Option("--json", help="Print an array of runs and nothing else.")] = False,
) -> None:
    """List stored runs, newest first.

    Example: llmload runs --scenario quickstart --limit 10
    """
    from llmload.store.database import open_existing

    with open_existing(store) as opened:
        found = opened.list_runs(scenario=scenario, limit=limit)
    if json:
        _print_json(found)
    elif found:
        _print_table(found)
    else:
        print(f"No runs{f' of {scenario}' if scenario else ''} in {store}.")


def _print_json(found: Sequence[RunSummary]) -> None:
    import json
    from dataclasses import asdict

    print(json.dumps([asdict(run) for run in found], indent=2))


def _print_table(found: Sequence[RunSummary]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from llmload.reporters.escaping import plain

    table = Table("run", "scenario", "created", "status", "verdict", "framework", "model", "step", "goodput", box=None)
    for run in found:
        goodput = "" if run.goodput is None else f"{run.goodput:.1%}"
        cells = (run.run_id, run.scenario, run.created, run.status, run.verdict, run.framework, run.model, run.step)
        table.add_row(*(Text(plain(cell or "")) for cell in cells), goodput)
    Console().print(table)
