"""`llmload ci run`: a verb by the inputs of a job, in a process of its own, and its outputs for the steps behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from llmload.cli import VerdictExit
from llmload.cli.outcomes import DEFAULT_FOLDER

if TYPE_CHECKING:
    from pathlib import Path

    from llmload.ci.child import Ended
    from llmload.ci.inputs import CommandLine, Inputs
    from llmload.errors import LlmloadError
    from llmload.outcome import FailOn, Outcome


def run(
    command: Annotated[str, typer.Option(help="apply, gate, validate or compare; apply if empty.")] = "",
    scenario: Annotated[
        str, typer.Option(metavar="GLOBS", help="Scenario files: a pattern a line, or several between spaces; ** too.")
    ] = "",
    sets: Annotated[
        str, typer.Option("--set", metavar="LINES", help="Values to overwrite, each as PATH=VALUE on its line.")
    ] = "",
    env_file: Annotated[
        str, typer.Option(metavar="FILE", help="File of NAME=value lines, added to the environment.")
    ] = "",
    baseline: Annotated[
        str, typer.Option(metavar="PATH|REF|RUN|auto", help="What relative gates are held against.")
    ] = "",
    args: Annotated[
        str,
        typer.Option(
            metavar="WORDS", help="More words for the verb, split as a shell does; the runs of gate, compare."
        ),
    ] = "",
    shard: Annotated[
        str, typer.Option(metavar="I/N", help="The I-th of N jobs that share the files, and their cells, among them.")
    ] = "",
    fail_on: Annotated[
        str, typer.Option(metavar="WHAT", help="What fails the job: gate (if empty), inconclusive gates too, or never.")
    ] = "",
    outcome: Annotated[
        str, typer.Option(metavar="DIR", help="Folder for what it came to; llmload-outcome if empty.")
    ] = "",
    store: Annotated[str, typer.Option(metavar="PATH", help="SQLite file of runs, for apply, gate and compare.")] = "",
) -> None:
    """Run a verb by the inputs of a job, and tell the steps behind it what it came to.

    Each option is one text and may be empty, so that a workflow can pass all its inputs. Outputs go to the file that
    GITHUB_OUTPUT names, else to stdout: verdict, exit-code, job-code, goodput, failed-gates, regressions, run-id,
    report-dir, junit-path, json-path, artifact-suffix. Paths are as seen from the working directory.

    Exit code: that of the verb, as --fail-on makes it for verdicts; bad input, a defect and a stop always fail the job.

    Example: llmload ci run --scenario 'scenarios/**/*.yaml' --shard 2/4 --fail-on inconclusive

    Example: llmload ci run --command compare --args 'reports/main/result.json latest'
    """
    import sys
    from pathlib import Path

    from llmload.ci.inputs import Inputs
    from llmload.ci.outcome_folder import held
    from llmload.errors import LlmloadError
    from llmload.outcome import FailOn

    inputs = Inputs(
        command=command,
        scenario=scenario,
        sets=sets,
        env_file=env_file,
        baseline=baseline,
        args=args,
        shard=shard,
        fail_on=fail_on,
        store=store,
        outcome=outcome.strip() or str(DEFAULT_FOLDER),
    )
    try:
        with held(Path(inputs.outcome)):
            done, policy = _begun(inputs)
    except LlmloadError as error:  # the folder is not ours to write
        print(f"llmload: {error}", file=sys.stderr)
        done, policy = _refused(inputs, error), FailOn.GATE
    _tell_outputs(inputs, done, policy)


def _begun(inputs: Inputs) -> tuple[Outcome, FailOn]:
    """What the verb came to, or why it could not be begun, and what of it fails the job."""
    import sys
    from pathlib import Path

    from llmload.errors import LlmloadError
    from llmload.outcome import FailOn

    try:
        return _carried_out(inputs)
    except LlmloadError as error:
        print(f"llmload: {error}", file=sys.stderr)
        return _kept(Path(inputs.outcome), _refused(inputs, error)), FailOn.GATE


def _carried_out(inputs: Inputs) -> tuple[Outcome, FailOn]:
    """What the verb came to, and what of it fails the job; UsageError or StoreError where it cannot be begun."""
    import sys
    from pathlib import Path

    from llmload.ci.child import own_command, run_to_end
    from llmload.ci.inputs import command_line, fail_on_of
    from llmload.ci.outcome_folder import clear_outcome
    from llmload.plain_text import plain

    folder = Path(inputs.outcome)
    clear_outcome(folder)  # an old one must never count
    policy = fail_on_of(inputs)
    line = command_line(inputs, Path())
    with _no_workflow_commands():
        print(plain(f"llmload: {line.command} {', '.join(line.names)}"), file=sys.stderr, flush=True)
        ended = run_to_end(own_command(line.words))
    return _left_behind(line, folder, ended), policy


@contextmanager
def _no_workflow_commands() -> Iterator[None]:
    """In GitHub Actions, take nothing that is printed inside the block for a command to the runner: servers and
    documents have a say in it.
    """
    import os
    import secrets

    from llmload.cli.stored import print_bytes

    if os.environ.get("GITHUB_ACTIONS") != "true":
        yield
        return
    token = secrets.token_hex(16)
    print_bytes(f"::stop-commands::{token}\n".encode())
    try:
        yield
    finally:
        print_bytes(f"::{token}::\n".encode())


def _left_behind(line: CommandLine, folder: Path, ended: Ended) -> Outcome:
    """The outcome that the verb wrote, with the code that its process ended with; else one that says why there is none.

    Without one neither a 0 nor a 1 says anything: Python ends with 1 where it cannot even start.
    """
    from dataclasses import replace

    from llmload.ci.outcome_folder import read_all
    from llmload.errors import LlmloadError
    from llmload.outcome import Entry, Outcome, own_source

    try:
        found = read_all([folder])
    except LlmloadError as error:
        code = 70 if ended.code in (0, 1) else ended.code
        entry = Entry(own_source(line.command), code, message=_why_missing(ended, error))
        return _kept(folder, Outcome(line.command, code, (entry,)))
    code = ended.code or found.exit_code  # a process that ended well makes no outcome better
    return found if found.exit_code == code else _kept(folder, replace(found, exit_code=code))


def _why_missing(ended: Ended, error: LlmloadError) -> str:
    if ended.code == 2:
        return "The command line was refused; its log says why. Look at what the inputs args, set and baseline say."
    if ended.code in (130, 143):
        return "It was stopped before it could tell what it came to. Run it again."
    if ended.died_of:
        return f"It was ended by {ended.died_of}, as for lack of memory, before it could tell what it came to."
    return f"It ended with exit code {ended.code}, and its outcome {error.problem}. Its log may say why."


def _refused(inputs: Inputs, error: LlmloadError) -> Outcome:
    """The outcome of a verb that could not be begun."""
    from llmload.ci.inputs import command_of
    from llmload.errors import UsageError
    from llmload.outcome import Command, Entry, Outcome, own_source

    try:
        command = command_of(inputs)
    except UsageError:
        command = Command.APPLY
    entry = Entry(own_source("ci run"), error.exit_code, message=str(error))
    return Outcome(command, error.exit_code, (entry,))


def _kept(folder: Path, outcome: Outcome) -> Outcome:
    """The outcome, written for the steps behind this one where that can be done: it changes no verdict."""
    import sys

    from llmload.ci.outcome_folder import put_outcome
    from llmload.errors import LlmloadError

    try:
        put_outcome(folder, outcome)
    except LlmloadError as error:
        print(f"llmload: {error}", file=sys.stderr)
    return outcome


def _tell_outputs(inputs: Inputs, outcome: Outcome, policy: FailOn) -> None:
    """Write the outputs, and end with the code of the job whether or not they could be written."""
    import os
    import sys

    from llmload.analysis.conclusions import job_code
    from llmload.ci.github_job import github_job
    from llmload.ci.inputs import shard_of
    from llmload.ci.job_outputs import append_outputs, lines_of, outputs_of
    from llmload.errors import UsageError

    try:
        shard = shard_of(inputs)
    except UsageError:
        shard = None
    outputs = outputs_of(outcome, policy, shard.suffix if shard else "")
    for path in outputs.left_out:
        print(f"llmload: {path!r} is no path for an output: name reports without odd characters", file=sys.stderr)
    file = github_job(os.environ).output
    if file is None:
        print("\n".join(lines_of(outputs.values)), flush=True)
    else:
        try:
            append_outputs(file, outputs.values)
        except OSError as error:
            print(f"llmload: the outputs cannot be written to {str(file)!r} ({error.strerror})", file=sys.stderr)
    raise VerdictExit(job_code(outcome, policy))
