"""`llmload schema`: the JSON Schemas of scenarios and presets, for editors."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from llmload.errors import UsageError


class Kind(StrEnum):
    """The documents that people write."""

    SCENARIO = "scenario"
    PRESET = "preset"


def schema(
    write: Annotated[Path | None, typer.Option(help="Write both files into this directory.")] = None,
    kind: Annotated[Kind, typer.Option(help="scenario or preset: which one to print.")] = Kind.SCENARIO,
) -> None:
    """Print the JSON Schema (draft 2020-12) that editors check scenario files with, or that of presets.

    Example: llmload schema --write schemas
    """
    from llmload.scenario.schema import FILE_NAME, PRESET_FILE_NAME, preset_schema_text, schema_text

    if write is None:
        print(schema_text() if kind is Kind.SCENARIO else preset_schema_text(), end="")
        return
    try:
        write.mkdir(parents=True, exist_ok=True)
        (write / FILE_NAME).write_text(schema_text(), encoding="utf-8")
        (write / PRESET_FILE_NAME).write_text(preset_schema_text(), encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or "unwritable").lower()
        raise UsageError(str(write), f"cannot be written: {reason}", "Name a directory that can be written") from None
    print(write / FILE_NAME)
    print(write / PRESET_FILE_NAME)
