"""What `llmload recommend` leaves: the view in the terminal, the files that were asked for, and its exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from llmload.analysis.conclusions import worst_code
from llmload.analysis.judgement import FAILED, OPEN, PASSED, UNMEASURED
from llmload.capacity import Recommendation
from llmload.cli import stored
from llmload.cli.batch import Batch, tell_places
from llmload.cli.demand import Asked, scenario_of_run
from llmload.cli.execution import Executed
from llmload.cli.flags import check_writable
from llmload.domain import IMPORTED, RunResult
from llmload.errors import UsageError
from llmload.reporters import recommendation_json, recommendation_markdown, recommendation_text
from llmload.reporters.hpa import hpa_manifest
from llmload.reporters.registry import REPORTERS
from llmload.reporters.texts import Language, Texts, texts_in
from llmload.store.database import open_existing
from llmload.store.judgement import judged
from llmload.verdict import Status

Render = Callable[[RunResult, Texts], bytes]


def _first_of(name: str) -> Render:
    """The report itself, of those of a format."""
    return lambda run, texts: next(iter(REPORTERS[name](run, texts).values()))


RENDERS: Mapping[str, Render] = {
    ".json": lambda run, _: recommendation_json.render(run),
    ".md": recommendation_markdown.render,
    ".html": _first_of("html"),
    ".xlsx": _first_of("excel"),
}
"""What `--output` writes, by the suffix of its file."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be left of a recommendation."""

    output: Path | None
    hpa: Path | None
    is_json: bool
    language: Language

    def check(self) -> None:
        """UsageError where a file is of no kind that there is, or surely cannot be written."""
        if self.output is not None and self.output.suffix.lower() not in RENDERS:
            remedy = f"End it in one of: {', '.join(RENDERS)}"
            raise UsageError("--output", f"{self.output} ends in nothing that says what to write", remedy)
        check_writable("--output", self.output)
        check_writable("--hpa", self.hpa)
        if self.output is not None and self.hpa is not None and self.output.absolute() == self.hpa.absolute():
            raise UsageError("--hpa", f"{self.hpa} is the file of --output too", "Name two files")


def tell_recommended(done: Executed, batch: Batch, wanted: Wanted) -> int:
    """Print and write what a run recommends that was just measured; its exit code, by the gates too."""
    if wanted.is_json:
        return worst_code((done.result.exit_code, leave(done.result, wanted)))
    stored.print_tables(replace(done.result, recommendation=None))  # the view below tells it
    code = leave(done.result, wanted)
    tell_places(done, batch)
    return worst_code((done.result.exit_code, code))


def from_stored(run: str, asked: Asked, store: Path, wanted: Wanted) -> int:
    """Print and write what a stored run recommends for the demand that is asked; the store stays as it is."""
    with open_existing(store) as opened:
        run_id = opened.find(run)
        if opened.past(run_id).status == IMPORTED:
            problem = "was imported: it has no requests, so that nobody knows what its server carries"
            raise UsageError(f"run {run_id}", problem, "Measure again with `llmload recommend`")
        scenario = scenario_of_run(run_id, opened.resolved(run_id), asked)
        result = judged(opened, run_id, scenario)
    return leave(result, wanted)


def leave(result: RunResult, wanted: Wanted) -> int:
    """Print the recommendation and write the files; the exit code that it stands for by itself."""
    found, texts = result.recommendation, texts_in(wanted.language)
    if found is None:
        raise UsageError(f"run {result.header.run_id}", "asks for no recommendation", "Add --peak-concurrency 500")
    if wanted.is_json:
        stored.print_bytes(recommendation_json.render(result))
    else:
        stored.print_through(lambda console: recommendation_text.render(result, texts, console))
    if wanted.output is not None:
        stored.write_file(wanted.output, RENDERS[wanted.output.suffix.lower()](result, texts))
    if wanted.hpa is not None:
        _write_manifest(wanted.hpa, result, found)
    return exit_code_of(found)


def _write_manifest(path: Path, result: RunResult, found: Recommendation) -> None:
    """The autoscaler's manifest; without an advice there is nothing to scale at, and a file that is there stays."""
    if found.advice is None or result.profile is None:
        print(f"llmload: --hpa: {path} is not written, since nothing is recommended", file=sys.stderr)
        return
    stored.write_file(path, hpa_manifest(found, result.profile, result.header.scenario).encode(), "--hpa")


def exit_code_of(found: Recommendation) -> int:
    """0 with an advice; else what the lightest load says: 3 the SLO surely breaks, 4 open, 5 not measured."""
    if found.advice is not None:
        return PASSED
    measured = () if found.test_results is None else found.test_results.concurrency_results
    if not measured:
        return UNMEASURED
    match min(measured, key=lambda load: load.concurrency).status:
        case Status.FAIL:
            return FAILED
        case Status.ERROR:
            return UNMEASURED
        case _:
            return OPEN
