"""What one command came to in CI: its exit code, and of each scenario file or run the result, or why there is none.

An outcome is data. Whoever publishes it makes the words, so that a job with rights never repeats those of one without.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from llmload.domain import RunResult
from llmload.errors import Problem


class Command(StrEnum):
    """Which verb was run."""

    APPLY = "apply"
    GATE = "gate"
    VALIDATE = "validate"
    COMPARE = "compare"


class FailOn(StrEnum):
    """What fails the job: broken gates (the exit code as it is), undecided ones too, or no verdict at all."""

    GATE = "gate"
    INCONCLUSIVE = "inconclusive"
    NEVER = "never"


class Conclusion(StrEnum):
    """What all of it came to, in one word: the output `verdict` of the action."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"  # undecided gates, whether or not the scenario lets them fail
    NOT_GATED = "not-gated"
    NOT_MEASURED = "not-measured"  # server down, client too slow, no data
    INVALID = "invalid"  # bad command line, scenario or data file
    INTERRUPTED = "interrupted"
    DEFECT = "defect"  # of ours
    VALID = "valid"  # of `validate`
    SAME = "same"  # of `compare`: no difference beyond noise
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Entry:
    """One scenario file, or one run that was judged or compared.

    `source` is how it was named. Where there is no `result`, `problems` are those of its document and `message` says,
    in one sentence or a few, why there is none. `reports` are the files that were written, as paths from the working
    directory of the command.
    """

    source: str
    exit_code: int
    result: RunResult | None = None
    problems: tuple[Problem, ...] = ()
    message: str = ""
    reports: tuple[str, ...] = ()


def own_source(verb: str) -> str:
    """The source of an entry that is about no file, but about a command line of ours: `verb` as in "ci run"."""
    return f"llmload {verb}"


OWN_SOURCES = frozenset(map(own_source, ("ci run", *Command)))
"""All of them; no annotation can be at a place of these."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One command over all its entries, in the order in which they were named; `exit_code` is that of the command.

    Of `compare` the first entry is the run that the others were held against.
    """

    command: Command
    exit_code: int
    entries: tuple[Entry, ...]
