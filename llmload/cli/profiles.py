"""`llmload profiles`: what the runs of a store measured their installations to carry."""

from __future__ import annotations

from typing import Annotated

import typer

from llmload.cli import options


def profiles(
    model: Annotated[str | None, typer.Option(help="Only of models whose name has this in it.")] = None,
    gpu: Annotated[str | None, typer.Option(help="Only on GPUs whose name has this in it.")] = None,
    framework: Annotated[str | None, typer.Option(help="Only of this serving framework.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most, the newest ones.")] = 50,
    store: options.Store = options.DEFAULT_STORE,
    json: Annotated[bool, typer.Option("--json", help="Print an array and nothing else.")] = False,
) -> None:
    """List measured capacities, newest first: GPU, model and settings, and the load they carried within the SLO.

    `llmload recommend` answers from these for other GPUs, and from nothing else. Every run with an SLO adds one.

    Example: llmload profiles --model qwen3 --gpu h100
    """
    from llmload.cli import stored
    from llmload.reporters import profiles as reporter
    from llmload.store.database import open_existing
    from llmload.store.profiles import Sought, listed_profiles

    sought = Sought(model, gpu, framework)
    with open_existing(store) as opened:
        found = listed_profiles(opened, sought, limit).profiles
    if json:
        stored.print_bytes(reporter.render_json(found))
    elif found:
        stored.print_bytes(reporter.render_text(found))
    else:
        such = " such" if sought != Sought() else ""
        print(f"No{such} profiles in {store}. A run adds one where its scenario has an slo, and loads by concurrency.")
