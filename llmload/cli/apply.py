"""`llmload apply`: run, judge, store, report; the exit code is the gate."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from llmload.cli import options
from llmload.errors import UsageError


class DryRun(StrEnum):
    """How far a rehearsal goes."""

    CLIENT = "client"
    SERVER = "server"


def apply(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Scenario files, run one after another.")],
    store: options.Store = options.DEFAULT_STORE,
    out: Annotated[Path | None, typer.Option(help="Directory for reports, in place of spec.reports.dir.")] = None,
    sets: options.Sets = [],  # noqa: B006 - typer copies it
    env_file: options.EnvFile = None,
    only: options.Only = [],  # noqa: B006 - typer copies it
    shard: options.ShardOf = None,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Go on with a run that ended early.")] = None,
    baseline: options.Baseline = None,
    dry_run: Annotated[DryRun | None, typer.Option(help="client: check and stop; server: probe it too.")] = None,
    progress: Annotated[bool, typer.Option(help="Show progress while it runs.")] = True,
    json: options.Json = False,
    outcome: options.Outcome = None,
    lang: options.Lang = None,
    log_format: options.LogFormat = "text",
    log_level: options.LogLevel = "warning",
) -> None:
    """Measure the server a scenario declares, judge its gates, remember the run and write its reports.

    Exit code: 0 promises kept, 2 bad input, 3 a gate failed, 4 undecided and policy says fail, 5 could not measure.

    Example: llmload apply scenarios/quickstart.yaml

    Example: llmload apply scenarios/matrix.yaml --only 'max_num_seqs=4*'
    """
    from llmload.ci.outcome_document import MOST_ENTRIES
    from llmload.cli.batch import Batch, apply_all
    from llmload.cli.cells import Choice, announced, named, units_of
    from llmload.cli.outcome_record import Keep, recorded
    from llmload.cli.rehearsal import Rehearsal, rehearse
    from llmload.outcome import Command

    def work(keep: Keep) -> int:
        if resume is not None and len(files) > 1:
            raise UsageError("--resume", "names one run, but several files are given", "Resume one file at a time")
        env = options.environment(env_file)
        language = options.language(lang, env)
        units = units_of(files, Choice(only, shard), sets=sets, env=env)
        if resume is not None and len(units) > 1:
            problem = f"names one run, and the matrix has {len(units)} cells"
            raise UsageError("--resume", problem, "Name the cell of that run with --only")
        if outcome is not None and len(units) > MOST_ENTRIES:
            problem = f"{len(units):,} runs, and an outcome tells of {MOST_ENTRIES:,} at most"
            raise UsageError("FILE", problem, "Share them among jobs: --shard")
        keep, loaders = named(units, keep), announced(units)
        match dry_run:
            case DryRun.CLIENT:
                return rehearse(loaders, Rehearsal("server", out, env, progress, store, baseline), keep)
            case DryRun.SERVER:
                return rehearse(loaders, Rehearsal("load", out, env, progress, store, baseline), keep)
            case None:
                batch = Batch(store, out, resume, env, progress and not json, json, log_format, log_level)
                return apply_all(loaders, replace(batch, baseline=baseline, language=language), keep=keep)

    command = Command.APPLY if dry_run is None else Command.VALIDATE  # a rehearsal promises no more than that
    raise typer.Exit(recorded(outcome, command, [str(path) for path in files], work))
