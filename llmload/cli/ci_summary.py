"""`llmload ci summary`: what a reviewer reads on the page of the job."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmload.cli import options, outcomes

if TYPE_CHECKING:
    from llmload.outcome import Outcome
    from llmload.reporters.texts import Texts


def summary(
    paths: outcomes.Paths = [],  # noqa: B006 - typer copies it
    output: Annotated[
        Path | None, typer.Option(help="Write to this file; else GITHUB_STEP_SUMMARY gets it added, else stdout.")
    ] = None,
    artifact: Annotated[
        str, typer.Option(metavar="NAME", envvar="LLMLOAD_ARTIFACT", help="Artifact of the job with the reports.")
    ] = "",
    lang: options.Lang = None,
) -> None:
    """Tell in Markdown what a command came to: what broke and what to do first, then all figures, within 200 kB.

    Exit code 0, whatever the verdict.

    Example: llmload ci summary

    Example: llmload ci summary shard-1 shard-2 --output summary.md --lang ko
    """
    from llmload.ci.github_job import github_job
    from llmload.cli import ci_files, stored
    from llmload.reporters.step_summary import render
    from llmload.reporters.texts import texts_in
    from llmload.reporters.workflow_commands import inert

    texts = texts_in(options.language(lang, os.environ))
    outcome = outcomes.read_outcome(paths)
    job = github_job(os.environ)
    if output is None and job.summary is not None:
        _add(outcome, texts, artifact, job.summary)
    elif output is not None:
        ci_files.put(render(outcome, texts, artifact), output)
    else:
        stored.print_bytes(inert(render(outcome, texts, artifact).decode()).encode())


def _add(outcome: Outcome, texts: Texts, artifact: str, summary: Path) -> None:
    """Within what GitHub keeps of the step: what is there already counts."""
    from llmload.cli import ci_files
    from llmload.reporters.step_summary import SIZE_LIMIT, render

    room = ci_files.room_in(summary)
    rendered = render(outcome, texts, artifact, min(SIZE_LIMIT, room))
    if rendered:
        ci_files.append(rendered, summary)
    else:
        print(f"llmload: no summary: {summary} has room for {max(0, room):,} more bytes only", file=sys.stderr)
