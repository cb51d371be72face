"""Options that several verbs share, spelled once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmload.errors import UsageError

if TYPE_CHECKING:
    from llmload.reporters.texts import Language

Store = Annotated[Path, typer.Option(help="SQLite file of runs.", envvar="LLMLOAD_STORE")]
Sets = Annotated[list[str], typer.Option("--set", help="Overwrite one value, like spec.target.url=http://host:8000.")]
EnvFile = Annotated[Path | None, typer.Option(help="File of NAME=value lines, added to the environment.")]
Only = Annotated[
    list[str], typer.Option("--only", metavar="ID", help="Of a matrix, this cell alone; * stands for any characters.")
]
ShardOf = Annotated[
    str | None, typer.Option("--shard", metavar="I/N", help="The I-th of N shares of all files and cells, such as 2/4.")
]
LogFormat = Annotated[str, typer.Option(help="Logs on stderr as text or json.")]
LogLevel = Annotated[str, typer.Option(help="debug, info, warning or error.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result document and nothing else.")]
Baseline = Annotated[
    str | None,
    typer.Option(
        metavar="PATH|REF|RUN|auto",
        help="What relative gates are held against: a file or folder, a git ref, a stored run, or what auto finds.",
    ),
]

Lang = Annotated[
    str | None,
    typer.Option("--lang", metavar="en|ko", help="Language of reports; else LLMLOAD_LANG, else that of the locale."),
]
Outcome = Annotated[
    Path | None,
    typer.Option(
        "--outcome",
        metavar="DIR",
        help="Write what it came to into this folder, whatever becomes of it, for `llmload ci`.",
        envvar="LLMLOAD_OUTCOME",
    ),
]

DEFAULT_STORE = Path("llmload.db")


def language(lang: str | None, env: Mapping[str, str]) -> Language:
    """The language that was asked for, else the one of the locale where reports have it, else English.

    UsageError where `--lang` or `LLMLOAD_LANG` names one that reports do not have. Of the locale, POSIX takes the first
    of `LC_ALL`, `LC_MESSAGES` and `LANG` that is set and not empty.
    """
    from llmload.reporters.texts import Language

    for where, named in (("--lang", lang), ("LLMLOAD_LANG", env.get("LLMLOAD_LANG") or None)):
        if named is not None:
            try:
                return Language(named)
            except ValueError:
                known = ", ".join(Language)
                raise UsageError(where, f"{named!r} is no language of reports", f"Use one of: {known}") from None
    locale = next((env[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if env.get(name)), "")
    code = re.split(r"[_.@-]", locale, maxsplit=1)[0].lower()
    return Language(code) if code in list(Language) else Language.EN


def environment(env_file: Path | None) -> Mapping[str, str]:
    """The process's variables, with those of `--env-file` under them: what is set outside wins, as with docker."""
    if env_file is None:
        return dict(os.environ)
    try:
        lines = env_file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        problem = f"the file of variables cannot be read ({reason})"
        raise UsageError(f"--env-file {env_file}", problem, "Name a file of NAME=value lines") from None
    return {**_read_variables(env_file, lines), **os.environ}


def _read_variables(env_file: Path, lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise UsageError(f"{env_file}:{number}", "is not NAME=value", "Write one variable a line")
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
        found[name.strip()] = value[1:-1] if quoted else value
    return found
