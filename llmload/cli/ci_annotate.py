"""`llmload ci annotate`: what is broken, beside the lines of the scenario that promise it."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, assert_never

import typer

from llmload.cli import outcomes

if TYPE_CHECKING:
    from llmload.reporters.annotations import Locate


class Format(StrEnum):
    """Who is to show the annotations."""

    GITHUB = "github"
    CODE_QUALITY = "code-quality"


def annotate(
    paths: outcomes.Paths = [],  # noqa: B006 - typer copies it
    format: Annotated[  # noqa: A002 - the option's name
        Format, typer.Option(help="github: workflow commands; code-quality: GitLab's report in JSON.")
    ] = Format.GITHUB,
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of stdout.")] = None,
    root: Annotated[
        Path | None,
        typer.Option(help="Root of the repository; GITHUB_WORKSPACE or CI_PROJECT_DIR if left out, else this folder."),
    ] = None,
) -> None:
    """Tell every broken promise at its line of the scenario, the gravest first; exit code 0, whatever the verdict.

    Run it in the folder in which the command ran, since its files are named from there.

    Example: llmload ci annotate

    Example: llmload ci annotate --format code-quality --output quality.json
    """
    from llmload.cli.ci_files import put
    from llmload.reporters import annotations, code_quality

    outcome, locate = outcomes.read_outcome(paths), _locate(root or _workspace())
    match format:
        case Format.GITHUB:
            rendered = annotations.render(outcome, locate)
        case Format.CODE_QUALITY:
            rendered = code_quality.render(outcome, locate)
        case _:
            assert_never(format)
    put(rendered, output)


def _workspace() -> Path:
    named = os.environ.get("GITHUB_WORKSPACE") or os.environ.get("CI_PROJECT_DIR")
    return Path(named) if named else Path.cwd()


def _locate(root: Path) -> Locate:
    """By names: a scenario that is a link is shown where the repository has it, whatever it leads to.

    Where the root is a checkout, it must be there: the scenario of an older run may be gone. A job that merely gathers
    outcomes has no checkout, and names the files of those that had one.
    """
    top, here = os.path.realpath(root), os.path.realpath(Path.cwd())
    is_checkout = os.path.lexists(os.path.join(top, ".git"))  # noqa: PTH118 - a folder, or a file in a work tree

    def locate(source: str) -> str | None:
        if "\0" in source:
            return None
        path = os.path.normpath(os.path.join(here, source))  # noqa: PTH118 - of names, not of files
        if is_checkout and not os.path.lexists(path):
            return None
        for start in (top, os.path.abspath(root)):  # noqa: PTH100
            found = os.path.relpath(path, start)
            if found not in (".", "..") and not found.startswith("../"):
                return found
        return None

    return locate
