"""`llmload dataset`: a dataset of Hugging Face on this disk as a file of prompts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def dataset(
    place: Annotated[Path, typer.Argument(help="Folder of save_to_disk or of the hub's cache, or a data file.")],
    output: Annotated[
        Path, typer.Option(help="The file of prompts to write, such as prompts.jsonl; never overwrites.")
    ],
    column: Annotated[
        str | None,
        typer.Option(help="Column with texts or conversations; else messages, conversations, prompt or text."),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Such as train, where there are several.")] = None,
) -> None:
    """Write a dataset that lies on this disk as JSON lines, which `workload.prompts.file` reads.

    Nothing is downloaded. The file is what a run is made of and can be committed or kept: its SHA-256 goes into every
    run that uses it.

    Example: llmload dataset ~/data/sharegpt --split train --output prompts.jsonl
    """
    from tempfile import mkstemp

    from llmload.errors import UsageError
    from llmload.plain_text import plain
    from llmload.scenario.dataset import files_of, write_rows

    files = files_of(place.expanduser(), split)
    if output.exists():
        raise UsageError(str(output), "is there already", "Name a new file")
    part: Path | None = None
    try:
        descriptor, name = mkstemp(dir=output.parent, prefix=f"{output.name}.")
        part = Path(name)
        with os.fdopen(descriptor, "wb") as stream:
            written = write_rows(files, column, stream)
        part.chmod(0o644)
        part.rename(output)
    except OSError as error:
        reason = (error.strerror or "unwritable").lower()
        raise UsageError(str(output), f"cannot be written: {reason}", "Name another --output") from None
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
    print(f"{written.rows:,} rows of the column {plain(written.column)} are in {plain(str(output))}. Use them with")
    print(f"    prompts: {{file: {{path: {plain(output.name)}, format: {written.format}}}}}")
