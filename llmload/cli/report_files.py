"""Reports on disk. The files of one run are replaced together, so that two runs at once never mix theirs.

What goes wrong here takes nothing else with it: a report that cannot be made leaves the others, and reports that cannot
be written leave the old ones.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from llmload.domain import RunResult
from llmload.errors import LlmloadError, ReportError, StoreError
from llmload.plain_text import plain
from llmload.reporters.charts import NAMES
from llmload.reporters.registry import REPORTERS, Files, Render
from llmload.reporters.texts import Texts
from llmload.store.replacing import alone_in, remove_partial, replace_together

Jobs = Mapping[str, Callable[[], Files]]
"""Format -> what makes its files."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """Reports before they are written, and why others could not be made."""

    files: Files
    troubles: tuple[LlmloadError, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """Reports that are on disk, in the order of their formats, and what kept others from it."""

    files: tuple[Path, ...] = ()
    troubles: tuple[LlmloadError, ...] = ()

    @property
    def exit_codes(self) -> tuple[int, ...]:
        """What the troubles stand for; empty where everything was written."""
        return tuple(error.exit_code for error in self.troubles)


def write_reports(result: RunResult, directory: Path, formats: Sequence[str], texts: Texts) -> Written:
    """Render a run in each format into `directory`, one set of files at a time."""
    return put(render(jobs_of(result, formats, texts)), directory, f"llmload report {result.header.run_id}")


def jobs_of(
    result: RunResult, formats: Sequence[str], texts: Texts, reporters: Mapping[str, Render] = REPORTERS
) -> dict[str, Callable[[], Files]]:
    """What makes the files of each format."""
    return {name: partial(reporters[name], result, texts) for name in formats}


def silently(_: str) -> None:
    """Tell nobody what begins."""


def render(jobs: Jobs, begin: Callable[[str], None] = silently) -> Rendered:
    """Do all jobs, whichever fails; `begin` is told the format of each."""
    files: dict[str, bytes] = {}
    troubles: list[LlmloadError] = []
    for name, job in jobs.items():
        begin(name)
        try:
            files |= job()
        except (KeyboardInterrupt, SystemExit, LlmloadError):
            raise
        except BaseException as error:  # a panic of the drawing library is no Exception
            troubles.append(_trouble(name, error))
    return Rendered(files, tuple(troubles))


def _trouble(name: str, cause: BaseException) -> ReportError:
    said = f"the report could not be made ({type(cause).__name__}: {plain(str(cause), 200)})"
    remedy = "Please report it with the lines above; what was measured and the other reports are whole"
    if isinstance(cause, ImportError):
        remedy = "Install llmload again, with all that it depends on"
    error = ReportError(f"--format {name}", said, remedy)
    error.__cause__ = cause
    return error


def left_over(files: Files) -> Iterator[str]:
    """What may lie beside an earlier report of this directory, and does not belong to this one: pictures, parts."""
    beside = {
        "report.md": [f"report-{chart}.svg" for chart in NAMES],
        "comparison.md": ["comparison.svg"],
        "steps.csv": ["parts.csv"],
    }
    for report, others in beside.items():
        if report in files:
            yield from (name for name in others if name not in files)


def put(rendered: Rendered, directory: Path, again: str) -> Written:
    """Write what was rendered, all of it or nothing; `again` is the command that does it later.

    What an earlier report had beside it and the new one has not is removed: nothing would tell whose it is.
    """
    if not rendered.files:
        return Written((), rendered.troubles)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with alone_in(directory):
            remove_partial(directory, rendered.files)
            written = replace_together(directory, rendered.files)
            for name in left_over(rendered.files):
                (directory / name).unlink(missing_ok=True)
            return Written(written, rendered.troubles)
    except OSError as error:
        trouble = StoreError(
            str(directory),
            f"the reports cannot be written ({error.strerror})",
            f"Make room or choose another --out, then: {again}",
        )
        return Written((), (*rendered.troubles, trouble))


def tell_troubles(written: Written, scrub: Callable[[str], str] = str) -> None:
    """On stderr, where in our code each defect is, and what every trouble means."""
    for error in written.troubles:
        if error.__cause__ is not None:
            print(scrub("".join(traceback.format_tb(error.__cause__.__traceback__))), end="", file=sys.stderr)
        print(scrub(f"llmload: {error}"), file=sys.stderr)
