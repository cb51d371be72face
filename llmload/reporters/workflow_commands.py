"""Annotations as workflow commands of GitHub Actions: lines of a job's log that begin with `::`.

How the runner reads them: https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands and, for
what is escaped, `ActionCommand.cs` of github.com/actions/runner.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from llmload.plain_text import plain


class Level(StrEnum):
    """How GitHub shows an annotation."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Annotation:
    """A note at a place of a file, from the root of the repository; "" where there is no such file.

    `lines` are shown one below the other; `line` and `column` count from 1.
    """

    level: Level
    lines: tuple[str, ...]
    file: str = ""
    line: int | None = None
    column: int | None = None
    title: str = ""


_TITLE = 250  # characters
_LINE = 2_000
_OLDER = "##["
_ENDS = r"\r\n\v\f\x85\u2028\u2029"  # of lines, for whoever reads the log
_START = re.compile(rf"(?:^|(?<=[{_ENDS}]))([^\S{_ENDS}]*)(?=::)")


def command(annotation: Annotation) -> str:
    """The one line that makes the runner show it: no text in it ends the line, a property, or the command."""
    place = _place(annotation) if names_file(annotation.file) else []
    named = [*place, ("title", plain(annotation.title, _TITLE))]
    properties = ",".join(f"{name}={_property(value)}" for name, value in named if value)
    message = "\n".join(plain(line, _LINE) for line in annotation.lines)
    return f"::{annotation.level.value}{' ' if properties else ''}{properties}::{_message(message)}"


def inert(text: str) -> str:
    """Text of any number of lines in which the runner finds no command, wherever it is printed; it reads the same.

    The runner takes off the white space that a line begins with.
    """
    return _unlike_older(_START.sub("\\1\u200b", text))


def _place(annotation: Annotation) -> list[tuple[str, str]]:
    counted = (("line", annotation.line), ("col", annotation.column))
    return [("file", annotation.file), *((name, str(value)) for name, value in counted if value)]


def names_file(name: str) -> bool:
    """Whether an annotation can carry it: characters that are not seen would end a line, or name another file."""
    return bool(name) and name.isprintable() and _OLDER not in name


def _message(text: str) -> str:
    """The runner reads these three back."""
    return _unlike_older(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def _unlike_older(text: str) -> str:
    """What begins a command in the runner's older syntax does so anywhere in a line."""
    return text.replace(_OLDER, "#\u200b#[")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
