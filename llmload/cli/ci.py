"""`llmload ci`: what a job in CI does around the load: run by inputs, summarise, annotate, comment, commit."""

from __future__ import annotations

import typer

from llmload.cli.ci_annotate import annotate
from llmload.cli.ci_comment import comment
from llmload.cli.ci_commit_report import commit_report
from llmload.cli.ci_run import run
from llmload.cli.ci_summary import summary

ci = typer.Typer(
    name="ci",
    help="What a job in CI does around the load: run by its inputs, summarise, annotate, comment, commit reports.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

ci.command("run")(run)
ci.command("summary")(summary)
ci.command("annotate")(annotate)
ci.command("comment")(comment)
ci.command("commit-report")(commit_report)
