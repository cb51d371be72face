"""`--outcome DIR`: what a verb came to, kept entry by entry and written when the verb ends, however it ends."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

from llmload.errors import Interrupted, LlmloadError, Problem, ScenarioError, Terminated
from llmload.outcome import Command, Entry, Outcome
from llmload.scenario.secrets import Scrubber, names_secret

Keep = Callable[[Entry], None]
"""Takes what one scenario or run came to. An entry without a source is that of the next name of the command line."""

NOT_WRITTEN = 5
"""What a 0 becomes whose outcome could not be written: whoever asked for it would otherwise read nothing as a pass."""

_SHORTEST_SECRET = 8  # of a variable: what is shorter may stand in any figure
_AGAIN = "Give the same command again"


def forget(_: Entry) -> None:
    """Keep nothing, where nobody asked for an outcome."""


def recorded(folder: Path | None, command: Command, names: Sequence[str], work: Callable[[Keep], int]) -> int:
    """Do the work of a verb and write what it came to; returns its exit code, or raises what it raises.

    StoreError before the work begins where the outcome of an earlier command is in the way. Where the outcome cannot
    be written, this is told, and only a 0 becomes another code.
    """
    if folder is None:
        return work(forget)
    from llmload.ci.outcome_folder import clear_outcome

    clear_outcome(folder)
    record = _Record(folder, command, names)
    try:
        with _ended_by_signals():
            code = work(record.keep)
    except LlmloadError as error:
        record.end(entry_of_error(error))
        raise
    except Exception as error:
        record.end(entry_of_defect(error))
        raise
    return code if record.put(code) else code or NOT_WRITTEN


def entry_of_error(error: LlmloadError, scrub: Callable[[str], str] = str) -> Entry:
    """Why there is no result, or no whole one: located problems of a scenario, else the error in its own words."""
    if isinstance(error, ScenarioError):
        problems = tuple(_scrubbed(problem, scrub) for problem in error.problems)
        count = len(problems)
        return Entry("", error.exit_code, None, problems, f"It has {count} problem{'' if count == 1 else 's'}.")
    told = "\n".join((str(error), *getattr(error, "__notes__", ())))
    return Entry("", error.exit_code, message=scrub(told))


def entry_of_defect(error: Exception) -> Entry:
    """By its type alone: nobody knows what the text of an unforeseen error holds."""
    return Entry("", 70, message=f"internal error ({type(error).__name__}); the log has the lines to report")


class _Record:
    """The entries of one command, in the order in which they are kept."""

    def __init__(self, folder: Path, command: Command, names: Sequence[str]) -> None:
        self._folder, self._command, self._names = folder, command, names
        self._entries: list[Entry] = []
        self._scrub = Scrubber(_secrets_in(os.environ)).scrub

    def keep(self, entry: Entry) -> None:
        """One more, without the secrets of the environment: an artifact is masked by nobody."""
        place = len(self._entries)
        source = entry.source or (self._names[place] if place < len(self._names) else self._command.value)
        problems = tuple(_scrubbed(problem, self._scrub) for problem in entry.problems)
        self._entries.append(replace(entry, source=source, problems=problems, message=self._scrub(entry.message)))

    def end(self, entry: Entry) -> None:
        """Keep what ended the command, and write."""
        self.keep(entry)
        self.put(entry.exit_code)

    def put(self, code: int) -> bool:
        """Write all of it; False where the disk said no, which is told."""
        from llmload.ci.outcome_folder import put_outcome

        try:
            put_outcome(self._folder, Outcome(self._command, code, tuple(self._entries)))
        except LlmloadError as error:
            print(f"llmload: {error}", file=sys.stderr)
            return False
        return True


def _secrets_in(env: Mapping[str, str]) -> Iterator[str]:
    """Values of variables that are named like secrets: a document that is not valid may have been given any of them."""
    return (value for name, value in env.items() if names_secret(name) and len(value) >= _SHORTEST_SECRET)


def _scrubbed(problem: Problem, scrub: Callable[[str], str]) -> Problem:
    return replace(
        problem,
        path=scrub(problem.path),
        message=scrub(problem.message),
        hint=scrub(problem.hint),
        source_line=scrub(problem.source_line),
    )


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the block as errors of ours, also where no run is going on that heeds them.

    What a shell began in the background would ignore Ctrl-C, which a run does not (`stopping.listening`).
    """

    def stop(_signum: int, _frame: FrameType | None) -> None:
        raise Terminated("llmload", "stopped by SIGTERM", _AGAIN)

    actions = {signal.SIGTERM: stop, signal.SIGINT: signal.default_int_handler}
    former = {number: signal.signal(number, action) for number, action in actions.items()}
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted("llmload", "stopped by Ctrl-C", _AGAIN) from None
    finally:
        for number, action in former.items():
            signal.signal(number, action)
