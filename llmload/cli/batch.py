"""Several scenarios in one command: all run, each is told, and one exit code speaks for all."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from llmload.analysis.conclusions import worst_code
from llmload.cli import logs
from llmload.cli.display import display
from llmload.cli.execution import Executed, Order, execute
from llmload.cli.outcome_record import Keep, entry_of_defect, entry_of_error, forget
from llmload.cli.report_files import tell_troubles
from llmload.cli.stored import print_json, print_tables, print_text, write_file
from llmload.errors import LlmloadError
from llmload.outcome import Entry
from llmload.reporters import result_json
from llmload.reporters.texts import Language
from llmload.scenario.asked import Scenario
from llmload.scenario.secrets import Scrubber, secrets_of


@dataclass(frozen=True, slots=True)
class Batch:
    """What holds for every scenario of one command."""

    store: Path
    out: Path | None
    resume: str | None
    env: Mapping[str, str]
    is_shown: bool
    is_json: bool
    log_format: str
    log_level: str
    output: Path | None = None  # one more copy of the result document
    baseline: str | None = None  # as --baseline names it
    language: Language = Language.EN  # of the reports


Tell = Callable[[Executed, Batch], int]
"""Prints what became of one run, and returns the exit code that it stands for."""


def apply_all(
    loaders: Sequence[Callable[[], Scenario]], batch: Batch, tell: Tell | None = None, keep: Keep = forget
) -> int:
    """Execute every scenario, each told by `tell` (`tell_run` if left out), and return the exit code of the whole."""
    codes = []
    for load in loaders:
        entry = _apply_one(load, batch, tell or tell_run)
        keep(entry)
        codes.append(entry.exit_code)
        if codes[-1] in (130, 143):
            for _ in loaders[len(codes) :]:
                keep(Entry("", codes[-1], message="It was not run: the command was stopped before."))
            break
    return worst_code(codes)


def _apply_one(load: Callable[[], Scenario], batch: Batch, tell: Tell) -> Entry:
    scrub: Callable[[str], str] = str
    told: list[Executed] = []
    try:
        scenario = load()
        scrub = Scrubber(secrets_of(scenario, batch.env)).scrub
        logs.configure(batch.log_format, batch.log_level, scrub)
        with display(batch.is_shown) as show:
            order = Order(batch.store, batch.out, batch.resume, batch.env, show, batch.baseline, batch.language)
            done = execute(scenario, replace(order, keep=told.append))
        code = tell(done, batch)
        tell_troubles(done.reports, scrub)
    except LlmloadError as error:
        for text in (f"llmload: {error}", *getattr(error, "__notes__", ())):
            print(scrub(text), file=sys.stderr)
        return _with_run(entry_of_error(error, scrub), told)
    except Exception as error:  # one scenario's crash must not take the others' results with it
        print(scrub("".join(traceback.format_exception(error))), file=sys.stderr)
        print("llmload: internal error. Please report it with the lines above.", file=sys.stderr)
        return _with_run(entry_of_defect(error), told)
    troubles = " ".join(scrub(str(error)) for error in done.reports.troubles)
    return _with_run(Entry("", worst_code((code, *done.reports.exit_codes)), message=troubles), told)


def _with_run(entry: Entry, told: Sequence[Executed]) -> Entry:
    """The entry with the run that was told last and its reports, where it came that far."""
    if not told:
        return entry
    return replace(entry, result=told[-1].result, reports=tuple(str(path) for path in told[-1].reports.files))


def tell_run(done: Executed, batch: Batch) -> int:
    """Print the result: the JSON document alone, or tables and the paths of what was written."""
    if batch.output is not None:
        write_file(batch.output, result_json.render(done.result))
    if batch.is_json:
        print_json(done.result)
    else:
        print_tables(done.result)
        tell_places(done, batch)
    return done.result.exit_code


def tell_places(done: Executed, batch: Batch) -> None:
    """Print where the reports are, and by which id the store has the run."""
    print_text(
        f"Reports: {', '.join(str(path) for path in done.reports.files) or 'none'}\n"
        f"Stored as {done.result.header.run_id} in {batch.store}\n"
    )
