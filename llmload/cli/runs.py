"""`llmload runs`: the history in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llmload.cli import options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from llmload.analysis.trend import ScenarioTrends
    from llmload.cli.trends import Wanted
    from llmload.store.database import RunSummary


def runs(
    store: options.Store = options.DEFAULT_STORE,
    scenario: Annotated[str | None, typer.Option(help="Only runs of the scenario of this name.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many runs at most, the newest ones.")] = 100,
    trend: Annotated[bool, typer.Option("--trend", help="Tell how figures went, and where they shifted.")] = False,
    metric: Annotated[str | None, typer.Option(help="With --trend: one figure, like 'p95(ttft)' or goodput.")] = None,
    at: Annotated[str | None, typer.Option(help="With --trend: one step, like 'concurrency 50'.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print an array and nothing else.")] = False,
) -> None:
    """List stored runs, newest first; or, with --trend, how the figures of each scenario went.

    Example: llmload runs --trend --scenario quickstart --metric "p95(ttft)"
    """
    from llmload.errors import UsageError
    from llmload.store.database import open_existing

    if trend:
        from llmload.cli.trends import Wanted
        from llmload.reporters import trends

        render = trends.render_json if json else trends.render_text
        _tell_trends(store, Wanted(scenario, metric, at, limit), render)
        return
    if metric or at:
        raise UsageError("--metric" if metric else "--at", "says what of a trend to tell", "Add --trend")
    with open_existing(store) as opened:
        found = opened.list_runs(scenario=scenario, limit=limit)
    if json:
        _print_json(found)
    elif found:
        _print_table(found)
    else:
        print(f"No runs{f' of {scenario}' if scenario else ''} in {store}.")


def _tell_trends(path: Path, wanted: Wanted, render: Callable[[Sequence[ScenarioTrends]], bytes]) -> None:
    from llmload.cli import stored
    from llmload.cli.trends import trends_of
    from llmload.store.database import open_existing

    with open_existing(path) as opened:
        told = trends_of(opened, wanted)
    stored.print_bytes(render(told))


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
        cells = (run.run_id, run.title, run.status, run.verdict or "", goodput, run.framework or "", run.model or "")
        lines.append(tuple(plain(cell, 160) for cell in cells))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
