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
    """Columns as wide as they need: an id that is cut off could not be copied."""
    from llmload.plain_text import plain

    lines: list[tuple[str, ...]] = [("run", "scenario", "status", "verdict", "goodput", "framework", "model")]
    for run in found:
        goodput = "" if run.goodput is None else f"{run.goodput:.1%}"
        cells = (run.run_id, run.scenario, run.status, run.verdict or "", goodput, run.framework or "", run.model or "")
        lines.append(tuple(plain(cell, 60) for cell in cells))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
