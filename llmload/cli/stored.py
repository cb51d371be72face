"""What the verbs that only read the store share: a stored run judged again, and how it is printed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from llmload.errors import TargetError, UsageError
from llmload.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from llmload.analysis.baselines import Refer
    from llmload.domain import RunHeader, RunResult
    from llmload.scenario.asked import Reports, Scenario
    from llmload.store.database import Store, StoredRun
    from llmload.verdict import Caveat

    Against = Callable[[Scenario], Refer]

Run = Annotated[str, typer.Argument(metavar="RUN", help='Id of the run, the beginning of one, or "latest".')]

_CUT_SHORT = {
    "running": "it is still going on",
    "interrupted": "stopped by Ctrl-C or SIGTERM",
    "aborted": "its process died",
    "failed": "a defect of llmload or its surroundings ended it",
}
"""Why a run that the store knows by this status may have no more windows; a server's failure is told by itself."""

_ALIASES = {"xlsx": "excel", "md": "markdown"}


def judged(
    store: Store,
    run_id: str,
    scenario: Scenario | None = None,
    against: Against | None = None,
    ending: str | None = None,
) -> RunResult:
    """Fold the stored windows of a run into a result again; another `scenario` brings its own gates and SLO.

    `ending` is the status of a run that ends now, where the store does not know it yet.

    Relative gates are held against what the run was judged against when it ended, unless `against` finds another.
    An imported run has no windows, only the figures that it came with.
    """
    from llmload.analysis.baselines import no_baseline
    from llmload.analysis.judgement import judge
    from llmload.domain import IMPORTED
    from llmload.scenario.loader import load_resolved
    from llmload.store.imports import result_of

    run = store.load(run_id)
    if run.status == IMPORTED:
        return result_of(run)
    asked = load_resolved(run.header.resolved) if scenario is None else scenario
    kept = run.reference
    as_it_was = no_baseline if kept is None else lambda _: kept
    return judge(
        run.header,
        asked,
        run.facts,
        run.observations,
        finished=run.finished,
        trouble=_trouble(run),
        refer=as_it_was if against is None else against(asked),
        cut_short=cut_short(run.header, ending or run.status),
    )


def cut_short(header: RunHeader, status: str) -> Caveat | None:
    """Why a run of this status has no more windows than it has; None where it came to its end."""
    from llmload.baseline import SIDE_LABEL
    from llmload.verdict import Caveat

    if status not in _CUT_SHORT:
        return None
    remedy = f"Go on with `llmload apply FILE --resume {header.run_id}`"
    if status == "running":
        remedy = "Wait for its end, then make this report again"
    elif SIDE_LABEL in header.labels:
        remedy = "Measure both sides again with `llmload ab`"
    return Caveat("the run is not complete", _CUT_SHORT[status], remedy, is_fatal=True, kind="NotMeasured")


def reports_directory(result: RunResult) -> Path:
    """Where the run's own scenario wants its reports; an imported run has none."""
    from pathlib import Path

    return Path(_reports(result).directory)


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


def _trouble(run: StoredRun) -> TargetError | None:
    """What ended the run before its time: it is in no window, only in what was said when it ended."""
    from llmload.analysis.judgement import STOPPED

    for caveat in run.caveats:
        if caveat.rule == STOPPED:
            where, _, problem = caveat.figure.partition(": ")
            return TargetError(where, problem, caveat.remedy, kind=caveat.kind)
    return None


def print_tables(result: RunResult) -> None:
    """Figures, gates and caveats for people."""
    from rich.console import Console

    from llmload.reporters import console

    with _while_somebody_reads():
        console.render(result, Console())


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


def write_file(path: Path, rendered: bytes) -> None:
    """Replace a file that the user named; UsageError when the disk says no."""
    try:
        path.write_bytes(rendered)
    except OSError as error:
        raise UsageError(str(path), f"cannot be written ({error.strerror})", "Name another --output") from error
