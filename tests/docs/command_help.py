"""What the command line offers, as its help tells it, against what a page says that it does."""

from __future__ import annotations

import re
import tempfile
from functools import cache
from pathlib import Path

from tests.command import here
from tests.docs.migration_tables import Command


@cache
def _help_of(verb: tuple[str, ...]) -> str | None:
    """The help of a verb; None where the command line does not know it."""
    done = here(*verb, "--help", cwd=Path(tempfile.gettempdir()))
    if done.returncode == 2 and "No such command" in done.stderr:
        return None
    assert done.returncode == 0, done.stderr
    return done.stdout


def _options_in(text: str) -> set[str]:
    """The options that a help offers: the first column below "Options:", not those that its prose mentions."""
    listed = text.partition("\nOptions:\n")[2].splitlines()
    columns = [line.strip().split("  ")[0] for line in listed if line.startswith("  -")]
    return {option for column in columns for option in re.findall(r"--[a-z][a-z-]*", column)}


def lacks(asked: Command) -> str | None:
    """What of a command does not exist; None where all of it does."""
    text = _help_of(asked.verb)
    if text is None:
        return f"llmload {' '.join(asked.verb)}"
    missing = [option for option in asked.options if option not in _options_in(text)]
    if asked.format is not None and not re.search(rf"\b{asked.format}\b", text):
        missing.append(f"--format {asked.format}")
    return f"llmload {' '.join((*asked.verb, *missing))}" if missing else None
