"""The inputs of a job in CI as one command line: names by glob, words as a shell splits them, shards; never a shell.

An input is text that somebody typed into a workflow; empty means that it was not given. White space around it is no
part of it. Whatever else stands in it ends up in exactly one word of the command line, or is refused.
"""

from __future__ import annotations

import glob
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import assert_never

from llmload.ci.outcome_document import MOST_ENTRIES
from llmload.errors import UsageError
from llmload.outcome import Command, FailOn
from llmload.shards import Shard, shard_named

LATEST = "latest"

_TAKEN = {
    Command.APPLY: ("scenario", "set", "env-file", "baseline", "args", "shard"),
    Command.VALIDATE: ("scenario", "set", "env-file", "args", "shard"),
    Command.GATE: ("scenario", "baseline", "args"),
    Command.COMPARE: ("args",),
}
"""Which input goes with which command."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was asked for, each as it was given. `sets` are lines; `store` and `outcome` are for us to name."""

    command: str = ""
    scenario: str = ""
    sets: str = ""
    env_file: str = ""
    baseline: str = ""
    args: str = ""
    shard: str = ""
    fail_on: str = ""
    store: str = ""
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The words behind `llmload`, and what they are about: scenario files, or the words that name runs."""

    command: Command
    words: tuple[str, ...]
    names: tuple[str, ...]


def command_of(inputs: Inputs) -> Command:
    """The verb, `apply` where none is named; UsageError for a word that is none."""
    text = _line("command", inputs.command)
    try:
        return Command(text or Command.APPLY)
    except ValueError:
        raise _unknown("command", text, tuple(Command)) from None


def fail_on_of(inputs: Inputs) -> FailOn:
    """What fails the job, `gate` where nothing is named; UsageError for a word that means nothing."""
    text = _line("fail-on", inputs.fail_on)
    try:
        return FailOn(text or FailOn.GATE)
    except ValueError:
        raise _unknown("fail-on", text, tuple(FailOn)) from None


def shard_of(inputs: Inputs) -> Shard | None:
    """Which share is asked for; None for all of it, UsageError for text that is no `I/N` with I from 1 to N."""
    text = _line("shard", inputs.shard)
    if not text:
        return None
    return shard_named("shard", text)


def command_line(inputs: Inputs, root: Path) -> CommandLine:
    """What the inputs ask for, with names as seen from the folder `root`; UsageError where they cannot be."""
    command = command_of(inputs)
    _refuse_foreign(command, inputs)
    words = _words(inputs.args)
    match command:
        case Command.APPLY | Command.VALIDATE:
            files = expand(inputs.scenario, root)
            sharing: tuple[str, ...] = ()
            if (shard := shard_of(inputs)) is not None and command is Command.APPLY:
                sharing = (f"--shard={shard}",)  # of cells, which the child knows when it has read all files
            elif shard is not None:
                files = _share(files, shard)
            if len(files) > MOST_ENTRIES * (shard.count if shard and sharing else 1):
                problem = f"matches {len(files):,} files, and one job takes {MOST_ENTRIES:,} at most"
                raise UsageError("scenario", problem, "Share them among jobs: shard")
            return CommandLine(command, (command, *_options(command, inputs), *sharing, *words, "--", *files), files)
        case Command.GATE:
            runs = words if words and not words[0].startswith("-") else (LATEST, *words)
            judged_by = _judged_by(inputs.scenario, root)
            return CommandLine(command, (command, *_options(command, inputs), *judged_by, *runs), runs)
        case Command.COMPARE:
            if not words:
                raise UsageError("args", "names no run", "Name the runs to compare, such as reports/main latest")
            return CommandLine(command, (command, *_options(command, inputs), *words), words)
        case _:
            assert_never(command)


def expand(patterns: str, root: Path) -> tuple[str, ...]:
    """The files that patterns match, sorted, each once; UsageError for a pattern that matches none.

    There is a pattern a line, or several between spaces; `**` is any depth. A line that is the name of a file is that
    file, whatever characters it has. No name begins with "-": such a file is named as `./-name`.
    """
    _check("scenario", patterns)
    lines = [line for line in map(_strip, patterns.split("\n")) if line]
    if not lines:
        raise UsageError("scenario", "is empty", "Name scenario files, such as scenarios/*.yaml")
    found: set[str] = set()
    for line in lines:
        for pattern in [line] if _is_file(root, line) else re.split(r"[ \t\r]+", line):
            found.update(_matches(pattern, root))
    return tuple(sorted(found))


def _matches(pattern: str, root: Path) -> list[str]:
    """The files of one pattern; a name that exists is itself, even with brackets in it."""
    # glob and not Path.glob: that one takes no absolute patterns, and does not bear what is no pattern
    names = [pattern] if _is_file(root, pattern) else glob.glob(pattern, root_dir=root, recursive=True)  # noqa: PTH207
    files = [PurePath(name).as_posix() for name in names if _is_file(root, name)]
    if not files:
        hint = f"Name its files: {pattern.rstrip('/')}/*.yaml" if names else "Name files that are there"
        raise UsageError(
            "scenario",
            f"{pattern!r} matches no file from the working directory on",
            f"{hint}; in a pattern, ? stands for a space",
        )
    return [f"./{name}" if name.startswith("-") else name for name in files]


def _is_file(root: Path, name: str) -> bool:
    return os.path.isfile(root / name)  # noqa: PTH113 - Path.is_file raises for a name that is too long


def _share(files: tuple[str, ...], shard: Shard) -> tuple[str, ...]:
    """The files are dealt out like cards, so that neighbours in the alphabet go to different jobs."""
    dealt = tuple(shard.of(files))
    if not dealt:
        count = f"{len(files)} scenario file{'s' if len(files) > 1 else ''}"
        raise UsageError(f"shard {shard}", f"has no scenario: {count} match", f"Use at most {len(files)} shards")
    return dealt


def _judged_by(scenario: str, root: Path) -> tuple[str, ...]:
    if not scenario.strip():
        return ()
    files = expand(scenario, root)
    if len(files) > 1:
        problem = f"matches {len(files)} files, but gate judges a run by one"
        raise UsageError("scenario", problem, "Name one file, or leave it out for the gates of the run")
    return (f"--scenario={files[0]}",)


def _options(command: Command, inputs: Inputs) -> tuple[str, ...]:
    """Our options, each one word with its value, so that no value is read as an option; before the author's words."""
    values = [("--outcome", _line("outcome", inputs.outcome))]
    if command is not Command.VALIDATE:
        values.append(("--store", _line("store", inputs.store)))
    values += [("--env-file", _line("env-file", inputs.env_file)), ("--baseline", _line("baseline", inputs.baseline))]
    _check("set", inputs.sets)
    values += [("--set", _strip(line)) for line in inputs.sets.split("\n")]
    return tuple(f"{name}={value}" for name, value in values if value)


