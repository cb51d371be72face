"""`llmload schema`: the JSON Schema of scenarios, for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmload.errors import UsageError


def schema(
    write: Annotated[Path | None, typer.Option(help="Write the file into this directory instead of printing.")] = None,
) -> None:
    """Print the JSON Schema (draft 2020-12) that editors check scenario files with.

    Example: llmload schema --write schemas
    """
    from llmload.scenario.schema import FILE_NAME, schema_text

    if write is None:
        print(schema_text(), end="")
        return
    try:
        write.mkdir(parents=True, exist_ok=True)
        (write / FILE_NAME).write_text(schema_text(), encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or "unwritable").lower()
        raise UsageError(str(write), f"cannot be written: {reason}", "Name a directory that can be written") from None
    print(write / FILE_NAME)
