"""What the verbs that only read the store share: how a run is named and printed, and what its own scenario asks for."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from llmload.cells import cell_of
from llmload.errors import UsageError
from llmload.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from rich.console import Console

    from llmload.domain import RunResult
    from llmload.scenario.asked import Reports

Run = Annotated[str, typer.Argument(metavar="RUN", help='Id of the run, the beginning of one, or "latest".')]

_ALIASES = {"xlsx": "excel", "md": "markdown"}


def report_folder(result: RunResult, out: Path | None) -> Path:
    """Where reports of a stored run go: below `out`, else where its own scenario wants them.

    A store may come from anyone. UsageError where it names a folder that is not below the working directory.
    """
    from pathlib import Path

    run, scenario = f"run {result.header.run_id}", result.header.scenario
    if scenario in ("", ".", "..") or "/" in scenario or "\\" in scenario or "\0" in scenario:
        problem = f"has a scenario of the name {plain(scenario, 60)!r}, which is no name of a folder"
        raise UsageError(run, problem, "Look at it with `llmload show`")
    wanted = out or Path(_reports(result).directory)
    if out is None and (wanted.is_absolute() or ".." in wanted.parts):
        problem = f"wants its reports in {plain(str(wanted), 200)}, outside of the working directory"
        raise UsageError(run, problem, f"Name the folder yourself: --out {plain(str(wanted), 200)}")
    return wanted / scenario / cell_of(result.header.labels)


def formats_of(result: RunResult) -> tuple[str, ...]:
    """The reports that the run's own scenario asks for; all of them for an imported run."""
    return _reports(result).formats


def _reports(result: RunResult) -> Reports:
    from llmload.scenario.asked import Reports
    from llmload.scenario.document import root
    from llmload.scenario.loader import load_resolved

    if result.is_imported:
        usual = root.Reports()
        return Reports(usual.dir, tuple(usual.formats))
    return load_resolved(result.header.resolved).reports


def print_tables(result: RunResult) -> None:
    """Figures, gates and caveats for people."""
    from llmload.reporters import console

    print_through(lambda terminal: console.render(result, terminal))


def print_through(show: Callable[[Console], None]) -> None:
    """Let `show` print to the terminal, or to whatever stdout is."""
    from rich.console import Console

    with _while_somebody_reads():
        show(Console())


def print_json(result: RunResult) -> None:
    """The result document and nothing else."""
    from llmload.reporters import result_json

    print_bytes(result_json.render(result))


def print_text(text: str) -> None:
    """Print, and let the exit code be the verdict's even where nobody reads to the end, as with `| head`."""
    with _while_somebody_reads():
        sys.stdout.write(text)


def print_bytes(rendered: bytes) -> None:
    """A rendering as it is: no other line ends, no other encoding."""
    with _while_somebody_reads():
        sys.stdout.flush()
        sys.stdout.buffer.write(rendered)


@contextmanager
def _while_somebody_reads() -> Iterator[None]:
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            print(f"llmload: the output cannot be written ({error.strerror})", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def known_formats(named: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Each format once, by its own name where it was called by another; UsageError for one that is not `known`."""
    formats = [_ALIASES.get(name, name) for name in named]
    for name in formats:
        if name not in known:
            raise UsageError(f"--format {plain(name, 60)}", "is not a format", f"Choose one of: {', '.join(known)}")
    return tuple(dict.fromkeys(formats))


def write_file(path: Path, rendered: bytes, option: str = "--output") -> None:
    """Replace a file that the user named by `option`; UsageError when the disk says no."""
    try:
        path.write_bytes(rendered)
    except OSError as error:
        raise UsageError(str(path), f"cannot be written ({error.strerror})", f"Name another {option}") from error
