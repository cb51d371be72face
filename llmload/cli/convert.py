"""`llmload convert`: an older document as one of today."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from llmload.errors import UsageError


def convert(
    file: Annotated[Path, typer.Argument(help="Scenario file of any version.")],
    output: Annotated[Path | None, typer.Option(help="Write here instead of printing; never overwrites.")] = None,
) -> None:
    """Print a scenario in the newest version; variables stay variables, comments are lost.

    Example: llmload convert old.yaml --output scenarios/new.yaml
    """
    from llmload.scenario.conversion import convert_text
    from llmload.scenario.text_file import read_file

    text, notices = convert_text(read_file(file), str(file))
    for notice in notices:
        print(f"{file}: {notice}", file=sys.stderr)
    if output is None:
        print(text, end="")
        return
    try:
        with output.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        reason = (error.strerror or "unwritable").lower()
        raise UsageError(str(output), f"cannot be written: {reason}", "Name a new file") from None
