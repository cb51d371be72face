"""Reports and baselines of stored runs as they are to be committed, before anything of them is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from llmload import git
from llmload.analysis.baselines import fingerprint_id
from llmload.cells import cell_of
from llmload.ci.proposal import Recorded, RecordedBaseline
from llmload.ci.report_commit import Changes
from llmload.ci.repository import Repository, path_in
from llmload.cli import baseline_change, stored
from llmload.cli.baseline_tables import moved
from llmload.cli.report_files import Rendered, jobs_of, left_over, put, render
from llmload.domain import RunResult
from llmload.errors import DataFileError, UsageError
from llmload.reporters import wording
from llmload.reporters.registry import Files
from llmload.reporters.texts import Language, Texts, texts_in
from llmload.store import replacing
from llmload.store.baseline_file import FOLDER, LARGEST, files_in, is_own_name, path_of, read_file
from llmload.store.database import Store
from llmload.store.judgement import judged


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of each run is committed.

    `folder` is that of reports (None: the scenario's own), `reason` says why the baseline changes (None: it does not),
    and `continued_at` is the commit whose baseline goes on (None: the one that lies in the working tree).
    """

    formats: tuple[str, ...]
    texts: Texts
    folder: Path | None
    reason: str | None
    continued_at: str | None


@dataclass(frozen=True, slots=True)
class Staged:
    """What one run brings: its reports in their folder, its baseline, and what is told of it."""

    folder: Path
    reports: Files
    baseline: Mapping[Path, bytes]
    recorded: Recorded


def stage(store: Store, runs: Sequence[str], wanted: Wanted, repository: Repository) -> list[Staged]:
    """Make everything, in memory. UsageError for what cannot go together, or lies outside of the repository."""
    results = [judged(store, run_id) for run_id in dict.fromkeys(store.find(run) for run in runs)]
    seen: dict[str, str] = {}
    for header in (result.header for result in results):
        if header.title in seen:
            problem = f"and {seen[header.title]} are both of the scenario {header.title}, which has one report"
            raise UsageError(f"runs {header.run_id}", problem, "Name one run of each scenario")
        seen[header.title] = header.run_id
    return [_staged(store, result, wanted, repository) for result in results]


def _staged(store: Store, result: RunResult, wanted: Wanted, repository: Repository) -> Staged:
    folder = stored.report_folder(result, wanted.folder)
    path_in(repository, folder)
    rendered = render(jobs_of(result, wanted.formats, wanted.texts))
    if rendered.troubles:
        raise rendered.troubles[0]
    report = path_in(repository, folder / next(iter(rendered.files)))
    baseline: dict[Path, bytes] = {}
    told = None
    if wanted.reason is not None:
        path, content, told = _baseline(store, result, _reports_of(folder, result), wanted.reason, wanted.continued_at)
        told = replace(told, path=path_in(repository, path))
        baseline[path] = content
    came_to = f"{result.status.value} ({wording.tally(result, texts_in(Language.EN))})"
    recorded = Recorded(result.header.scenario, result.header.run_id, came_to, report, told)
    return Staged(folder, rendered.files, baseline, recorded)


def _reports_of(folder: Path, result: RunResult) -> Path:
    """The folder of all reports, above that of the scenario, and of its cell where it has one."""
    return folder.parent.parent if cell_of(result.header.labels) else folder.parent


# ---------------------------------------------------------------- the baseline


def _baseline(
    store: Store, result: RunResult, reports: Path, reason: str, continued_at: str | None
) -> tuple[Path, bytes, RecordedBaseline]:
    """As `llmload baseline update` without options makes it: in a folder aside, from the file that goes on."""
    scenario = result.header.scenario
    with _aside(reports, scenario, continued_at) as aside, _named_as(aside, reports):
        chosen = baseline_change.newest(store, scenario, None, aside, cell_of(result.header.labels))
        if fingerprint_id(chosen[-1].fingerprint) != fingerprint_id(result.fingerprint):
            problem = f"was not measured as {chosen[-1].run_id} was, the newest run that may be a baseline"
            remedy = "Name the newest run; or `llmload baseline update --runs`, which takes the runs you name"
            raise UsageError(f"run {result.header.run_id}", problem, remedy)
        path = path_of(aside, scenario, result.fingerprint)
        before = read_file(path) if path.exists() else None
        changed = baseline_change.update(store, scenario, chosen, reason, aside)
        entry = changed.entry
        added, removed = (len(entry.added), len(entry.removed)) if entry else (0, 0)
        figures = moved(before, changed.file) if entry else ()
        told = RecordedBaseline("", len(changed.file.runs), added, removed, changed.notices, figures)
        return reports / path.relative_to(aside), path.read_bytes(), told


@contextmanager
def _aside(reports: Path, scenario: str, continued_at: str | None) -> Iterator[Path]:
    folder = reports / FOLDER / scenario
    with TemporaryDirectory(prefix="llmload-baseline-") as scratch:
        copies = Path(scratch) / FOLDER / scenario
        copies.mkdir(parents=True)
        if continued_at is None:
            for path in files_in(folder):
                (copies / path.name).write_bytes(path.read_bytes())
        else:
            for name in filter(is_own_name, git.names_in(continued_at, folder)):
                content = git.content_of(continued_at, folder / name, LARGEST)
                if content is None:
                    problem = f"cannot be had from git, or is larger than {LARGEST:,} bytes"
                    raise DataFileError(f"{folder / name} at {continued_at[:12]}", problem, "Mend it there")
                (copies / name).write_bytes(content)
        yield Path(scratch)


@contextmanager
def _named_as(aside: Path, reports: Path) -> Iterator[None]:
    """Whoever reads of a bad baseline knows it by the place that it came from."""
    try:
        yield
    except DataFileError as error:
        told = [text.replace(str(aside), str(reports)) for text in (error.where, *error.more)]
        raise DataFileError(told[0], error.problem, error.remedy, told[1:]) from None
    except UsageError as error:
        where, problem = (text.replace(str(aside), str(reports)) for text in (error.where, error.problem))
        raise UsageError(where, problem, error.remedy) from None


# ---------------------------------------------------------------- what is done with it


def changes_of(staged: Sequence[Staged], repository: Repository) -> Changes:
    """All of it as one commit changes it, pictures that an earlier report showed and this one does not included."""
    files: dict[str, bytes] = {}
    removed: list[str] = []
    for each in staged:
        files |= {path_in(repository, each.folder / name): content for name, content in each.reports.items()}
        files |= {path_in(repository, path): content for path, content in each.baseline.items()}
        removed += [path_in(repository, each.folder / name) for name in left_over(each.reports)]
    return Changes(files, tuple(removed))


def write(staged: Sequence[Staged]) -> None:
    """Put all of it into the working tree, as `llmload report` and `llmload baseline update` do."""
    for each in staged:
        again = f"llmload ci commit-report {each.recorded.run_id}"
        written = put(Rendered(each.reports, ()), each.folder, again)
        if written.troubles:
            raise written.troubles[0]
        for path, content in each.baseline.items():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with replacing.alone_in(path.parent):
                    replacing.replace(path, content)
            except OSError as error:
                problem = f"cannot be written: {(error.strerror or 'unwritable').lower()}"
                raise UsageError(str(path), problem, "Make room, or name another folder") from None
