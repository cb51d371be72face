"""What flags of `run` and `recommend` mean in the words of a scenario: lists, times, shares, files to be written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from json import dumps
from pathlib import Path

from llmload.errors import UsageError
from llmload.units import parse_duration, parse_percent

DEFAULT_LADDER = "1,10,50,100,200"

_BARE = re.compile(r"\d+(\.\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag that was written: its name, and the value that it puts at a path of the scenario."""

    option: str
    path: str
    value: object  # as JSON has it

    @property
    def assignment(self) -> str:
        """The same as `--set` has it."""
        return f"{self.path}={dumps(self.value, ensure_ascii=False)}"


def written(*flags: tuple[str, str, object]) -> tuple[Flag, ...]:
    """The flags that have a value."""
    return tuple(Flag(*flag) for flag in flags if flag[2] is not None)


def whole_numbers(option: str, text: str) -> Sequence[int]:
    """Loads such as "1,10,50"."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(option, f"{text!r} is not a list of numbers", "Write it like 1,10,50") from None


def milliseconds(option: str, text: str | None) -> str | None:
    """A time with its unit; a bare number is one of milliseconds. None stays None."""
    if text is None:
        return None
    wanted = f"{text}ms" if _BARE.fullmatch(text) else text
    try:
        seconds = parse_duration(wanted)
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise UsageError(option, f"{text!r} is no time", "Write milliseconds, like 500, or 500ms, or 2s")
    return wanted


def percent(option: str, text: str | None) -> str | None:
    """A share with its sign; a bare number is one of percent. None stays None.

    A bare number between 0 and 1 is refused: half of those who write 0.95 mean 95 %.
    """
    if text is None:
        return None
    is_bare = _BARE.fullmatch(text) is not None
    if is_bare and 0 < float(text) < 1:
        meant = f"{100 * float(text):g}"
        raise UsageError(option, f"{text} may be a share or percent", f"Write {meant}%, or {text}% if you mean that")
    try:
        parse_percent(wanted := f"{text}%" if is_bare else text)
    except ValueError:
        raise UsageError(option, f"{text!r} is no percentage", "Write it like 95 or 95%") from None
    return wanted


def check_sets(flags: Iterable[Flag], sets: Sequence[str]) -> None:
    """UsageError where `--set` says what a flag says too: nobody could tell which one was meant."""
    for text in sets:
        path = text.partition("=")[0].strip()
        for flag in flags:
            if f"{path}.".startswith(f"{flag.path}.") or f"{flag.path}.".startswith(f"{path}."):
                raise UsageError(f"--set {path}", f"says what {flag.option} says too", "Keep one of them")


def check_writable(option: str, path: Path | None) -> None:
    """UsageError where a file that is to be written at the end surely cannot be, before anything is measured."""
    if path is None:
        return
    is_there = path.exists()
    if not os.access(path if is_there else path.parent, os.W_OK) or path.is_dir() or not path.parent.is_dir():
        raise UsageError(option, f"{path} cannot be written", "Name a file in a folder that can be")
