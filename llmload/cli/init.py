"""`llmload init`: a commented starter scenario."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmload.errors import UsageError


def init(
    file: Annotated[Path, typer.Argument(help="File to write.")] = Path("scenario.yaml"),
    framework: Annotated[str, typer.Option(help="One of those that `llmload frameworks` lists.")] = "openai",
) -> None:
    """Write a commented starter scenario; never overwrites a file.

    Example: llmload init --framework vllm scenarios/chat.yaml
    """
    from llmload.scenario.starters import starter

    try:
        text = starter(framework)
    except ValueError as error:
        raise UsageError("--framework", f"{framework!r} is not a framework we know", str(error)) from None
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise UsageError(str(file), "exists already", "Name another file, or delete it first") from None
    except OSError as error:
        reason = (error.strerror or "unwritable").lower()
        raise UsageError(str(file), f"cannot be written: {reason}", "Name a file in a folder that exists") from None
    print(f"{file} written. Next: set the url, then `llmload validate {file}`.")
