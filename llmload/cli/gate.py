"""`llmload gate`: judge stored data again, without new load."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmload.cli import options
from llmload.cli.stored import Run
from llmload.errors import UsageError

if TYPE_CHECKING:
    from llmload.store.database import Store
    from llmload.store.judgement import Against


def gate(
    run: Run,
    scenario: Annotated[Path | None, typer.Option(help="Judge by the SLO and gates of this file instead.")] = None,
    baseline: options.Baseline = None,
    store: options.Store = options.DEFAULT_STORE,
    json: options.Json = False,
) -> None:
    """Judge a stored run again and exit with its verdict: 0 kept, 3 broken, 4 undecided, 5 could not measure.

    Relative gates are held against what they were held against when the run ended, unless --baseline names another.

    Example: llmload gate latest --scenario stricter.yaml
    """
    import os

    from llmload.cli import stored
    from llmload.scenario.loader import load_runnable
    from llmload.store.database import open_existing
    from llmload.store.judgement import judged

    promises = None if scenario is None else load_runnable(scenario, env=os.environ)
    with open_existing(store) as opened:
        run_id = opened.find(run)
        result = judged(opened, run_id, promises, _against(opened, run_id, baseline))
    if result.is_imported:
        problem = f"was {result.because}: it has no requests, so that it cannot be judged"
        raise UsageError(
            f"run {result.header.run_id}", problem, "Measure again with `llmload apply`, or `llmload show` it"
        )
    if json:
        stored.print_json(result)
    else:
        stored.print_tables(result)
    raise typer.Exit(result.exit_code)


def _against(store: Store, run_id: str, baseline: str | None) -> Against | None:
    """How the baseline is found that `--baseline` asks for; None where it was not written."""
    if baseline is None:
        return None
    from llmload.cli.references import refer_for

    return lambda scenario: refer_for(scenario, baseline, store, run_id)
