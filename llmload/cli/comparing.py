"""What `compare` and `report A B` share: the runs that a command line names, held against the first of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from llmload.analysis.comparison import Comparison, compare, of_result
from llmload.cli.report_files import silently
from llmload.domain import RunResult
from llmload.errors import UsageError
from llmload.plain_text import plain
from llmload.store.database import open_existing
from llmload.store.judgement import judged
from llmload.store.result_file import read_result


def untaken(_name: str, _result: RunResult) -> None:
    """Need no result beside the comparison."""


def held_against_first(
    verb: str,
    names: Sequence[str],
    store: Path,
    begin: Callable[[str], None] = silently,
    take: Callable[[str, RunResult], None] = untaken,
) -> Comparison:
    """Compare stored runs and result.json files; the store is opened only where a run of it is named.

    `begin` is told of each name that is read, and `take` gets the results of stored runs. UsageError where they have
    nothing to be compared by: "no difference" would be no answer.
    """
    if len(names) < 2:
        raise UsageError(verb, "one run alone cannot be compared", "Name two runs or more")
    files = {name: read_result(Path(name)) for name in names if is_file(name)}
    of_store = _of_store([name for name in names if name not in files], store, begin)
    for name, result in of_store.items():
        take(name, result)
    comparison = compare([files[name] if name in files else of_result(name, of_store[name]) for name in names])
    if not comparison.rows and not comparison.is_spoilt:
        raise UsageError(verb, f"no other run has a step of the first one: {_steps(comparison)}", _REMEDY)
    return comparison


_REMEDY = "Compare runs of one load"


def is_file(name: str) -> bool:
    """No id of a run has a slash, or ends like a file; a folder may have the name of a run."""
    path = Path(name)
    return "/" in name or path.suffix == ".json" or (path.exists() and not path.is_dir())


def _of_store(names: Sequence[str], store: Path, begin: Callable[[str], None]) -> dict[str, RunResult]:
    if not names:
        return {}
    found = {}
    with open_existing(store) as opened:
        ids = {name: opened.find(name) for name in names}
        for name, run_id in ids.items():
            begin(run_id)
            found[name] = judged(opened, run_id)
    return found


def _steps(comparison: Comparison) -> str:
    had = (
        f"{run.run_id} has {', '.join(each.step.label for each in run.steps) or 'no step'}" for run in comparison.runs
    )
    return plain("; ".join(had))
