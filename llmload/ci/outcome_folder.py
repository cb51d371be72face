"""An outcome as a folder: `outcome.json` and, beside it, the result document of each run in `results/`.

schemas/outcome-v1.schema.json describes outcome.json. A folder may come from a stranger's job (a pull request from a
fork): it is read in bounds and strictly, and nothing in it names a file outside of itself.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from llmload.analysis.conclusions import worst_code
from llmload.ci.outcome_document import REMEDY, outcome_document, read_document
from llmload.domain import RunResult
from llmload.errors import DataFileError, StoreError, UsageError
from llmload.outcome import Command, Entry, Outcome
from llmload.plain_text import plain
from llmload.reporters import result_json
from llmload.store.replacing import alone_in, remove_partial, replace_together
from llmload.store.result_document import read_run

DOCUMENT = "outcome.json"
RESULTS = "results"

LARGEST = 250_000_000
"""Bytes of all results of one folder; each has at most 200,000."""

_OURS = re.compile(r"\d{2,4}-[a-z0-9-]{1,60}\.json")


def put_outcome(folder: Path, outcome: Outcome) -> None:
    """Write an outcome in place of the one that lay there; StoreError where the disk says no."""
    names = [_file_name(place, entry) for place, entry in enumerate(outcome.entries, start=1)]
    documents = {
        name: result_json.render(entry.result)
        for name, entry in zip(names, outcome.entries, strict=True)
        if entry.result is not None
    }
    told = outcome_document(outcome, [f"{RESULTS}/{name}" if name else "" for name in names])
    try:
        _put(folder, documents, told)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> StoreError:
    problem = f"the outcome cannot be written ({error.strerror})"
    return StoreError(plain(str(folder)), problem, "Make room or name another --outcome")


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Have an outcome's folder to oneself from the first step to the last, so that what is read is what was written.

    `put_outcome` of another process still goes through. UsageError where somebody else holds it, StoreError where it
    cannot be made.
    """
    results = folder / RESULTS
    try:
        results.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(results, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        remedy = "Wait for it, or name another --outcome"
        raise UsageError(plain(str(folder)), "another `llmload ci run` is at work there", remedy) from None


def clear_outcome(folder: Path) -> None:
    """Remove what an earlier command left behind, which must not pass for the outcome of this one; StoreError."""
    try:
        (folder / DOCUMENT).unlink(missing_ok=True)
    except OSError as error:
        problem = f"the outcome of an earlier command cannot be removed ({error.strerror})"
        raise StoreError(plain(str(folder)), problem, "Remove it or name another --outcome") from error


def _put(folder: Path, documents: dict[str, bytes], told: bytes) -> None:
    results = folder / RESULTS
    if results.is_symlink():
        raise NotADirectoryError(20, f"{RESULTS} is a link")
    results.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        remove_partial(folder, [DOCUMENT])
        remove_partial(results, documents)
        replace_together(results, documents)
        replace_together(folder, {DOCUMENT: told})
        for path in results.iterdir():
            if _OURS.fullmatch(path.name) and path.name not in documents:
                path.unlink()


def _file_name(place: int, entry: Entry) -> str:
    """Of its result: its place and the scenario, "01-chat.json"; "" where there is none."""
    if entry.result is None:
        return ""
    words = re.sub(r"[^a-z0-9]+", "-", entry.result.header.scenario.lower()).strip("-")[:60].strip("-")
    return f"{place:02}-{words or 'run'}.json"


# ---------------------------------------------------------------- back


def read_all(paths: Sequence[Path]) -> Outcome:
    """Outcomes and result.json files as one outcome, in the order in which they are named.

    UsageError where they are of several commands, or where a comparison is among several; DataFileError for what cannot
    be read or trusted.
    """
    found = [_read(path) for path in paths]
    if not found:
        raise UsageError("outcome", "no path is named", REMEDY)
    commands = {command for command, _ in found if command is not None}
    if len(commands) > 1 or (Command.COMPARE in commands and len(found) > 1):
        told = ", ".join(sorted(commands))
        raise UsageError(
            "outcome", f"outcomes of {told} cannot be one", "Name outcomes of one command other than compare"
        )
    outcomes = [outcome for _, outcome in found]
    if len(outcomes) == 1:
        return outcomes[0]
    entries = tuple(entry for outcome in outcomes for entry in outcome.entries)
    command = next(iter(commands), Command.APPLY)
    return Outcome(command, worst_code([outcome.exit_code for outcome in outcomes]), entries)


def _read(path: Path) -> tuple[Command | None, Outcome]:
    """One outcome, and which command it is of: a result.json alone fits to any."""
    if path.is_dir():
        if not (path / DOCUMENT).exists() and (path / "result.json").exists():
            return None, _of_result(path / "result.json")
        outcome = _of_folder(path)
    elif path.name == DOCUMENT:
        outcome = _of_folder(path.parent)
    elif not path.exists():
        raise DataFileError(str(path), "there is no such file or folder", f"Give a verb --outcome first. {REMEDY}")
    else:
        return None, _of_result(path)
    return outcome.command, outcome


def _of_result(path: Path) -> Outcome:
    run = read_run(path)
    return Outcome(Command.APPLY, run.exit_code, (Entry(plain(run.header.source), run.exit_code, run),))


def _of_folder(folder: Path) -> Outcome:
    """The outcome with its results, none of which lies elsewhere."""
    document = _inside(folder, folder / DOCUMENT)
    outcome, names = read_document(document)
    files = [_inside(folder, folder / name) if name else None for name in names]
    if sum(path.stat().st_size for path in files if path is not None and path.is_file()) > LARGEST:
        raise DataFileError(plain(str(document)), f"has results of more than {LARGEST:,} bytes", REMEDY)
    runs = [None if path is None else read_run(path) for path in files]
    entries = tuple(replace(entry, result=run) for entry, run in zip(outcome.entries, runs, strict=True))
    for entry in entries if outcome.command is not Command.COMPARE else ():
        _check_agrees(document, entry, entry.result)
    return replace(outcome, entries=entries)


def _inside(folder: Path, path: Path) -> Path:
    """The path, which no link leads out of the folder."""
    try:
        is_inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a link to itself; which of the two it is depends on Python's version
        is_inside = False
    if not is_inside:
        raise DataFileError(plain(str(path)), "is a link that leaves the folder", REMEDY)
    return path


def _check_agrees(document: Path, entry: Entry, run: RunResult | None) -> None:
    """An entry is never better than its own result says."""
    if run is not None and worst_code((entry.exit_code, run.exit_code)) != entry.exit_code:
        problem = f"{entry.source} has exit code {entry.exit_code}, and its result {run.exit_code}"
        raise DataFileError(plain(str(document)), problem, REMEDY)
