"""What the `ci` verbs share: how outcomes are named on the command line, and read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from llmload.outcome import Outcome

DEFAULT_FOLDER = Path("llmload-outcome")

Paths = Annotated[
    list[Path],
    typer.Argument(
        metavar="[PATH...]",
        help="What `--outcome DIR` wrote, or result.json files; llmload-outcome if left out. Several count as one.",
        show_default=False,
    ),
]


def read_outcome(paths: Sequence[Path]) -> Outcome:
    """All outcomes as one, such as those of shards; UsageError or DataFileError for one that cannot be read."""
    from llmload.ci.outcome_folder import read_all

    return read_all(paths or [DEFAULT_FOLDER])