def _words(args: str) -> tuple[str, ...]:
    """The words of `args`; what an outcome is written to, and where names begin, is not theirs to say."""
    _check("args", args)
    try:
        words = tuple(shlex.split(args))
    except ValueError as error:
        raise UsageError("args", f"cannot be split into words ({error})", "Close each quote") from None
    for word in words:
        if word == "--":
            raise UsageError("args", "holds --", "Leave it out; scenario files are named by the input scenario")
        if word.partition("=")[0] == "--outcome":
            raise UsageError("args", "holds --outcome", "Leave it out; the outcome is read from where we asked for it")
    return words


def _refuse_foreign(command: Command, inputs: Inputs) -> None:
    given = {
        "scenario": inputs.scenario,
        "set": inputs.sets,
        "env-file": inputs.env_file,
        "baseline": inputs.baseline,
        "shard": inputs.shard,
    }
    for name, text in given.items():
        if text.strip() and name not in _TAKEN[command]:
            fitting = ", ".join(each for each in Command if name in _TAKEN[each])
            raise UsageError(name, f"means nothing to {command}", f"Leave it out; it goes with {fitting}")


def _line(name: str, text: str) -> str:
    """An input of one line."""
    _check(name, text)
    line = _strip(text)
    if "\n" in line or "\r" in line:
        raise UsageError(name, "holds a line break", "Write it in one line")
    return line


def _strip(text: str) -> str:
    return text.strip(" \t\r\n")


def _check(name: str, text: str) -> None:
    """No process can be given a NUL, nor half a character."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        raise _uncarried(name) from None
    if "\0" in text:
        raise _uncarried(name)


def _uncarried(name: str) -> UsageError:
    return UsageError(name, "holds a character that no command line can carry", "Write plain text")


def _unknown(name: str, text: str, known: Sequence[str]) -> UsageError:
    return UsageError(name, f"{text!r} is none that we know", f"Use one of: {', '.join(known)}")
