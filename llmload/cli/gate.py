"""`llmload gate`: judge stored data again, without new load."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmload.cli import options
from llmload.cli.stored import Run
from llmload.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmload.cli.report_files import Written
    from llmload.domain import RunResult
    from llmload.scenario.source import Loaded
    from llmload.store.database import Store
    from llmload.store.judgement import Against


def gate(
    run: Run,
    scenario: Annotated[Path | None, typer.Option(help="Judge by the SLO and gates of this file instead.")] = None,
    baseline: options.Baseline = None,
    store: options.Store = options.DEFAULT_STORE,
    json: options.Json = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the reports of this judgement to DIR/SCENARIO.")
    ] = None,
    outcome: options.Outcome = None,
) -> None:
    """Judge a stored run again and exit with its verdict: 0 kept, 3 broken, 4 undecided, 5 could not measure.

    Relative gates are held against what they were held against when the run ended, unless --baseline names another.

    Example: llmload gate latest --scenario stricter.yaml
    """
    from llmload.analysis.conclusions import worst_code
    from llmload.cli import stored
    from llmload.cli.outcome_record import Keep, recorded
    from llmload.cli.report_files import Written, tell_troubles
    from llmload.outcome import Command, Entry

    def work(keep: Keep) -> int:
        result, formats = _judged(run, scenario, baseline, store)
        if json:
            stored.print_json(result)
        else:
            stored.print_tables(result)
        written = Written() if out is None else _reports(result, formats, out)
        tell_troubles(written)
        code = worst_code((result.exit_code, *written.exit_codes))
        troubles = " ".join(map(str, written.troubles))
        keep(Entry(run, code, result, message=troubles, reports=tuple(str(path) for path in written.files)))
        return code

    raise typer.Exit(recorded(outcome, Command.GATE, [run], work))


def _judged(run: str, scenario: Path | None, baseline: str | None, store: Path) -> tuple[RunResult, tuple[str, ...]]:
    """The run judged again, and the formats of its reports; gates have the lines of the file that they come from."""
    import os
    from dataclasses import replace

    from llmload.cli import stored
    from llmload.scenario.loader import load_document, read_cells
    from llmload.store.database import open_existing
    from llmload.store.judgement import judged

    cells = () if scenario is None else read_cells(scenario, env=os.environ)
    with open_existing(store) as opened:
        run_id = opened.find(run)
        promises = None if scenario is None else load_document(_cell_of(opened, run_id, cells), scenario.parent)
        result = judged(opened, run_id, promises, _against(opened, run_id, baseline))
    if result.is_imported:
        problem = f"was {result.because}: it has no requests, so that it cannot be judged"
        raise UsageError(
            f"run {result.header.run_id}", problem, "Measure again with `llmload apply`, or `llmload show` it"
        )
    if promises is None:
        return result, stored.formats_of(result)
    document = promises.document
    header = replace(result.header, source=document.source, document_hash=document.sha256)
    return replace(result, header=header), promises.reports.formats


def _cell_of(store: Store, run_id: str, cells: Sequence[Loaded]) -> Loaded:
    """The document without a matrix, or that of the cell that the run is; UsageError where it is none of them."""
    from llmload.cells import cell_of
    from llmload.scenario.loader import load_resolved

    if cells[0].cell is None:
        return cells[0]
    cell = cell_of(load_resolved(store.resolved(run_id)).labels)
    for loaded in cells:
        if loaded.cell is not None and loaded.cell.id == cell:
            return loaded
    problem = (
        f"is {f'the cell {cell}' if cell else 'no cell of a matrix'}, and the matrix of the scenario has none such"
    )
    raise UsageError(f"run {run_id}", problem, "Judge it by the file that it was made from, or without --scenario")


def _reports(result: RunResult, formats: Sequence[str], out: Path) -> Written:
    """Those of the scenario, and always the two that programs read."""
    import os

    from llmload.cli import stored
    from llmload.cli.report_files import write_reports
    from llmload.reporters.texts import texts_in

    wanted = tuple(dict.fromkeys((*formats, "json", "junit")))
    texts = texts_in(options.language(None, os.environ))
    return write_reports(result, stored.report_folder(result, out), wanted, texts)


def _against(store: Store, run_id: str, baseline: str | None) -> Against | None:
    """How the baseline is found that `--baseline` asks for; None where it was not written."""
    if baseline is None:
        return None
    from llmload.cli.references import refer_for

    return lambda scenario: refer_for(scenario, baseline, store, run_id)
