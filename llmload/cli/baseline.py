"""`llmload baseline`: the reviewed runs that others are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmload.cli import options
from llmload.errors import DataFileError, UsageError

if TYPE_CHECKING:
    from llmload.cli.baseline_change import Changed
    from llmload.store.baseline_file import BaselineFile

baseline = typer.Typer(
    name="baseline",
    help="Look after the reviewed runs that others are compared with.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Dir = Annotated[
    Path | None,
    typer.Option("--dir", help="Folder of reports, in which baselines lie; that of the scenario, or reports."),
]
Reason = Annotated[str, typer.Option(help="Why, in a sentence: it is kept in the file.")]
Name = Annotated[str, typer.Argument(metavar="SCENARIO", help="Name of the scenario, or its file.")]
Json = Annotated[bool, typer.Option("--json", help="Print a JSON document and nothing else.")]

DEFAULT_DIR = Path("reports")


@baseline.command("list")
def list_(directory: Dir = None, json: Json = False) -> None:
    """List the baselines under the folder of reports: how many runs each has, and why it was last changed.

    A file that cannot be trusted is told on stderr, and the exit code is 2.

    Example: llmload baseline list
    """
    import sys

    from llmload.cli import baseline_tables
    from llmload.cli.stored import print_text
    from llmload.store.baseline_file import FOLDER, files_in, read_file

    root = (directory or DEFAULT_DIR) / FOLDER
    folders = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    found: list[tuple[Path, BaselineFile]] = []
    are_good = True
    for path in (path for folder in folders for path in files_in(folder)):
        try:
            found.append((path, read_file(path)))
        except DataFileError as error:
            are_good = False
            print(f"llmload: {error}", file=sys.stderr)
    if json:
        print_text(baseline_tables.list_json(found))
    else:
        print_text(baseline_tables.list_text(found) if found else f"No baselines in {root}.\n")
    if not are_good:
        raise typer.Exit(2)


@baseline.command("show")
def show(
    wanted: Annotated[
        str, typer.Argument(metavar="SCENARIO|FILE", help="Name of the scenario, its file, or a baseline.")
    ],
    directory: Dir = None,
    json: Json = False,
) -> None:
    """Show baselines: the fingerprint, the runs, how much each figure spreads from run to run, and the history.

    Example: llmload baseline show chat
    """
    from llmload.cli import baseline_tables
    from llmload.cli.stored import print_text
    from llmload.store.baseline_file import FOLDER, files_in, read_file

    if wanted.endswith(".json"):
        paths: tuple[Path, ...] = (Path(wanted),)
    else:
        name, reports = _scenario(wanted, directory)
        paths = files_in(reports / FOLDER / name)
        if not paths:
            problem = f"{reports / FOLDER} has no baseline of a scenario of this name"
            raise UsageError(repr(wanted), problem, "`llmload baseline list` lists what is there")
    found = [(path, read_file(path)) for path in paths]
    if json:
        print_text(baseline_tables.show_json(found))
    else:
        print_text("\n".join(baseline_tables.show_text(path, file) for path, file in found))


@baseline.command("update")
def update(
    scenario: Name,
    reason: Reason,
    runs: Annotated[
        list[str], typer.Option(metavar="RUN", help="Take these stored runs; may be repeated, or A,B,C.")
    ] = [],  # noqa: B006 - typer copies it
    last: Annotated[
        int | None, typer.Option(min=1, max=100, help="Take so many of the newest; 20 unless given.")
    ] = None,
    directory: Dir = None,
    store: options.Store = options.DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Make stored runs the baseline of a scenario: those named, else the newest with the newest one's fingerprint.

    Eight runs or more decide a gate; fewer are advisory. Runs of different fingerprints are never mixed. Nothing else
    ever changes a baseline: commit the file, and review it as any other change.

    Example: llmload baseline update chat --reason "first baseline"
    """
    from llmload.cli import baseline_change
    from llmload.store.database import open_existing

    if runs and last is not None:
        raise UsageError("--last", "contradicts --runs", "Write one of them")
    name, reports = _scenario(scenario, directory)
    wanted = [each for option in runs for each in option.split(",") if each]
    with open_existing(store) as opened:
        chosen = (
            baseline_change.named(opened, name, wanted)
            if wanted
            else baseline_change.newest(opened, name, last, reports)
        )
        changed = baseline_change.update(opened, name, chosen, reason, reports)
    _tell(changed, json)


@baseline.command("accept")
def accept(
    scenario: Name,
    reason: Reason,
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="The first run of the new level; the newest.")
    ] = None,
    directory: Dir = None,
    store: options.Store = options.DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Mark that a scenario's figures changed on purpose: RUN and those since are its baseline, those before leave it.

    Without RUN it is the newest one. Until the baseline has eight runs of the new level, gates against it warn at most.

    Example: llmload baseline accept chat --reason "larger model, slower on purpose"
    """
    from llmload.cli import baseline_change
    from llmload.store.database import open_existing

    name, reports = _scenario(scenario, directory)
    with open_existing(store) as opened:
        if run is None:
            first = baseline_change.newest(opened, name, 1, reports)[0]
        else:
            first = baseline_change.measured_run(opened, opened.find(run), name)
        changed = baseline_change.accept(opened, first, reason, reports)
    _tell(changed, json)


def _scenario(wanted: str, directory: Path | None) -> tuple[str, Path]:
    """The name of a scenario, told by itself or by its file, and the folder of its reports."""
    import os
    import re

    if wanted.endswith((".yaml", ".yml")):
        from llmload.scenario.loader import load_document, read_cells

        path = Path(wanted)
        first, *_ = read_cells(path, env=os.environ)  # name and folder are those of all cells
        scenario = load_document(first, path.parent)
        return scenario.name, directory or Path(scenario.reports.directory)
    if re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", wanted) is None or len(wanted) > 100:  # it is part of a path
        problem = "is not the name of a scenario: small letters, digits and hyphens"
        raise UsageError(repr(wanted), problem, "Write metadata.name of the scenario, or the path of its file")
    return wanted, directory or DEFAULT_DIR


def _tell(changed: Changed, is_json: bool) -> None:
    from llmload.cli import baseline_tables
    from llmload.cli.stored import print_text

    print_text(baseline_tables.changed_json(changed) if is_json else baseline_tables.changed_text(changed))
