"""`llmload show`: one stored run in the terminal."""

from __future__ import annotations

from llmload.cli import options
from llmload.cli.stored import Run


def show(run: Run, store: options.Store = options.DEFAULT_STORE, json: options.Json = False) -> None:
    """Show one stored run, judged from its stored requests: figures, gates, caveats, the newest analysis of it.

    Example: llmload show latest
    """
    from llmload.cli import stored
    from llmload.cli.written import print_analysis
    from llmload.store.database import open_existing
    from llmload.store.judgement import judged

    with open_existing(store) as opened:
        result = judged(opened, opened.find(run))
    if json:
        stored.print_json(result)
    else:
        stored.print_tables(result)
        for newest in result.analyses[:1]:
            print_analysis(newest)
